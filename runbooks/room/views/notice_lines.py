"""How one notice to one person is said: what became of it, by which channel, when, and what comes next."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from runbooks.notifications.channels import CHANNELS, channel
from runbooks.notifications.channels.base import Reason
from runbooks.notifications.models import Notification
from runbooks.notifications.operations.outcomes import CAME_BACK
from runbooks.notifications.queries import Attempt, NoticeRow, attempts_at, companions
from runbooks.notifications.standing import Standing, standing_of
from runbooks.presentation import clock, full_clock, plural, time_left

Status = Notification.Status
MARKS: Final = {
    Standing.UNREACHED: ("fail", "bad"),
    Standing.WAITING: ("clock", "wait"),
    Standing.TOLD: ("check", "good"),
    Standing.ANSWERED: ("done", "good"),
    Standing.DROPPED: ("ban", ""),
}
WORST_FIRST: Final = (Standing.UNREACHED, Standing.WAITING, Standing.TOLD, Standing.ANSWERED, Standing.DROPPED)
# Names of makes keep their capital in the middle of a sentence; these words do not.
PLAIN_WORDS: Final = ("E-mail", "Text", "Telephone", "Webhook", "Another")
ENDED_ON_PURPOSE: Final = (Reason.ACKNOWLEDGED, Reason.WITHDRAWN, Reason.EXPIRED, Reason.NOT_IN_INCIDENT)
# Longer than anything is bundled for: then it is the quiet hours that a notice waits for.
BUNDLED_AT_MOST: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt, in words. `later` is what the provider told afterwards."""

    when: str
    by: str
    outcome: str
    tone: str
    later: str


