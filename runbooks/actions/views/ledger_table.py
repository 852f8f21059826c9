"""The rows of a ledger, as ready HTML: a hundred of them on a page, each with a dozen values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.queries.ledger import LedgerRow
from runbooks.actions.views.wording import ROW_MARKS, VERDICT_MARKS, asked_words, found_words
from runbooks.affected_accounts.views.table import mark
from runbooks.incidents.models import Incident
from runbooks.presentation import clock

RowStatus, Verdict = ActionAccount.Status, ActionAccount.Verdict
ROW: Final = (
    '<tr><td class="p">{}</td><td class="num muted n">{}</td><th scope="row" class="a">{}'
    '<span class="h muted">{}</span></th><td class="s nowrap">{}</td><td class="w">{} <span class="muted">→</span> {} '
    '<span class="muted">→</span> {}</td><td class="t muted">{}</td><td class="m">{}</td></tr>'
)


@dataclass(frozen=True, slots=True)
class Table:
    """What the rows of one page have in common. `before` is what an undoing goes back to, by login."""

    incident: Incident
    action: Action
    now: datetime
    before: Mapping[str, Mapping[str, Any]]
    choosable: bool
    ticked: frozenset[int] = frozenset()


def ledger_body(rows: Sequence[LedgerRow], table: Table) -> SafeString:
    pattern = reverse("account_detail", args=[table.incident.reference, 0])
    return format_html_join("", ROW, (_cells(row, table, pattern) for row in rows))


def _cells(row: LedgerRow, table: Table, pattern: str) -> tuple[object, ...]:
    action, zone, now = table.action, table.incident.zone, table.now
    return (
        _box(row, table) if table.choosable else "",
        row.position,
        _login(row, pattern),
        row.holder,
        _state(row),
        found_words(action, row.before, zone, now),
        asked_words(action, table.before.get(row.login), zone, now),
        _read_back(row, table),
        _times(row, table),
        row.message,
    )


def _box(row: LedgerRow, table: Table) -> SafeString:
    checked = mark_safe(" checked") if row.id in table.ticked else ""
    return format_html(
        '<label><input type="checkbox" name="row" value="{}"{}><span class="vh">Select {}</span></label>',
        row.id,
        checked,
        row.login,
    )


def _login(row: LedgerRow, pattern: str) -> SafeString:
    if row.affected_id is None:
        return format_html("{}", row.login)
    return format_html('<a href="{}">{}</a>', pattern.replace("/0/", f"/{row.affected_id}/"), row.login)


def _state(row: LedgerRow) -> SafeString:
    if row.undone_at is not None:
        return format_html('{} Put back <span class="muted">by action {}</span>', mark("undo"), row.undone_by)
    return _status(row.status, row.verdict == Verdict.DIFFERS)


@cache
def _status(status: str, differs: bool) -> SafeString:
    """What differs was answered, but is not good."""
    name, tone = ROW_MARKS[status]
    tone = "muted" if differs else tone
    return format_html('<span class="{}">{} {}</span>', tone, mark(name), RowStatus(status).label)


def _read_back(row: LedgerRow, table: Table) -> SafeString:
    if not row.verdict:
        return mark_safe('<span class="muted">not read back</span>')
    name, tone = VERDICT_MARKS[row.verdict]
    said = found_words(table.action, row.read_back, table.incident.zone, table.now)
    word = {Verdict.DIFFERS: "Differs: ", Verdict.UNREADABLE: "Cannot be read: "}.get(Verdict(row.verdict), "")
    return format_html('<span class="{} nowrap">{} {}{}</span>', tone, mark(name), word, said)


def _times(row: LedgerRow, table: Table) -> str:
    zone, now = table.incident.zone, table.now
    said = []
    if row.answered_at is not None and row.status not in {RowStatus.WAITING, RowStatus.SENDING}:
        said.append(f"{clock(row.answered_at, zone, now)} by {row.answered_by}")
    elif row.sent_at is not None and row.status == RowStatus.SENDING:
        said.append(f"sent {clock(row.sent_at, zone, now)}")
    if row.retry_at is not None and row.status == RowStatus.WAITING:
        said.append(f"again {clock(row.retry_at, zone, now)}")
    if row.read_back_at is not None:
        said.append(f"read {clock(row.read_back_at, zone, now)}")
    return ", ".join(said)
