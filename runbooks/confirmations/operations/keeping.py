"""Keeping the answers of many holders at once: everybody of an incident waits for its lock, one after the other.

Written through the models, each answer held the lock for twelve statements and the wait for the disk, and nine thousand
holders stood in line. So the threads of a process share it: whoever comes first takes the lock, and when it is theirs
keeps in the same transaction the answers of all who have come meanwhile. Each still waits until its answer is on the
disk, and is told whether it was kept.
"""

import json
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db import DatabaseError, transaction

from runbooks.access.permissions import PORTAL
from runbooks.affected_accounts.models import FactKind
from runbooks.confirmations.models import Confirmation
from runbooks.errors import NotFoundError
from runbooks.incidents.models import Incident
from runbooks.prepared import prepared
from runbooks.timeline.operations import Entry, record_many

PLACE: Final = """
SELECT code.incident_id, code.affected_account_id, row.login, code.channel
FROM runbooks_code AS code JOIN runbooks_affectedaccount AS row ON row.id = code.affected_account_id WHERE code.id = %s
"""
HOLD: Final = "SELECT status, head_sequence, head_hash FROM runbooks_incident WHERE id = %s FOR UPDATE"
# A code is used up if it is still open, and only then is anything kept. The fact that the holder was reached is added
# once, as record_fact.add_findings does it.
KEEP: Final = """
WITH given AS (
    SELECT DISTINCT ON (code) * FROM jsonb_to_recordset(%(answers)s::jsonb) AS one(code bigint, receipt text,
        answer text, questions jsonb, language text, at timestamptz, truth text, check_at timestamptz, source text)
    ORDER BY code, at, receipt
), used AS (
    UPDATE runbooks_code AS code SET used_at = given.at FROM given
    WHERE code.id = given.code AND used_at IS NULL AND superseded_at IS NULL AND expires_at > given.at
    RETURNING code.id, code.affected_account_id
), kept AS (
    INSERT INTO runbooks_confirmation (incident_id, affected_account_id, code_id, receipt, answer, questions, language,
        answered_at, truth, check_at, checks)
    SELECT %(incident)s::uuid, affected_account_id, code, receipt, answer, questions, language, at, truth, check_at, 0
    FROM given JOIN used ON used.id = given.code RETURNING id, receipt
), reached AS (
    UPDATE runbooks_affectedaccount AS row
    SET holder_reached_at = given.at, changed_at = given.at, version = version + 1
    FROM given JOIN used ON used.id = given.code
    WHERE row.id = used.affected_account_id AND row.holder_reached_at IS NULL RETURNING row.id, given.at, given.source
), fact AS (
    INSERT INTO runbooks_accountfact (affected_account_id, kind, holds, at, source, note, recorded_by, recorded_at)
    SELECT id, %(kind)s, true, at, source, '', %(actor)s, at FROM reached
)
SELECT receipt, id FROM kept
"""
LONGEST_SECONDS: Final = 30.0


@dataclass(slots=True)
class Held:
    """A locked incident, as far as an entry needs it."""

    id: UUID
    status: str
    head_sequence: int
    head_hash: str

    @property
    def is_over(self) -> bool:
        return self.status in Incident.OVER


class NotKeptError(Exception):
    """The answer was not kept in time. Whoever sends it again is told where it was kept after all."""


@dataclass(slots=True, eq=False)
class Waiting:
    """An answer on its way, with the entry that tells of it and the source of the fact that its holder was reached."""

    answer: Confirmation
    entry: Entry
    source: str
    # Set once it is settled, or when it is this thread's turn to lead.
    is_called: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    is_kept: bool = False
    # Whoever led failed, perhaps by somebody else's answer: this one is then tried by itself.
    has_failed: bool = False


_door = threading.Lock()
_waiting: dict[UUID, list[Waiting]] = defaultdict(list)
_led: set[UUID] = set()


