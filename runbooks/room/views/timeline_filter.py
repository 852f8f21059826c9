"""The timeline's address read: which entries are wanted, in which order, from where on.

`q` words, `lane`, `kind`, `who` (people, automated, or a user's id), `account` (login or its beginning), `step` (its
number), `from` and `to` (local time, as people write it), `only` (corrected, pinned), `fold` (0 or 1), `burst`,
`order` (oldest), `after` and `before` (a cursor: microseconds since 1970, a hyphen, the sequence), `lines` (500).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from django.http import QueryDict

from runbooks.access.http import whole_number
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.incidents.models import Incident
from runbooks.timeline.models import Lane, Precision
from runbooks.timeline.moments import UnreadableMomentError, parse
from runbooks.timeline.queries import PAGE, Cursor, Filter

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ACCOUNTS_MAX = 200
# Enough for most of an incident on paper; the exports bring all of it.
PRINTED = 500
PASSED_ON = ("kind", "step", "burst", "order")


@dataclass(slots=True)
class Asked:
    """What the address asks for. `problems` says by field what could not be read; that field then does not filter."""

    filter: Filter
    newest_first: bool
    after: Cursor | None
    before: Cursor | None
    lines: int
    texts: dict[str, str]
    problems: dict[str, str] = field(default_factory=dict)


def read(query: QueryDict, incident: Incident, now: datetime, steps: Mapping[int, str]) -> Asked:
    """At most one query, where an account is looked for."""
    texts = {name: query.get(name, "").strip() for name in ("q", "account", "from", "to", "only", "who", *PASSED_ON)}
    texts["lane"] = query.get("lane", "") if query.get("lane") in Lane.values else ""
    texts["fold"] = (query.getlist("fold") or ["1"])[-1]
    problems: dict[str, str] = {}
    who, person_id = _who(texts["who"])
    wanted = Filter(
        text=texts["q"][:200],
        lane=texts["lane"],
        kind=texts["kind"][:60],
        who=who,
        person_id=person_id,
        account_ids=_accounts(incident.pk, texts["account"], problems),
        step_id=_step(texts["step"], steps, problems),
        start=_moment("from", texts["from"], incident, now, problems),
        end=_moment("to", texts["to"], incident, now, problems),
        corrected=texts["only"] == "corrected",
        pinned=texts["only"] == "pinned",
        burst=whole_number(texts["burst"]),
        fold=texts["fold"] != "0",
    )
    if wanted.start and wanted.end and wanted.start >= wanted.end:
        problems["to"] = "The range ends before it begins. Change From or To."
    return Asked(
        wanted,
        newest_first=texts["order"] != "oldest",
        after=read_cursor(query.get("after", "")),
        before=read_cursor(query.get("before", "")) if not query.get("after") else None,
        lines=PRINTED if query.get("lines") == str(PRINTED) else PAGE,
        texts=texts,
        problems=problems,
    )


def cursor_text(occurred_at: datetime, sequence: int) -> str:
    return f"{(occurred_at - EPOCH) // timedelta(microseconds=1)}-{sequence}"


def read_cursor(text: str) -> Cursor | None:
    """None for what is no cursor: the page then begins at its beginning."""
    micros, sequence = (whole_number(part) for part in text.partition("-")[::2])
    if micros is None or sequence is None:
        return None
    try:
        return Cursor(EPOCH + timedelta(microseconds=micros), sequence)
    except OverflowError:
        return None


def _who(text: str) -> tuple[Literal["", "people", "automated"], int | None]:
    if text == "people":
        return "people", None
    if text == "automated":
        return "automated", None
    return "", whole_number(text)


def _accounts(incident_id: UUID, text: str, problems: dict[str, str]) -> tuple[int, ...] | None:
    """The accounts whose login begins with the text."""
    if not text:
        return None
    found = AffectedAccount.objects.filter(incident_id=incident_id, login__istartswith=text)
    ids = tuple(found.values_list("pk", flat=True)[:ACCOUNTS_MAX])
    if not ids:
        problems["account"] = f"No account of this incident begins with “{text}”. Check the spelling."
    return ids


def _step(text: str, steps: Mapping[int, str], problems: dict[str, str]) -> int | None:
    if not text:
        return None
    for pk, number in steps.items():
        if number == text:
            return pk
    problems["step"] = f"This incident has no step {text}."
    return None


def _moment(name: str, text: str, incident: Incident, now: datetime, problems: dict[str, str]) -> datetime | None:
    """Where the range begins, or the moment it ends before: to 13:00 is without 13:00, to 23 June is with all of it."""
    if not text:
        return None
    try:
        moment = parse(text, incident.zone, now)
    except UnreadableMomentError as error:
        problems[name] = str(error)
        return None
    if name == "to" and moment.precision == Precision.DAY:
        local = moment.at.astimezone(incident.zone) + timedelta(days=1)
        return local.astimezone(UTC)
    return moment.at
