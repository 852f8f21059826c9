"""Rows of the table as strings: fifty rows of thirteen cells cost less prepared here than by template tags."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from runbooks.affected_accounts.models import ContactAttempt, FactKind, State
from runbooks.affected_accounts.queries.page import AccountRow
from runbooks.affected_accounts.transitions import BACK_IN_USE, GROUPS, level
from runbooks.presentation import clock

# The six checks of the table: kind, head in two lines.
CHECKS: Final = (
    (FactKind.SIGN_IN_DISABLED, "Sign-in", "disabled"),
    (FactKind.SESSIONS_REVOKED, "Sessions", "revoked"),
    (FactKind.PASSWORD_CHANGED, "Password", "changed"),
    (FactKind.RULES_CHECKED, "Mailbox", "rules"),
    (FactKind.HOLDER_CONFIRMED, "Holder", "confirmed"),
    (FactKind.DATA_LOSS_ASSESSED, "Data", "loss"),
)
_PLACES: Final = tuple(list(FactKind).index(kind) for kind, _, _ in CHECKS)
CHANNEL_ICONS: Final = {
    ContactAttempt.Channel.PHONE: "phone",
    ContactAttempt.Channel.TEXT: "sms",
    ContactAttempt.Channel.LETTER: "letter",
    ContactAttempt.Channel.IN_PERSON: "user",
    ContactAttempt.Channel.COLLEAGUE: "user",
    ContactAttempt.Channel.ALTERNATE_MAIL: "letter",
}


@dataclass(frozen=True, slots=True)
class TableRow:
    """`chip`, `checks` and `contact` are ready HTML; everything else is escaped by the template."""

    id: int
    name: str
    domain: str
    is_privileged: bool
    holder: str
    department: str
    tier: str
    state: str
    chip: SafeString
    checks: SafeString
    done: str
    contact: SafeString
    owner: str
    changed: str


@cache
def mark(name: str) -> SafeString:
    """An icon of the sprite; the word always stands beside it."""
    return format_html(
        '<svg class="i" aria-hidden="true"><use href="{}#i-{}"/></svg>', static("runbooks/icons.svg"), name
    )


@cache
def chip(state: State) -> SafeString:
    group = GROUPS[state]
    return format_html(
        '<span data-state="{}"><span class="chip">{} {}</span></span>', group, mark(f"st-{group}"), state.label
    )


def table_rows(rows: list[AccountRow], zone: ZoneInfo, now: datetime) -> list[TableRow]:
    return [_row(row, zone, now) for row in rows]


def _row(row: AccountRow, zone: ZoneInfo, now: datetime) -> TableRow:
    name, at, domain = row.login.partition("@")
    moments = [row.facts[place] for place in _PLACES]
    done = sum(moment is not None for moment in moments)
    return TableRow(
        id=row.id,
        name=name,
        domain=at + domain,
        is_privileged=row.is_privileged,
        holder=row.display_name,
        department=row.department,
        tier=row.tier,
        state=row.state.label,
        chip=chip(row.state),
        checks=_checks(row.state, moments, zone, now),
        done=f"{done} of {len(CHECKS)} checks" if level(row.state) else "",
        contact=_contact(row, zone, now),
        owner=row.owner,
        changed=clock(row.changed_at, zone, now),
    )


def _checks(state: State, moments: list[datetime | None], zone: ZoneInfo, now: datetime) -> SafeString:
    cells = []
    for (kind, _, _), moment in zip(CHECKS, moments, strict=True):
        if moment is not None:
            said = clock(moment, zone, now)
            cells.append(
                f'<td class="c"><span class="done" title="{kind.label} {said}">{mark("check")}'
                f'<span class="vh">Yes, {said}</span></span></td>'
            )
        elif kind == FactKind.SIGN_IN_DISABLED and state in BACK_IN_USE:
            cells.append('<td class="c"><span class="txt muted">On again</span></td>')
        else:
            cells.append(f'<td class="c"><span class="none">{mark("dot")}<span class="vh">Not yet</span></span></td>')
    # Nothing of this comes from people: labels, times and marks of our own.
    return mark_safe("".join(cells))


def _contact(row: AccountRow, zone: ZoneInfo, now: datetime) -> SafeString:
    if row.contact_at is None:
        return _not_contacted() if level(row.state) else mark_safe("")
    times = f" ×{row.contact_attempts}" if row.contact_attempts > 1 else ""
    outcome = ContactAttempt.Outcome(row.contact_outcome).label
    icon = CHANNEL_ICONS[ContactAttempt.Channel(row.contact_channel)]
    return format_html(
        '<span class="ch">{} {}{}, {}</span>', mark(icon), outcome, times, clock(row.contact_at, zone, now)
    )


@cache
def _not_contacted() -> SafeString:
    return format_html('<span class="ch">{} Not contacted</span>', mark("dot"))
