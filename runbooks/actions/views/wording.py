"""What pages say of an action and its ledger: marks, counts, facts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.safestring import SafeString

from runbooks.actions.drawing import job_bar
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.queries.progress import Progress
from runbooks.actions.verbs import MEANINGS
from runbooks.connectors.base import Fact
from runbooks.presentation import clock, number, plural, span

Status, RowStatus, Verdict = Action.Status, ActionAccount.Status, ActionAccount.Verdict
# Status of an action: the mark and the tone of its chip.
STATUS_MARKS: Final[Mapping[str, tuple[str, str]]] = {
    Status.DRAFT: ("file", ""),
    Status.AWAITING_APPROVAL: ("two", "wait"),
    Status.APPROVED: ("clock", ""),
    Status.RUNNING: ("doing", "held"),
    Status.PAUSED: ("pause", "wait"),
    Status.DONE: ("done", "good"),
    Status.DONE_WITH_FAILURES: ("fail", "bad"),
    Status.CANCELLED: ("ban", ""),
    Status.ROLLED_BACK: ("undo", ""),
}
ROW_MARKS: Final[Mapping[str, tuple[str, str]]] = {
    RowStatus.WAITING: ("dot", "muted"),
    RowStatus.SENDING: ("doing", ""),
    RowStatus.DONE: ("check", "good"),
    RowStatus.ALREADY: ("check", "muted"),
    RowStatus.PENDING: ("user", "wait"),
    RowStatus.FAILED: ("fail", "bad"),
    RowStatus.UNKNOWN: ("warn", "wait"),
    RowStatus.SKIPPED: ("ban", "muted"),
}
VERDICT_MARKS: Final[Mapping[str, tuple[str, str]]] = {
    Verdict.HOLDS: ("eye", "good"),
    Verdict.DIFFERS: ("warn", "bad"),
    Verdict.UNREADABLE: ("eye", "muted"),
}
# A fact that holds, and one that does not.
FACT_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    Fact.LOCKED: ("disabled", "enabled"),
    Fact.LOCKED_BY_FAILURES: ("locked by failures", "not locked by failures"),
    Fact.MUST_CHANGE_PASSWORD: ("must change", "need not change"),
    Fact.REMOTE_ACCESS: ("remote access", "no remote access"),
}
MOMENT_WORDS: Final[Mapping[str, str]] = {
    Fact.PASSWORD_CHANGED_AT: "password changed",
    Fact.SESSIONS_ENDED_AT: "sessions ended",
}
UNREAD, NEVER = "not read", "never"


def fact_words(fact: str, value: object, zone: ZoneInfo, now: datetime) -> str:
    """“disabled”, “sessions ended 10:33”; `value` is true, false, an instant as ISO 8601, or None."""
    if fact in FACT_WORDS:
        return UNREAD if value is None else FACT_WORDS[fact][not value]
    said = MOMENT_WORDS.get(fact, fact)
    if not isinstance(value, str):
        return f"{said} {NEVER}"
    return f"{said} {clock(datetime.fromisoformat(value), zone, now)}"


def found_words(action: Action, facts: Mapping[str, Any] | None, zone: ZoneInfo, now: datetime) -> str:
    """What a reading says of the fact that the action changes; of all facts where it changes none."""
    if facts is None:
        return UNREAD
    fact = MEANINGS[action.kind].fact
    if fact is None:
        return ", ".join(fact_words(name, value, zone, now) for name, value in sorted(facts.items())) or UNREAD
    return fact_words(fact, facts[fact], zone, now) if fact in facts else UNREAD


def asked_words(action: Action, before_of_first: Mapping[str, Any] | None, zone: ZoneInfo, now: datetime) -> str:
    """What was asked for; of an undoing, what the first action had found."""
    said = MEANINGS[action.kind]
    if action.undoes_id is not None:
        return found_words(action, before_of_first, zone, now) if before_of_first else "as it was"
    if said.fact is None:
        return "read"
    return FACT_WORDS[said.fact][not said.wanted] if said.wanted is not None else said.done


def counts_in_words(counted: Progress) -> str:
    """57 of 90 done, 2 failed, 31 waiting"""
    parts = [f"{number(counted.good)} of {number(counted.total)} done"]
    for count, word in (
        (counted.failed, "failed"),
        (counted.unknown, "not known"),
        (counted.pending, "with people"),
        (counted.to_send, "waiting"),
        (counted.skipped, "left alone"),
    ):
        if count:
            parts.append(f"{number(count)} {word}")
    return ", ".join(parts)


def pace(action: Action, counted: Progress, now: datetime) -> str:
    """“12 a second, about 6 min left”; empty where nothing is being sent."""
    left = counted.time_left(action, now)
    if left is None:
        return ""
    rate = counted.rate(action, now)
    said = f"{rate:.0f} a second" if rate >= 1 else f"{max(rate * 60, 1):.0f} a minute"
    return f"{said}, {'about ' if left.total_seconds() >= 60 else ''}{span(left)} left"


def bar_of(action: Action, counted: Progress, label: str, *, slim: bool = False) -> SafeString:
    return job_bar(
        key=f"bar-{'s' if slim else 'w'}{action.number}",
        label=label,
        said=counts_in_words(counted),
        good=counted.good,
        bad=counted.bad,
        pending=counted.pending,
        total=counted.total,
        slim=slim,
    )


def read_back_words(action: Action, counted: Progress, zone: ZoneInfo, now: datetime) -> str:
    """“Read back 10:35: 8,989 of 8,989 as asked; next 10:50.”"""
    following = f"next {clock(action.verify_at, zone, now)}" if action.verify_at else ""
    if action.verified_at is None:
        if following:
            return f"Not read back yet; {following}."
        is_over = action.finished_at is not None
        return (
            "Nothing is read back here: what people brought stands." if is_over else "It is read back when it is done."
        )
    said = f"Read back {clock(action.verified_at, zone, now)}: "
    said += f"{number(counted.holds)} of {plural(counted.read, 'account')} as asked"
    said += f", {number(counted.differs)} differ" if counted.differs else ""
    said += f", {number(counted.unreadable)} cannot be read" if counted.unreadable else ""
    return f"{said}; {following}." if following else f"{said}. It is not read again."
