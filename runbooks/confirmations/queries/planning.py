"""By which channels on file each holder's code can go, which is best, and what speaks against it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings

from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.confirmations.letters.contents import Language, language_of
from runbooks.confirmations.models import Code, Confirmation, TextOrder
from runbooks.directory.models import Account
from runbooks.notifications.channels.telephones import NumberError, e164, takes_texts
from runbooks.notifications.channels.text_gateway import is_configured
from runbooks.presentation import plural

Channel = Code.Channel
DIRECTORY: Final = "The institution’s directory"
# Whoever holds a mailbox may have changed what else is on file: what is younger than this is looked at twice.
FRESH: Final = timedelta(days=30)
# Nobody asks these holders for anything: not affected, or gone.
WITHOUT: Final = (State.FALSE_POSITIVE, State.TARGETED, State.LEFT, State.CLOSED)
KINDS_WITHOUT_HOLDER: Final = (Account.Kind.SHARED, Account.Kind.SERVICE)


@dataclass(frozen=True, slots=True)
class Way:
    """A channel that is open to a holder, and the number (as +447700900123) or the office it leads to."""

    channel: str
    address: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What one holder's code can go by. `channel` is the best; empty where nothing on file will do: the desk calls.

    `why` says so, or what to look at twice. `is_fresh`: a number or address changed in the last 30 days.
    `wants_code`: whether one is wanted at all. `held` is the channel of a code that still works. `language` is what
    the holder is written to in.
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
    wants_code: bool
    is_fresh: bool
    held: str
    language: Language
    ways: tuple[Way, ...]

    def way(self, channel: str) -> Way | None:
        return next((way for way in self.ways if way.channel == channel), None)


def plan_codes(
    *, incident_id: UUID, affected_ids: Collection[int], at: datetime, letters_only: bool = False
) -> list[Plan]:
    """The ways of each, in the order of the accounts' names. Never a mailbox. Four queries.

    `letters_only`: the best is a letter or nothing, though a text message may be possible too.
    """
    rows = (
        AffectedAccount.objects.select_related("account")
        .filter(incident_id=incident_id, pk__in=affected_ids)
        .order_by("login", "pk")
    )
    open_codes = dict(
        Code.objects.filter(
            affected_account__in=affected_ids, used_at__isnull=True, superseded_at__isnull=True, expires_at__gt=at
        ).values_list("affected_account", "channel")
    )
    on_their_way = set(
        TextOrder.objects.filter(affected_account__in=affected_ids, status__in=TextOrder.OPEN).values_list(
            "affected_account", flat=True
        )
    )
    # In which language each answered last.
    answered = dict(
        Confirmation.objects.filter(affected_account__in=affected_ids)
        .order_by("affected_account", "-answered_at", "-pk")
        .distinct("affected_account")
        .values_list("affected_account", "language")
    )
    return [
        _plan(
            row,
            at,
            letters_only=letters_only,
            held=open_codes.get(row.pk, ""),
            is_ordered=row.pk in on_their_way,
            answered=answered.get(row.pk, ""),
        )
        for row in rows
    ]


def _plan(
    row: AffectedAccount, at: datetime, *, letters_only: bool, held: str, is_ordered: bool, answered: str
) -> Plan:
    account = row.account
    why = _why_nothing_is_asked(row)
    if not why and is_ordered:
        why = "A text message is on its way already."
    ways, lacking = ((), "") if why else _ways(account, letters_only=letters_only)
    best = next((way for way in ways if way.channel == Channel.LETTER or not letters_only), None)
    days = fresh_days(account, at) if ways else None
    said = [why or lacking]
    if days is not None:
        said.append(f"A number or address changed {ago(days)}.")
    if ways and held:
        said.append(f"Has a code already ({Channel(held).label.lower()}): the new one replaces it.")
    return Plan(
        affected_id=row.pk,
        login=row.login,
        name=account.display_name or row.display_name,
        office=account.office,
        department=account.department or row.department,
        channel=best.channel if best else "",
        address=best.address if best else "",
        source=DIRECTORY if ways else "",
        why=" ".join(part for part in said if part),
        wants_code=not why,
        is_fresh=days is not None,
        held=held,
        language=_language(account, answered),
        ways=ways,
    )


def _language(account: Account, answered: str) -> Language:
    """As the holder answered last; else as the directory has it; else as most of the institution's holders read."""
    known = (language_of(written) for written in (answered, account.language, settings.HOLDER_LANGUAGE))
    return next((language for language in known if language), "en-gb")


def _why_nothing_is_asked(row: AffectedAccount) -> str:
    if row.state in WITHOUT:
        return f"“{State(row.state).label}”: nothing is asked of the holder."
    if row.holder_confirmed_at is not None:
        return "Has confirmed, and the directory agrees."
    if row.account.kind in KINDS_WITHOUT_HOLDER:
        return f"A {Account.Kind(row.account.kind).label.lower()} has no holder of its own: ask who looks after it."
    return ""


def _ways(account: Account, *, letters_only: bool) -> tuple[tuple[Way, ...], str]:
    """What is open to a holder, the best first, and why the best that was hoped for is not."""
    number, no_text = text_number(account)
    place = ", ".join(part for part in (account.office, account.department) if part and "@" not in part)
    texts = (Way(Channel.TEXT, number),) if number else ()
    letters = (Way(Channel.LETTER, place[:200]),) if place else ()
    if letters_only:
        no_text = ""
    if letters or (texts and not letters_only):
        return texts + letters, no_text
    no_place = "No office or department on file."
    return texts, no_place if texts else f"{no_text} {no_place[:-1]}: the desk calls.".strip()


def text_number(account: Account) -> tuple[str, str]:
    """(number a text message can go to, or why there is none); both empty where texts are not set up."""
    if not is_configured():
        return "", ""
    if not account.mobile.strip():
        return "", "No mobile number on file."
    try:
        number = e164(account.mobile, settings.TEXT_GATEWAY["country"])
    except NumberError as error:
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
