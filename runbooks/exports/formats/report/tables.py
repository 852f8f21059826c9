"""The tables of a report: steps, accounts, actions, approvals, contacts, corrections. A few queries each."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Count

from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.queries.listing import title_of
from runbooks.affected_accounts.models import AffectedAccount, ContactAttempt, FactKind, State
from runbooks.affected_accounts.transitions import COMPROMISED_STATES, fact_at
from runbooks.containment.models import Evidence, Step
from runbooks.containment.queries import deadlines
from runbooks.exports.formats.report.naming import Naming
from runbooks.exports.models import Redaction
from runbooks.exports.queries.decisions import (
    approvals_of,
    corrections_of,
    decisions_of,
    redactions_of,
)
from runbooks.incidents.models import Incident
from runbooks.presentation import full_clock, number, plural, span
from runbooks.timeline.lines import TAKEN_OUT
from runbooks.typesetting import written_out

# Rows of one table. What is beyond them is in the bundle, and the table says so.
ROWS_MAX: Final = 2000
NOTE_MAX: Final = 600


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` are (heading, width as typst has it). `none` is said where there are no rows."""

    title: str
    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[str]]
    none: str
    intro: str = ""
    level: int = 1
    left_out: str = ""

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Writer:
    """How this report says moments and names. `as_of` says which moment is shown by what is read from rows."""

    incident: Incident
    naming: Naming
    until: int
    now: datetime
    as_of: str
    most: int = field(default=ROWS_MAX)

    def at(self, moment: datetime | None) -> str:
        return full_clock(moment, self.incident.zone) if moment else ""

    @property
    def to_the_last(self) -> str:
        return f"Up to entry #{number(self.until)}, the last of this report."

    def said(self, words: str, most: int = NOTE_MAX) -> str:
        return written_out(self.naming.text(words), most=most)

    def cut(self, rows: Sequence[Sequence[str]], what: str) -> tuple[Sequence[Sequence[str]], str]:
        beyond = len(rows) - self.most
        if beyond <= 0:
            return rows, ""
        return rows[: self.most], f"{number(beyond)} more {what} are not printed. The bundle holds them."


def clocks(writer: Writer) -> Table:
    rows = []
    for one in deadlines(writer.incident, writer.now):
        if one.closed_at:
            how = "Waived" if one.is_waived else "Met late" if one.was_late else "Met"
            stands = f"{how} {writer.at(one.closed_at)}, after {span(one.closed_at - writer.incident.declared_at)}"
        else:
            stands = f"Open, {span(writer.now - one.due_at)} late" if one.is_late else "Open"
        rows.append((f"{one.number} {writer.said(one.label)}", writer.at(one.due_at), stands))
    columns = (("Deadline", "1fr"), ("Due", "42mm"), ("How it stands", "62mm"))
    return Table("Clocks", columns, rows, "The runbook sets no deadline from outside.", writer.as_of)


def decisions(writer: Writer) -> Table:
    found = decisions_of(writer.incident.pk, until=writer.until, limit=writer.most + 1)
    rows = [
        (
            f"#{number(one.sequence)}" + (f" to #{number(one.last)}" if one.last and one.last > one.sequence else ""),
            writer.at(one.occurred_at),
            TAKEN_OUT if one.is_taken_out else writer.said(one.summary),
            written_out(one.actor, most=160),
        )
        for one in reversed(found)
    ]
    printed, left_out = writer.cut(rows, "decisions")
    columns = (("Entry", "20mm"), ("When", "42mm"), ("Decision", "1fr"), ("By", "34mm"))
    return Table("Decisions", columns, printed, "No decision was recorded.", writer.to_the_last, left_out=left_out)


def steps(writer: Writer) -> Table:
    evidence: dict[int, list[Evidence]] = defaultdict(list)
    pieces = Evidence.objects.select_related("attachment").filter(step__incident=writer.incident)
    for piece in pieces.order_by("added_at", "pk"):
        evidence[piece.step_id].append(piece)
    found = Step.objects.filter(incident=writer.incident).order_by("position")
    rows = [
        (
            step.number,
            "\n".join(
                [
                    writer.said(step.title),
                    *([f"Waived: {writer.said(step.waived_reason)}"] if step.waived_reason else []),
                ]
            ),
            "\n".join(part for part in (step.get_status_display(), writer.at(step.closed_at), step.closed_by) if part),
            "\n".join(_piece(writer, piece) for piece in evidence[step.pk]) or "None",
        )
        for step in found
    ]
    columns = (("No.", "10mm"), ("Step", "1fr"), ("How it stands", "42mm"), ("Evidence", "64mm"))
    return Table("Steps and their evidence", columns, rows, "This incident has no steps.", writer.as_of)


