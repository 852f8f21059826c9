"""The accounts that actions on many leave alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Q

from runbooks.access.permissions import Actor, require
from runbooks.directory.models import Account, Protection

PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class ProtectionPage:
    """One page by login, each with its account. `after` is the account's id to go on after, None at the end."""

    protections: Sequence[Protection]
    after: int | None
    total: int


def protection_page(*, actor: Actor, after: int | None = None, size: int = PAGE) -> ProtectionPage:
    """Two queries, three behind the first page."""
    require(actor, "view_directory")
    rows = Protection.objects.select_related("account").defer("account__match_keys").order_by("account__login", "id")
    total = rows.count()
    last = Account.objects.filter(pk=after).values_list("login", flat=True).first() if after is not None else None
    if last is not None:
        rows = rows.filter(Q(account__login__gt=last) | Q(account__login=last, account__gt=after))
    found = list(rows[: size + 1])
    return ProtectionPage(found[:size], found[size - 1].account_id if len(found) > size else None, total)


def protection_of(account: Account) -> Protection | None:
    return Protection.objects.filter(account=account).first()
