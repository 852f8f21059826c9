"""Reading the directory: its accounts, its imports, and whom a line of a list means."""

from runbooks.directory.queries.accounts import (
    AccountCounts,
    AccountPage,
    Filter,
    account_counts,
    account_for,
    account_page,
    departments,
)
from runbooks.directory.queries.imports import (
    Change,
    FieldChange,
    ImportPage,
    Preview,
    import_for,
    import_page,
    preview,
    preview_file,
    samples,
    stored_file,
    suggested_columns,
)
from runbooks.directory.queries.matching import Match, MatchStatus, match, match_many
from runbooks.directory.queries.protections import ProtectionPage, protection_of, protection_page

__all__ = [
    "AccountCounts",
    "AccountPage",
    "Change",
    "FieldChange",
    "Filter",
    "ImportPage",
    "Match",
    "MatchStatus",
    "Preview",
    "ProtectionPage",
    "account_counts",
    "account_for",
    "account_page",
    "departments",
    "import_for",
    "import_page",
    "match",
    "match_many",
    "preview",
    "preview_file",
    "protection_of",
    "protection_page",
    "samples",
    "stored_file",
    "suggested_columns",
]