def _piece(writer: Writer, piece: Evidence) -> str:
    file = f"File {piece.attachment.number}: " if piece.attachment else ""
    what = {
        Evidence.Kind.FILE: f"{file}{piece.file_name}, SHA-256 {piece.sha256[:16]}…",
        Evidence.Kind.LINK: piece.url,
        Evidence.Kind.NOTE: piece.note,
    }[Evidence.Kind(piece.kind)]
    note = f" ({piece.note})" if piece.note and piece.kind != Evidence.Kind.NOTE else ""
    gone = f" Withdrawn: {piece.withdrawn_reason}" if piece.withdrawn_at else ""
    return f"{writer.said(what + note + gone)} – {written_out(piece.added_by, most=160)}, {writer.at(piece.added_at)}"


def accounts(writer: Writer) -> Table:
    found = AffectedAccount.objects.filter(incident=writer.incident).order_by("rank", "login", "pk")
    rows, left_out = writer.cut([_account(writer, row) for row in found], "accounts")
    intro = f"What was found true of each account, and since when. Work left stands first. {writer.as_of}"
    if writer.naming.is_hidden:
        intro += " Accounts are numbers, the same in all of this report."
    columns = (("Account", "1fr"), ("Tier", "10mm"), ("State", "26mm"), ("Facts", "74mm"))
    return Table("Accounts", columns, rows, "No account is on the list.", intro, left_out=left_out)


def _account(writer: Writer, row: AffectedAccount) -> Sequence[str]:
    facts = [f"{kind.label}: {writer.at(fact_at(row, kind))}" for kind in FactKind if fact_at(row, kind)]
    if row.contact_attempts:
        facts.append(f"{plural(row.contact_attempts, 'attempt')} to reach, last {writer.at(row.last_contact_at)}")
    who = [written_out(writer.naming.account(row.login), most=320)]
    if not writer.naming.is_hidden:
        who += [
            written_out(text, most=320)
            for text in [", ".join(filter(None, (row.display_name, row.department)))]
            if text
        ]
    return ("\n".join(who), row.tier or "–", State(row.state).label, "\n".join(facts) or "None")


def actions(writer: Writer) -> Table:
    counted: dict[UUID, Counter[str]] = defaultdict(Counter)
    of_incident = ActionAccount.objects.filter(action__incident=writer.incident).order_by()
    for action_id, status, count in of_incident.values_list("action", "status").annotate(count=Count("pk")):
        counted[action_id][status] = count
    found = Action.objects.filter(incident=writer.incident).select_related("undoes", "requested_by", "approved_by")
    rows = [_action(writer, action, counted[action.pk]) for action in found.order_by("number")]
    columns = (("No.", "8mm"), ("Action", "1fr"), ("Asked by", "38mm"), ("Second person", "38mm"), ("Outcome", "40mm"))
    return Table("Actions", columns, rows, "No action was drafted.", writer.as_of)


def _action(writer: Writer, action: Action, counted: Counter[str]) -> Sequence[str]:
    asked = str(action.requested_by) if action.requested_by else action.drafted_by
    second = "Not needed"
    if action.approved_by:
        second = f"{written_out(str(action.approved_by), most=160)}\n{writer.at(action.approved_at)}"
    elif action.needs_approval:
        second = "None: emergency" if action.is_break_glass else "None yet"
    outcome = [action.get_status_display()]
    outcome += [
        f"{number(counted[status])} {label.lower()}"
        for status, label in ActionAccount.Status.choices
        if counted[status]
    ]
    what = [f"{title_of(action)}, {plural(sum(counted.values()), 'account')} through {action.connection}"]
    return (
        str(action.number),
        "\n".join([*what, writer.said(action.reason)]),
        f"{written_out(asked, most=160)}\n{writer.at(action.requested_at or action.drafted_at)}",
        second,
        "\n".join(outcome),
    )