def keep_among_others(waiting: Waiting) -> bool:
    """Keep the answer, perhaps with those of other threads; whether its code was still open. In no transaction."""
    incident_id = waiting.answer.incident_id
    with _door:
        _waiting[incident_id].append(waiting)
        waiting.leads = incident_id not in _led
        _led.add(incident_id)
    if not waiting.leads and not waiting.is_called.wait(LONGEST_SECONDS):
        _give_up(waiting)
    if waiting.leads:
        _lead(incident_id)
    if waiting.has_failed:
        with transaction.atomic():
            _keep_all(hold(incident_id), [waiting])
    return waiting.is_kept


def _give_up(waiting: Waiting) -> None:
    """Leave the line, unless it is just being kept or has come to the front: then go on."""
    with _door:
        line = _waiting[waiting.answer.incident_id]
        if waiting in line and not waiting.leads:
            line.remove(waiting)
            raise NotKeptError
    if not waiting.leads and not waiting.is_called.wait(LONGEST_SECONDS):
        raise NotKeptError


def _lead(incident_id: UUID) -> None:
    """Keep what waits once the lock is ours. Who comes too late for that is led by the first of them."""
    taken: list[Waiting] = []
    is_done = False
    try:
        with transaction.atomic():
            incident = hold(incident_id)
            taken = _take(incident_id)
            _keep_all(incident, taken)
        is_done = True
    except DatabaseError:
        # Somebody else's answer may be the one that cannot be kept: each is then tried by itself, the leader's too.
        if len(taken) < 2:
            raise
    finally:
        if not is_done:
            taken = taken or _take(incident_id)
        for one in taken:
            one.has_failed = not is_done
            one.is_kept = one.is_kept and is_done
        _hand_over(incident_id)
        for one in taken:
            one.is_called.set()


def _take(incident_id: UUID) -> list[Waiting]:
    with _door:
        return _waiting.pop(incident_id, [])


def _hand_over(incident_id: UUID) -> None:
    with _door:
        if following := _waiting.get(incident_id):
            following[0].leads = True
            following[0].is_called.set()
        else:
            _waiting.pop(incident_id, None)
            _led.discard(incident_id)


def _keep_all(incident: Held, taken: Sequence[Waiting]) -> None:
    kept = {} if incident.is_over else keep(incident.id, [(one.answer, one.source) for one in taken])
    told = [one for one in taken if one.answer.receipt in kept]
    for one in told:
        one.answer.pk, one.is_kept = kept[one.answer.receipt], True
    at = max((one.answer.answered_at for one in told), default=taken[0].answer.answered_at)
    record_many(incident, [one.entry for one in told], actor=PORTAL, at=at)


def place_of(code_id: int) -> tuple[UUID, int, str, str] | None:
    """Incident, affected account, its login, and the channel of a code."""
    with prepared() as cursor:
        cursor.execute(PLACE, [code_id])
        found: tuple[UUID, int, str, str] | None = cursor.fetchone()
    return found


def hold(incident_id: UUID) -> Held:
    """The incident, locked as `lock` does, without all else that stands in its row."""
    with prepared() as cursor:
        cursor.execute(HOLD, [incident_id])
        row = cursor.fetchone()
    if row is None:
        raise NotFoundError("There is no such incident.")
    return Held(incident_id, *row)


def keep(incident_id: UUID, answers: Sequence[tuple[Confirmation, str]]) -> dict[str, int]:
    """Use up the codes and keep the answers of an incident that is locked: {receipt: id}, of those still open.

    Each answer comes with the source of the fact that its holder was reached.
    """
    rows = [
        {
            "code": one.code_id,
            "receipt": one.receipt,
            "answer": str(one.answer),
            "questions": one.questions,
            "language": one.language,
            "at": one.answered_at.isoformat(),
            "truth": str(one.truth),
            "check_at": one.check_at.isoformat() if one.check_at else None,
            "source": source,
        }
        for one, source in answers
    ]
    values: dict[str, Any] = {
        "answers": json.dumps(rows),
        "incident": incident_id,
        "kind": FactKind.HOLDER_REACHED.value,
        "actor": PORTAL.name,
    }
    with prepared() as cursor:
        cursor.execute(KEEP, values)
        return dict(cursor.fetchall())
