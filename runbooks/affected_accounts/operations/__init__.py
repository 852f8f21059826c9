"""What is done to the accounts of an incident: one verb a file."""

from runbooks.affected_accounts.operations.add_accounts import Added, add_accounts
from runbooks.affected_accounts.operations.assign_owner import assign_owner
from runbooks.affected_accounts.operations.change_state import change_state
from runbooks.affected_accounts.operations.imports import Applied, apply_import, import_list, stage_import
from runbooks.affected_accounts.operations.log_contact import Attempt, log_contact
from runbooks.affected_accounts.operations.record_fact import Finding, record_fact
from runbooks.affected_accounts.operations.selection import Outcome, Refusal
from runbooks.affected_accounts.operations.set_tier import set_tier
from runbooks.affected_accounts.operations.settle_line import settle_line

__all__ = [
    "Added",
    "Applied",
    "Attempt",
    "Finding",
    "Outcome",
    "Refusal",
    "add_accounts",
    "apply_import",
    "assign_owner",
    "change_state",
    "import_list",
    "log_contact",
    "record_fact",
    "set_tier",
    "settle_line",
    "stage_import",
]
