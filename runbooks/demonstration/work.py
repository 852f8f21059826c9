"""Work on a step, as cues: when somebody took it, began it, handed in what, and closed it."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.core.files.base import ContentFile

from runbooks.containment import operations
from runbooks.containment.models import Evidence
from runbooks.containment.operations import NewEvidence, NewStep
from runbooks.demonstration.stage import Cue, Play, Stage
from runbooks.demonstration.waves import clock

Kind = Evidence.Kind
Table = Callable[[Stage], list[list[str]]]


@dataclass(frozen=True, slots=True)
class Piece:
    """Evidence handed in at `when` for a rule of the step: a note, a link with its note, or a table as a CSV file.

    `dropped` withdraws it again, at an offset and for a reason.
    """

    when: str
    rule: str
    note: str = ""
    url: str = ""
    file: str = ""
    table: Table | None = None
    dropped: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """One step's story. Without `begun` it is only claimed, without `done` it goes on when the story ends."""

    key: str
    who: str
    claimed: str = ""
    begun: str = ""
    pieces: tuple[Piece, ...] = ()
    done: str = ""
    reason: str = ""


def work(told: Work) -> list[Cue]:
    found = []
    if told.claimed:
        found.append(Cue(clock(told.claimed), _on(told, operations.claim)))
    if told.begun:
        found.append(Cue(clock(told.begun), _on(told, operations.start)))
    found += [cue for piece in told.pieces for cue in evidence(told.key, told.who, piece)]
    if told.done:
        found.append(Cue(clock(told.done), _completed(told)))
    return found


def _on(told: Work, operation: Callable[..., object]) -> Play:
    def play(stage: Stage, at: datetime) -> None:
        operation(incident_id=stage.incident_id, key=told.key, actor=stage.actors[told.who], at=at)

    return play


def _completed(told: Work) -> Play:
    def play(stage: Stage, at: datetime) -> None:
        actor = stage.actors[told.who]
        operations.complete(incident_id=stage.incident_id, key=told.key, reason=told.reason, actor=actor, at=at)

    return play


def evidence(key: str, who: str, piece: Piece) -> Iterator[Cue]:
    added: list[Evidence] = []

    def add(stage: Stage, at: datetime) -> None:
        handed_in = NewEvidence(
            kind=Kind.FILE if piece.table else Kind.LINK if piece.url else Kind.NOTE,
            requirement=piece.rule,
            note=_filled(piece.note, stage),
            url=piece.url,
            upload=_file(piece, stage) if piece.table else None,
        )
        actor = stage.actors[who]
        added.append(
            operations.add_evidence(incident_id=stage.incident_id, key=key, evidence=handed_in, actor=actor, at=at)
        )

    def drop(stage: Stage, at: datetime) -> None:
        operations.withdraw_evidence(
            incident_id=stage.incident_id,
            key=key,
            evidence_id=added[-1].pk,
            reason=piece.dropped[1] if piece.dropped else "",
            actor=stage.actors[who],
            at=at,
        )

    yield Cue(clock(piece.when), add)
    if piece.dropped:
        yield Cue(clock(piece.dropped[0]), drop)


def _filled(text: str, stage: Stage) -> str:
    return text.format_map(stage.institution.numbers)


def _file(piece: Piece, stage: Stage) -> "ContentFile[bytes]":
    rows = piece.table(stage) if piece.table else []
    text = "\r\n".join(",".join(row) for row in rows) + "\r\n"
    return ContentFile(text.encode(), name=piece.file)


def fingerprint(*parts: object) -> str:
    """A SHA-256 for what lies outside the portal in the story."""
    return hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()


def waived(when: str, who: str, key: str, reason: str) -> Cue:
    def play(stage: Stage, at: datetime) -> None:
        operations.waive(incident_id=stage.incident_id, key=key, reason=reason, actor=stage.actors[who], at=at)

    return Cue(clock(when), play)


def reopened(when: str, who: str, key: str, reason: str) -> Cue:
    def play(stage: Stage, at: datetime) -> None:
        operations.reopen(incident_id=stage.incident_id, key=key, reason=reason, actor=stage.actors[who], at=at)

    return Cue(clock(when), play)


def given(when: str, who: str, key: str, owner: str) -> Cue:
    """Somebody gives the step to somebody, who is told."""

    def play(stage: Stage, at: datetime) -> None:
        operations.assign(
            incident_id=stage.incident_id,
            key=key,
            user_id=stage.users[owner].pk,
            actor=stage.actors[who],
            at=at,
        )

    return Cue(clock(when), play)


def added(when: str, who: str, step: NewStep, *, due: str = "") -> Cue:
    def play(stage: Stage, at: datetime) -> None:
        due_at: datetime | None = stage.moment(clock(due)) if due else None
        wanted = NewStep(
            title=step.title,
            after=step.after,
            role=step.role,
            instruction=step.instruction,
            due_at=due_at,
            depends_on=step.depends_on,
            evidence=step.evidence,
            two_person=step.two_person,
        )
        operations.add_step(incident_id=stage.incident_id, step=wanted, actor=stage.actors[who], at=at)

    return Cue(clock(when), play)