def approvals(writer: Writer) -> Table:
    found = approvals_of(writer.incident.pk, limit=writer.most + 1)
    rows = [
        (
            writer.at(one.at),
            f"{one.label}: action {one.number}, {Action.Kind(one.action_kind).label.lower()}, "
            f"{plural(one.accounts, 'account')}",
            written_out(one.asked_by or "Nobody", most=160),
            written_out(one.decided_by, most=160) + (f"\nwith {one.credential}" if one.credential else ""),
            writer.said(one.comment),
        )
        for one in reversed(found)
    ]
    printed, left_out = writer.cut(rows, "approvals")
    columns = (("When", "42mm"), ("Decided", "1fr"), ("Asked by", "32mm"), ("Decided by", "32mm"), ("Words", "36mm"))
    return Table("Approvals", columns, printed, "Nothing needed a second person.", writer.as_of, left_out=left_out)


def contacts(writer: Writer) -> Table:
    made = ContactAttempt.objects.filter(affected_account__incident=writer.incident).order_by()
    counted = {
        (channel, outcome): count
        for channel, outcome, count in made.values_list("channel", "outcome").annotate(count=Count("pk"))
    }
    holders = AffectedAccount.objects.filter(incident=writer.incident, state__in=COMPROMISED_STATES).aggregate(
        all=Count("pk"), reached=Count("holder_reached_at")
    )
    outcomes = [one for one in ContactAttempt.Outcome.choices if any(key[1] == one[0] for key in counted)]
    rows = [
        (str(label), *(number(counted.get((channel, outcome), 0)) for outcome, _ in outcomes))
        for channel, label in ContactAttempt.Channel.choices
        if any(key[0] == channel for key in counted)
    ]
    intro = f"{number(holders['reached'])} of {plural(holders['all'], 'holder')} of compromised accounts were reached. "
    intro += writer.as_of
    columns = (("Channel", "1fr"), *((str(label), "24mm") for _, label in outcomes))
    return Table("Contacts with holders", columns, rows, "Nobody was contacted.", intro)


def corrections(writer: Writer) -> Table:
    found = corrections_of(writer.incident.pk, until=writer.until, limit=writer.most + 1)
    rows = [
        (
            f"#{number(one.sequence)}",
            writer.at(one.recorded_at),
            f"#{number(one.corrects)} said: {TAKEN_OUT if one.is_first_taken_out else writer.said(one.first_summary)}",
            TAKEN_OUT if one.is_taken_out else writer.said(one.summary),
            written_out(one.actor, most=160),
        )
        for one in reversed(found)
    ]
    printed, left_out = writer.cut(rows, "corrections")
    columns = (("Entry", "14mm"), ("When", "24mm"), ("What stood", "1fr"), ("What stands", "1fr"), ("By", "28mm"))
    return Table("Corrections", columns, printed, "Nothing was corrected.", writer.to_the_last, left_out=left_out)


def redactions(writer: Writer) -> Table:
    rows = [
        (
            f"#{number(one.sequence)}",
            f"{writer.said(one.reason)}\nLegal basis: {writer.said(one.legal_basis)}",
            f"{written_out(one.asked_by, most=160)}\n{writer.at(one.requested_at)}",
            "\n".join(part for part in (written_out(one.decided_by, most=160), writer.at(one.decided_at)) if part)
            or "–",
            Redaction.Status(one.status).label,
        )
        for one in reversed(redactions_of(writer.incident.pk, limit=writer.most))
    ]
    columns = (("Entry", "14mm"), ("Why", "1fr"), ("Asked by", "36mm"), ("Decided by", "36mm"), ("Outcome", "28mm"))
    return Table("Redactions", columns, rows, "No content was taken out.", writer.as_of)


def all_of(writer: Writer) -> Iterable[Table]:
    """In the order of the report, without the clocks."""
    yield decisions(writer)
    yield steps(writer)
    yield accounts(writer)
    yield actions(writer)
    yield approvals(writer)
    yield contacts(writer)
    yield corrections(writer)
    yield redactions(writer)
