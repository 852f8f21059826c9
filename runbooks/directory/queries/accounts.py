"""The accounts of the directory, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, Q, QuerySet

from runbooks.access.permissions import Actor, require
from runbooks.directory.models import Account
from runbooks.errors import NotFoundError

PAGE: Final = 50
STATES: Final = {
    "enabled": Q(is_enabled=True, gone_at__isnull=True),
    "disabled": Q(is_enabled=False, gone_at__isnull=True),
    "gone": Q(gone_at__isnull=False),
    "privileged": Q(is_privileged=True, gone_at__isnull=True),
}


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of accounts is narrowed to; an empty text does not narrow."""

    text: str = ""
    kind: str = ""
    state: str = ""
    department: str = ""

    @property
    def narrows(self) -> bool:
        return bool(self.text or self.kind or self.state or self.department)


@dataclass(frozen=True, slots=True)
class AccountPage:
    """One page by display name. `after` is the id of its last account where more follow, else None."""

    accounts: Sequence[Account]
    after: int | None


@dataclass(frozen=True, slots=True)
class AccountCounts:
    """Accounts in the directory; those that are gone stand apart."""

    known: int
    person: int
    shared: int
    service: int
    guest: int
    gone: int


def account_page(*, actor: Actor, narrowed: Filter, after: int | None = None, size: int = PAGE) -> AccountPage:
    """Accounts by display name, `size` at a time, after the account with that id."""
    require(actor, "view_directory")
    accounts = _narrowed(narrowed).order_by("display_name", "id").defer("match_keys")
    last = (
        Account.objects.filter(pk=after).values_list("display_name", flat=True).first() if after is not None else None
    )
    if last is not None:
        # The first condition lets the index find the place; the second takes out what was shown under the same name.
        accounts = accounts.filter(display_name__gte=last).exclude(display_name=last, id__lte=after)
    found = list(accounts[: size + 1])
    more = len(found) > size
    return AccountPage(found[:size], found[size - 1].pk if more else None)


def account_counts(*, actor: Actor) -> AccountCounts:
    require(actor, "view_directory")
    known = Q(gone_at__isnull=True)
    kinds = {str(kind): Count("id", filter=known & Q(kind=kind)) for kind in Account.Kind.values}
    found = Account.objects.aggregate(known=Count("id", filter=known), gone=Count("id", filter=~known), **kinds)
    return AccountCounts(**found)


def departments(*, actor: Actor, limit: int = 200) -> list[str]:
    """The departments of known accounts, by name; the first 200, for a list to choose from."""
    require(actor, "view_directory")
    named = Account.objects.filter(gone_at__isnull=True).exclude(department="")
    return list(named.order_by("department").values_list("department", flat=True).distinct()[:limit])


def account_for(*, actor: Actor, account_id: int) -> Account:
    require(actor, "view_directory")
    account = Account.objects.filter(pk=account_id).first()
    if account is None:
        raise NotFoundError("There is no such account in the directory.")
    return account


def _narrowed(narrowed: Filter) -> QuerySet[Account]:
    accounts = Account.objects.all()
    for word in narrowed.text.split():
        # Every word somewhere: "smith clerk" finds the clerk called Smith.
        accounts = accounts.filter(
            Q(login__icontains=word)
            | Q(display_name__icontains=word)
            | Q(mail__icontains=word)
            | Q(office__icontains=word)
            | Q(title__icontains=word)
            | Q(department__icontains=word)
        )
    if narrowed.kind:
        accounts = accounts.filter(kind=narrowed.kind)
    if narrowed.department:
        accounts = accounts.filter(department=narrowed.department)
    return accounts.filter(STATES.get(narrowed.state, Q(gone_at__isnull=True)))
