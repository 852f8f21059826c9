"""The whole ledger of an action as a file, for spreadsheets and for those who were not there."""

import csv
import io
from datetime import datetime
from typing import Final

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest
from runbooks.actions.models import ActionAccount
from runbooks.actions.queries.ledger import LedgerRow, before_of_first, whole_ledger
from runbooks.actions.views.seen import Seen, see
from runbooks.actions.views.wording import asked_words, found_words

HEADS: Final = (
    "number",
    "account",
    "holder",
    "state",
    "before",
    "asked for",
    "read back",
    "as asked",
    "sent",
    "answered",
    "answered by",
    "read back at",
    "put back at",
    "message",
)
# What a spreadsheet would take for a formula: also in the wide letters of East Asia, and behind what it strips.
FORMULA: Final = (
    "=",
    "+",
    "-",
    "@",
    "\N{FULLWIDTH EQUALS SIGN}",
    "\N{FULLWIDTH PLUS SIGN}",
    "\N{FULLWIDTH HYPHEN-MINUS}",
    "\N{FULLWIDTH COMMERCIAL AT}",
)


@require_safe
def page(request: PortalRequest, reference: str, number: int) -> HttpResponse:
    seen = see(request, reference, number)
    rows = whole_ledger(seen.action.pk)
    before = before_of_first(seen.action, rows)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADS)
    for row in rows:
        asked = asked_words(seen.action, before.get(row.login), seen.incident.zone, seen.at)
        writer.writerow([_cell(value) for value in _values(row, seen, asked)])
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    name = f"{seen.incident.reference}-action-{seen.action.number}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _values(row: LedgerRow, seen: Seen, asked: str) -> list[object]:
    zone, at = seen.incident.zone, seen.at
    return [
        row.position,
        row.login,
        row.holder,
        ActionAccount.Status(row.status).label,
        found_words(seen.action, row.before, zone, at),
        asked,
        found_words(seen.action, row.read_back, zone, at),
        ActionAccount.Verdict(row.verdict).label,
        *(_iso(moment, seen) for moment in (row.sent_at, row.answered_at)),
        row.answered_by,
        *(_iso(moment, seen) for moment in (row.read_back_at, row.undone_at)),
        row.message,
    ]


def _iso(moment: datetime | None, seen: Seen) -> str:
    return moment.astimezone(seen.incident.zone).isoformat(timespec="seconds") if moment else ""


def _cell(value: object) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(("\t", "\r", "\n")) or text.lstrip().startswith(FORMULA) else text
