"""Where the story is played: its people, its clock and its accounts. A cue is something that happens at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from runbooks.access.models import User
from runbooks.access.permissions import Actor
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.containment.models import Step
from runbooks.demonstration.cast import Cast, Holder
from runbooks.demonstration.institution import Institution
from runbooks.demonstration.waves import clock
from runbooks.room.operations.entries import EntryText, add_entry, correct_entry, pin_entry
from runbooks.timeline.models import Precision, TimelineEvent


@dataclass(slots=True)
class Stage:
    """One playing of the story. `marked` holds the sequences of entries that later ones speak of."""

    incident_id: UUID
    start: datetime
    users: Mapping[str, User]
    actors: Mapping[str, Actor]
    institution: Institution
    cast: Cast
    marked: dict[str, int] = field(default_factory=dict)
    _ids: dict[str, int] = field(default_factory=dict)

    def ids(self, holders: Sequence[Holder]) -> list[int]:
        """Ids of their rows in the incident."""
        if any(holder.login not in self._ids for holder in holders):
            rows = AffectedAccount.objects.filter(incident_id=self.incident_id).values_list("login", "pk")
            self._ids = dict(rows)
        return [self._ids[holder.login] for holder in holders]

    def step_id(self, key: str) -> int:
        return Step.objects.values_list("pk", flat=True).get(incident_id=self.incident_id, key=key)

    def moment(self, offset: timedelta) -> datetime:
        return self.start + offset


Play = Callable[[Stage, datetime], object]


@dataclass(frozen=True, slots=True)
class Cue:
    """`play` is called with the stage and the moment, when the story has come to `offset` from the declaration."""

    offset: timedelta
    play: Play


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody writes down. `happened` is an offset where it is not the time of writing; `about` says which of
    the cast it speaks of, and `text` may name the first of them as {account}."""

    when: str
    who: str
    lane: str
    text: str
    happened: str = ""
    step: str = ""
    about: Callable[[Cast], Sequence[Holder]] | None = None
    pin: bool = False
    mark: str = ""


def note(written: Note) -> Cue:
    def play(stage: Stage, at: datetime) -> None:
        about = list(written.about(stage.cast)) if written.about else []
        named = {"account": about[0].login if about else "", **stage.institution.numbers}
        text = EntryText(
            summary=written.text.format_map(named),
            lane=written.lane,
            occurred_at=stage.moment(clock(written.happened)) if written.happened else None,
            precision=Precision.MINUTE if written.happened else Precision.SECOND,
            logins=[holder.login for holder in about],
            step_id=stage.step_id(written.step) if written.step else None,
            pin=written.pin,
        )
        event = add_entry(incident_id=stage.incident_id, text=text, actor=stage.actors[written.who], at=at)
        if written.mark:
            stage.marked[written.mark] = event.sequence

    return Cue(clock(written.when), play)


def correction(when: str, who: str, mark: str, *, reason: str, text: str = "", happened: str = "") -> Cue:
    """Correct the marked entry: its text, its time, or both."""

    def play(stage: Stage, at: datetime) -> None:
        wrong = TimelineEvent.objects.get(incident_id=stage.incident_id, sequence=stage.marked[mark])
        event = correct_entry(
            incident_id=stage.incident_id,
            sequence=wrong.sequence,
            summary=text or wrong.summary,
            occurred_at=stage.moment(clock(happened)) if happened else wrong.occurred_at,
            precision=wrong.occurred_precision,
            reason=reason,
            actor=stage.actors[who],
            at=at,
        )
        stage.marked[mark] = event.sequence

    return Cue(clock(when), play)


def pin(when: str, who: str, find: Callable[[Stage], int]) -> Cue:
    """Make an entry a key event; `find` gives its sequence."""

    def play(stage: Stage, at: datetime) -> None:
        pin_entry(incident_id=stage.incident_id, sequence=find(stage), actor=stage.actors[who], at=at)

    return Cue(clock(when), play)


def newest(kind: str, **details: str) -> Callable[[Stage], int]:
    """Finds the sequence of the newest entry of a kind, with these details."""

    def find(stage: Stage) -> int:
        wanted = {f"details__{name}": value for name, value in details.items()}
        events = TimelineEvent.objects.filter(incident_id=stage.incident_id, kind=kind, **wanted)
        return events.order_by("-sequence").values_list("sequence", flat=True)[:1].get()

    return find
