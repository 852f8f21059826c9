"""Which channel on file is best for each holder's code, and what speaks against it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings

from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.confirmations.models import Code, TextOrder
from runbooks.confirmations.text_messages import TextError, e164, is_configured, takes_texts
from runbooks.directory.models import Account
from runbooks.presentation import plural

Channel = Code.Channel
DIRECTORY: Final = "The institution’s directory"
# Whoever holds a mailbox may have changed what else is on file: what is younger than this is looked at twice.
FRESH: Final = timedelta(days=30)
# Nobody asks these holders for anything: not affected, or gone.
WITHOUT: Final = (State.FALSE_POSITIVE, State.TARGETED, State.LEFT, State.CLOSED)
KINDS_WITHOUT_HOLDER: Final = (Account.Kind.SHARED, Account.Kind.SERVICE)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one holder's code goes by. `channel` is empty where nothing on file will do: the desk calls.

    `why` says so, or what to look at twice. `is_fresh`: the number or address changed in the last 30 days.
    """

    affected_id: int
    login: str
    name: str
    office: str
    department: str
    channel: str
    address: str
    source: str
    why: str
    is_fresh: bool


def plan_codes(
    *, incident_id: UUID, affected_ids: Collection[int], at: datetime, letters_only: bool = False
) -> list[Plan]:
    """The best channel of each, in the order of the accounts' names. Never a mailbox. Three queries."""
    rows = (
        AffectedAccount.objects.select_related("account")
        .filter(incident_id=incident_id, pk__in=affected_ids)
        .order_by("login", "pk")
    )
    open_codes: Mapping[int, tuple[str, datetime]] = {
        affected: (channel, expires)
        for affected, channel, expires in Code.objects.filter(
            affected_account__in=affected_ids, used_at__isnull=True, superseded_at__isnull=True, expires_at__gt=at
        ).values_list("affected_account", "channel", "expires_at")
    }
    on_their_way = set(
        TextOrder.objects.filter(affected_account__in=affected_ids, status__in=TextOrder.OPEN).values_list(
            "affected_account", flat=True
        )
    )
    return [
        _plan(row, at, letters_only=letters_only, held=open_codes.get(row.pk), is_ordered=row.pk in on_their_way)
        for row in rows
    ]


def _plan(
    row: AffectedAccount, at: datetime, *, letters_only: bool, held: tuple[str, datetime] | None, is_ordered: bool
) -> Plan:
    account = row.account
    why = _why_nothing_is_asked(row)
    if not why and is_ordered:
        why = "A text message is on its way already."
    channel, address, lacking = ("", "", "") if why else _channel(account, letters_only=letters_only)
    days = fresh_days(account, at)
    said = [why or lacking]
    if channel and days is not None:
        said.append(f"{'The number' if channel == Channel.TEXT else 'Something on file'} changed {ago(days)}.")
    if channel and held is not None:
        said.append(f"Has a code already ({Channel(held[0]).label.lower()}): the new one replaces it.")
    return Plan(
        affected_id=row.pk,
        login=row.login,
        name=account.display_name or row.display_name,
        office=account.office,
        department=account.department or row.department,
        channel=channel,
        address=address,
        source=DIRECTORY if channel else "",
        why=" ".join(part for part in said if part),
        is_fresh=bool(channel) and days is not None,
    )


def _why_nothing_is_asked(row: AffectedAccount) -> str:
    if row.state in WITHOUT:
        return f"“{State(row.state).label}”: nothing is asked of the holder."
    if row.holder_confirmed_at is not None:
        return "Has confirmed, and the directory agrees."
    if row.account.kind in KINDS_WITHOUT_HOLDER:
        return f"A {Account.Kind(row.account.kind).label.lower()} has no holder of its own: ask who looks after it."
    return ""


def _channel(account: Account, *, letters_only: bool) -> tuple[str, str, str]:
    """(channel, address, what is lacking)"""
    lacking = ""
    if not letters_only:
        number, lacking = text_number(account)
        if number:
            return Channel.TEXT, number, ""
    place = ", ".join(part for part in (account.office, account.department) if part and "@" not in part)
    if place:
        return Channel.LETTER, place[:200], lacking
    return "", "", f"{lacking} No office or department on file: the desk calls.".strip()


def text_number(account: Account) -> tuple[str, str]:
    """(number a text message can go to, or why there is none); both empty where texts are not set up."""
    if not is_configured():
        return "", ""
    if not account.mobile.strip():
        return "", "No mobile number on file."
    try:
        number = e164(account.mobile, settings.TEXT_GATEWAY["country"])
    except TextError as error:
        return "", str(error)
    if not takes_texts(number):
        return "", "The number on file is no mobile number."
    return number, ""


def fresh_days(account: Account, at: datetime) -> int | None:
    """Days since a number or address changed, where that is less than 30 days; else None."""
    changed = account.contact_changed_at
    if changed is None or at - changed >= FRESH:
        return None
    return max((at - changed).days, 0)


def ago(days: int) -> str:
    """today, 1 day ago, 12 days ago"""
    return f"{plural(days, 'day')} ago" if days else "today"