@dataclass(frozen=True, slots=True)
class Line:
    """One person's notice, in words: “Told 04:10”, “E-mail to a@b”, and the sentences beside it."""

    id: UUID
    recipient: str
    recipient_id: int
    standing: Standing
    icon: str
    tone: str
    state: str
    by: str
    said: list[str]
    attempts: str
    tried: list[Tried]


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom the lines are said. `sees_all`: the addresses of colleagues too."""

    user_id: int | None
    sees_all: bool
    zone: ZoneInfo
    at: datetime


def lines(rows: Sequence[NoticeRow], reader: Reader) -> dict[UUID, Line]:
    """The line of each notice, in two queries for all of them."""
    if not rows:
        return {}
    tried = attempts_at({row.id for row in rows} | {row.carried_by_id for row in rows if row.carried_by_id})
    carried = companions(rows)
    return {row.id: _line(row, tried, carried, reader) for row in rows}


def _line(row: NoticeRow, tried: Mapping[UUID, list[Attempt]], carried: Mapping[UUID, int], reader: Reader) -> Line:
    attempts = tried.get(row.carried_by_id or row.id, [])
    knows = reader.sees_all or row.recipient_id == reader.user_id
    standing = standing_of(row)
    icon, tone = MARKS[standing]
    others = carried.get(row.carried_by_id or row.id, 0)
    return Line(
        id=row.id,
        recipient=row.recipient,
        recipient_id=row.recipient_id,
        standing=standing,
        icon=icon,
        tone=tone,
        state=_state(row, standing, reader),
        by=_by(row, standing, attempts, knows=knows),
        said=[one for one in (*_said(row, standing, attempts, reader), _together(others)) if one],
        attempts=plural(len(attempts), "attempt") if _is_worth_unfolding(attempts) else "",
        tried=[_tried(one, reader, knows=knows) for one in attempts],
    )


def _state(row: NoticeRow, standing: Standing, reader: Reader) -> str:
    if standing == Standing.ANSWERED and row.acknowledged_at:
        return f"Answered {clock(row.acknowledged_at, reader.zone, reader.at)}"
    if standing == Standing.TOLD and row.delivered_at:
        return f"Told {clock(row.delivered_at, reader.zone, reader.at)}"
    if standing == Standing.WAITING:
        return "Being sent" if row.sending_since else f"Leaves {_when(row, reader)}"
    return str(standing.value)


def _by(row: NoticeRow, standing: Standing, attempts: Sequence[Attempt], *, knows: bool) -> str:
    """The channel that told them, or the one that is tried; the address for those who may know it."""
    arrived = next((one for one in attempts if one.is_delivered and one.outcome not in CAME_BACK), None)
    last = arrived or (attempts[-1] if attempts else None)
    if standing == Standing.ANSWERED and arrived is None:
        return "Seen in the portal"
    if last is not None and (arrived or standing != Standing.WAITING):
        label = label_of(last.channel)
        return f"{label} to {last.address}" if knows and last.address else label
    return label_of(_place(row)) if _place(row) else "No channel"


def _said(row: NoticeRow, standing: Standing, attempts: Sequence[Attempt], reader: Reader) -> Iterable[str]:
    if standing == Standing.ANSWERED and row.delivered_at:
        yield f"Told {clock(row.delivered_at, reader.zone, reader.at)}"
    if standing == Standing.TOLD and row.status == Status.WAITING and _place(row):
        unless = " unless answered" if row.importance == Notification.Importance.IMPORTANT else ""
        yield f"Goes by {in_a_sentence(_place(row))} {_when(row, reader)}{unless}"
    if standing == Standing.TOLD and row.status == Status.DELIVERED and row.reason_code in ENDED_ON_PURPOSE:
        yield f"Nothing more is sent: {row.reason}"
    if standing in (Standing.UNREACHED, Standing.DROPPED) and row.reason:
        yield capitalised(row.reason)
    if standing == Standing.WAITING:
        if row.reason:
            yield f"Before: {row.reason}"
        elif row.next_attempt_at - reader.at > BUNDLED_AT_MOST and not row.attempts_made:
            yield f"Waits for the end of quiet hours, {clock(row.next_attempt_at, reader.zone, reader.at)}"
    told = next((one for one in reversed(attempts) if one.outcome), None)
    if told is not None:
        yield _outcome(told, reader)


def _is_worth_unfolding(attempts: Sequence[Attempt]) -> bool:
    """Of one that simply arrived the line says all there is."""
    return len(attempts) > 1 or any(not one.is_delivered or one.outcome for one in attempts)


def _when(row: NoticeRow, reader: Reader) -> str:
    return time_left(row.next_attempt_at, reader.at) if row.next_attempt_at > reader.at else "now"


def _together(others: int) -> str:
    return f"In one message with {plural(others, 'other')}" if others else ""


def _tried(one: Attempt, reader: Reader, *, knows: bool) -> Tried:
    label = label_of(one.channel)
    return Tried(
        when=full_clock(one.at, reader.zone),
        by=f"{label} to {one.address}" if knows and one.address else label,
        outcome="Taken" if one.is_delivered else one.reason,
        tone="good" if one.is_delivered and one.outcome not in CAME_BACK else "bad",
        later=_outcome(one, reader) if one.outcome else "",
    )


def _outcome(one: Attempt, reader: Reader) -> str:
    when = f" {clock(one.outcome_at, reader.zone, reader.at)}" if one.outcome_at else ""
    why = f". {one.reason}" if one.is_delivered and one.reason else ""
    return f"The provider said{when}: {one.outcome}{why}"


def _place(row: NoticeRow) -> str:
    """The name of the channel that is next; empty where there is none."""
    return str(row.route[row.position]["channel"]) if row.position < len(row.route) else ""


def label_of(name: str) -> str:
    """“Text message”; what is no channel of this release any more keeps its own name."""
    return channel(name).LABEL if name in CHANNELS else name or "No channel"


def in_a_sentence(name: str) -> str:
    """“text message”, and “Slack”."""
    label = label_of(name)
    return label[:1].lower() + label[1:] if label.startswith(PLAIN_WORDS) else label


def capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
