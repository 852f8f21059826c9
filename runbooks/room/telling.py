"""What the story of an account says of each thing in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from runbooks.actions.models import ActionAccount, ActionExclusion
from runbooks.actions.verbs import words
from runbooks.actions.views.wording import ROW_MARKS, found_words
from runbooks.affected_accounts.models import AccountFact, ContactAttempt, FactKind, State, StateChange
from runbooks.affected_accounts.operations.record_fact import NO_LONGER
from runbooks.affected_accounts.transitions import GROUPS
from runbooks.affected_accounts.views.table import CHANNEL_ICONS
from runbooks.presentation import clock
from runbooks.room.queries.account_story import Place, Story, Thing
from runbooks.timeline.lines import TAKEN_OUT
from runbooks.timeline.marks import mark_of
from runbooks.timeline.models import TimelineEvent

RowStatus, Verdict = ActionAccount.Status, ActionAccount.Verdict
READ_BACK = ", read back"
LATE_SECONDS = 600
VERDICTS = {
    Verdict.HOLDS: "as asked",
    Verdict.DIFFERS: "differs from what was asked",
    Verdict.UNREADABLE: "cannot be read",
}


@dataclass(frozen=True, slots=True)
class Told:
    """One thing in words. `action` and `sequence` are numbers to link to, None where there is none."""

    at: datetime
    when: str
    icon: str
    tone: str
    said: str
    lines: tuple[str, ...] = ()
    by: str = ""
    action: int | None = None
    sequence: int | None = None
    is_corrected: bool = False


def told(story: Story, zone: ZoneInfo, now: datetime) -> list[Told]:
    return [_told(place, thing, story.corrected, _Clock(zone, now)) for place, thing in story.things]


@dataclass(frozen=True, slots=True)
class _Clock:
    zone: ZoneInfo
    now: datetime

    def __call__(self, moment: datetime) -> str:
        return clock(moment, self.zone, self.now)


def _told(place: Place, thing: Thing, corrected: Mapping[int, int], said_at: _Clock) -> Told:
    when = said_at(place.at)
    if isinstance(thing, AccountFact):
        return _fact(thing, when, said_at)
    if isinstance(thing, StateChange):
        return _change(thing, when)
    if isinstance(thing, ContactAttempt):
        return _contact(thing, when)
    if isinstance(thing, ActionExclusion):
        return _left_alone(thing, when, said_at)
    if isinstance(thing, ActionAccount):
        return _ledger_row(thing, place.at, when, said_at)
    return _entry(thing, when, corrected)


def _fact(fact: AccountFact, when: str, said_at: _Clock) -> Told:
    no_longer = NO_LONGER[FactKind(fact.kind)]
    said = fact.get_kind_display() if fact.holds else no_longer[0].upper() + no_longer[1:]
    if fact.source.endswith(READ_BACK):
        how = f"checked {said_at(fact.recorded_at)} by {fact.source.removesuffix(READ_BACK)}"
    else:
        late = (fact.recorded_at - fact.at).total_seconds() >= LATE_SECONDS
        how = fact.source + (f", recorded {said_at(fact.recorded_at)}" if late else "")
    lines = (how, fact.note) if fact.note else (how,)
    mark = ("check", "good") if fact.holds else ("warn", "wait")
    return Told(fact.at, when, *mark, said, lines, fact.recorded_by)


def _change(change: StateChange, when: str) -> Told:
    before = f"was {State(change.before).label.lower()}" if change.before else "added"
    said = f"{State(change.after).label}, {before}" + (f": {change.reason}" if change.reason else "")
    return Told(change.at, when, f"st-{GROUPS[State(change.after)]}", "", said, (), change.changed_by)


def _contact(attempt: ContactAttempt, when: str) -> Told:
    source = f" from {attempt.address_source}" if attempt.address_source else ""
    said = f"{attempt.get_outcome_display()}, {attempt.get_channel_display().lower()}"
    lines = (
        f"{attempt.address}{source}".strip(),
        f"Recognised: {attempt.identity_check}" if attempt.identity_check else "",
        attempt.note,
    )
    icon = CHANNEL_ICONS[ContactAttempt.Channel(attempt.channel)]
    return Told(attempt.at, when, icon, "", said, tuple(line for line in lines if line), attempt.made_by)


def _left_alone(left: ActionExclusion, when: str, said_at: _Clock) -> Told:
    said = f"Left alone: {left.action.get_kind_display().lower()}. {left.reason}"
    lines: tuple[str, ...] = ()
    if left.taken_in_at is not None:
        lines = (f"Taken in {said_at(left.taken_in_at)} by {left.taken_in_by}: {left.taken_in_reason}",)
    return Told(left.added_at, when, "shield", "held", said, lines, left.added_by, action=left.action.number)


def _ledger_row(row: ActionAccount, at: datetime, when: str, said_at: _Clock) -> Told:
    action = row.action
    said = action.get_kind_display()
    if action.undoes is not None:
        said += f", to undo action {action.undoes.number}"
    icon, tone = ROW_MARKS[row.status]
    result = words(action) if row.status == RowStatus.DONE else row.get_status_display().lower()
    lines = (
        f"Why: {action.reason}",
        _asked(row, said_at),
        _sent(row, said_at),
        f"Before: {found_words(action, row.before_facts, said_at.zone, said_at.now)}" if row.before_facts else "",
        _read_back(row, said_at),
        f"Undone {said_at(row.undone_at)} by action {row.undone_by and row.undone_by.number}" if row.undone_at else "",
    )
    told_lines = tuple(line for line in lines if line)
    return Told(at, when, icon, tone, f"{said}: {result}", told_lines, action=action.number)


def _asked(row: ActionAccount, said_at: _Clock) -> str:
    action = row.action
    if action.requested_at is None:
        return f"Drafted {said_at(action.drafted_at)} by {action.drafted_by}, not asked for yet"
    said = f"Asked for {said_at(action.requested_at)} by {action.requested_by or action.drafted_by}"
    if action.approved_at is not None:
        said += f", approved {said_at(action.approved_at)} by {action.approved_by}"
    return said + (", begun without a second person" if action.is_break_glass else "")


def _sent(row: ActionAccount, said_at: _Clock) -> str:
    if row.sent_at is None and row.answered_at is None:
        return row.message
    said = [f"Sent {said_at(row.sent_at)}"] if row.sent_at else []
    if row.answered_at is not None:
        said.append(f"answered {said_at(row.answered_at)} by {row.answered_by}")
    return ", ".join(said) + (f". {row.message}" if row.message else "")


def _read_back(row: ActionAccount, said_at: _Clock) -> str:
    if row.read_back_at is None:
        return ""
    found = found_words(row.action, row.read_back, said_at.zone, said_at.now)
    return f"Checked {said_at(row.read_back_at)} by {row.action.connection}: {found}, {VERDICTS[Verdict(row.verdict)]}"


def _entry(entry: TimelineEvent, when: str, corrected: Mapping[int, int]) -> Told:
    icon, tone = mark_of(entry.kind, entry.lane)
    later = corrected.get(entry.sequence)
    lines = (f"Corrected by entry {later}",) if later is not None else ()
    return Told(
        entry.occurred_at,
        when,
        icon,
        tone,
        entry.summary or TAKEN_OUT,
        lines,
        entry.actor,
        sequence=entry.sequence,
        is_corrected=later is not None,
    )
