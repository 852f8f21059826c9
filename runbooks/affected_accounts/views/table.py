"""The rows of the table, and the marks they share with other pages."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from runbooks.affected_accounts.models import ContactAttempt, FactKind, State
from runbooks.affected_accounts.operations.read_back import REMOTE_ACCESS
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


PRIVILEGED: Final = mark_safe(' <span class="priv">privileged</span>')
NOBODY: Final = mark_safe('<span class="muted">Nobody</span>')


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


def table_body(
    rows: Sequence[AccountRow], names: Mapping[int, str], zone: ZoneInfo, now: datetime, *, choosable: bool
) -> SafeString:
    """The rows of the table. `names` are those of the owners."""
    form = f"<tr><td>{BOX if choosable else ''}</td>{ROW}"
    return format_html_join("", form, (_cells(row, names, zone, now) for row in rows))


# Fifty rows of thirteen cells: as a template loop they cost as much as all the rest of the page together.
BOX: Final = (
    '<label><input type="checkbox" name="id" value="{0}" data-state="{1}"><span class="vh">Select {2}</span></label>'
)
ROW: Final = (
    '<td class="a"><a href="{0}/">{2}<span class="dom">{3}</span></a>{4}</td>'
    '<td class="h">{5} <span class="muted">{6}</span></td><td class="s">{7}{8}</td>{9}'
    '<td class="k">{10}{11}</td><td class="o">{12}</td><td class="num muted">{13}</td></tr>'
)


def _cells(row: AccountRow, names: Mapping[int, str], zone: ZoneInfo, now: datetime) -> tuple[object, ...]:
    name, at, domain = row.login.partition("@")
    moments = [row.facts[place] for place in _PLACES]
    done = len(CHECKS) - moments.count(None)
    return (
        row.id,
        row.state.label,
        name,
        at + domain,
        PRIVILEGED if row.is_privileged else "",
        row.display_name,
        row.department,
        chip(row.state),
        _after_state(row.tier, row.differs),
        _checks(row, moments, zone, now),
        _sums(done) if level(row.state) else "",
        _contact(row, zone, now),
        names.get(row.owner_id, NOBODY) if row.owner_id else NOBODY,
        clock(row.changed_at, zone, now),
    )


def _checks(row: AccountRow, moments: list[datetime | None], zone: ZoneInfo, now: datetime) -> SafeString:
    cells = []
    for (kind, _, _), moment in zip(CHECKS, moments, strict=True):
        if kind in row.differs:
            cells.append(f'<td class="c"><span class="mis">{mark("warn")} Differs</span></td>')
        elif moment is not None:
            said = clock(moment, zone, now)
            cells.append(
                f'<td class="c"><span class="done" title="{kind.label} {said}">{mark("check")}'
                f'<span class="vh">Yes, {said}</span></span></td>'
            )
        elif kind == FactKind.SIGN_IN_DISABLED and row.state in BACK_IN_USE:
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
def _after_state(tier: str, differs: tuple[str, ...]) -> SafeString:
    """The tier, and what differs that is none of the six checks."""
    if REMOTE_ACCESS not in differs:
        return _tier(tier)
    return format_html('{} <span class="mis small">{} Remote access differs</span>', _tier(tier), mark("warn"))


@cache
def _tier(tier: str) -> SafeString:
    return format_html(' <span class="tier"><span class="vh">tier </span>{}</span>', tier) if tier else mark_safe("")


@cache
def _sums(done: int) -> SafeString:
    return format_html('<span class="sums">{} of {} checks</span>', done, len(CHECKS))


@cache
def _not_contacted() -> SafeString:
    return format_html('<span class="ch">{} Not contacted</span>', mark("dot"))
