"""The seal: recomputed here with nothing of ours, refused changes, and what verification finds."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone as clock

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE, actor_for
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.timeline.models import Lane, Precision, TimelineBin, TimelineEvent
from runbooks.timeline.operations import BadEntryError, Entry, record, record_many
from runbooks.timeline.seal import commitment, digest, make_record
from runbooks.timeline.verify import fault_of, verify_chain
from tests.factories import make_entry, make_incident

AT = datetime(2026, 6, 23, 9, 7, 0, 1500, tzinfo=UTC)


def canonical(value: Any) -> bytes:
    """RFC 8785 for what stands in our entries: sorted keys, no spaces, UTF-8; all keys are ASCII, numbers whole."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def instant(moment: datetime) -> str:
    local = moment.astimezone(UTC)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond:06d}Z"


def settle(change: str) -> None:
    """Alter the table; what the transaction still has to check is checked first."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE runbooks_timelineevent {change}")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


# Every field


def test_a_record_made_by_hand_has_the_hash_that_is_known() -> None:
    """A vector that no later version may change: chains that were exported must go on verifying."""
    salt = bytes(range(16))
    sealed = commitment(salt, "Café “closed”", {"accounts": ["a@b.example"], "n": 3, "none": None})
    content = '{"details":{"accounts":["a@b.example"],"n":3,"none":null},"summary":"Café “closed”"}'
    assert sealed == hashlib.sha256(salt + content.encode()).hexdigest()
    record_ = make_record(
        incident_id="6f1c2a3e-0000-4000-8000-00000000002a",  # type: ignore[arg-type]  # only its text is sealed
        sequence=2,
        previous="ab" * 32,
        kind="entry.added",
        actor="Scribe",
        occurred_at=datetime(2017, 6, 23, 9, 47, tzinfo=timezone(timedelta(hours=1))),
        occurred_precision="minute",
        recorded_at=datetime(2017, 6, 23, 8, 48, 1, 250, tzinfo=UTC),
        corrects=1,
        commitment="cd" * 32,
    )
    text = (
        '{"actor":"Scribe","commitment":"' + "cd" * 32 + '","corrects":1,'
        '"incident":"6f1c2a3e-0000-4000-8000-00000000002a","kind":"entry.added",'
        '"occurred_at":"2017-06-23T08:47:00.000000Z","occurred_precision":"minute","previous":"' + "ab" * 32 + '",'
        '"recorded_at":"2017-06-23T08:48:01.000250Z","sequence":2,"v":1}'
    )
    assert digest(record_) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.django_db
def test_every_field_of_a_stored_entry_is_in_its_seal(incident: Incident, responder: User) -> None:
    entry = Entry(
        "step.completed",
        "Étape 3.2 “faite” 🔒",
        Lane.ACTION,
        {"step": {"number": "3.2"}, "count": 57, "holder": None, "accounts": ["ä@parliament.example"]},
        occurred_at=AT - timedelta(hours=3),
        precision=Precision.MINUTE,
    )
    with transaction.atomic():
        first = record(lock(incident.pk), Entry("incident.declared", "Declared"), actor=COMMAND_LINE, at=AT)
        event = record(lock(incident.pk), entry, actor=actor_for(responder), at=AT)
    event.refresh_from_db()
    content = {"summary": event.summary, "details": event.details}
    sealed = hashlib.sha256(bytes(event.salt or b"") + canonical(content)).hexdigest()
    assert (event.commitment, len(bytes(event.salt or b""))) == (sealed, 16)
    expected = {
        "v": 1,
        "incident": str(incident.pk),
        "sequence": 2,
        "previous": first.hash,
        "kind": "step.completed",
        "actor": responder.name,
        "occurred_at": instant(AT - timedelta(hours=3)),
        "occurred_precision": "minute",
        "recorded_at": instant(AT),
        "corrects": None,
        "commitment": sealed,
    }
    assert event.hash == hashlib.sha256(canonical(expected)).hexdigest()
    assert first.previous == "0" * 64
    incident.refresh_from_db()
    assert (incident.head_sequence, incident.head_hash) == (2, event.hash)


@pytest.mark.django_db
def test_two_entries_of_the_same_words_do_not_show_that_they_are_the_same(incident: Incident) -> None:
    first, second = (make_entry(incident, "The same") for _ in range(2))
    assert first.commitment != second.commitment


@pytest.mark.django_db
@pytest.mark.parametrize("summary", ["", "  \n", "x" * 4001, "a\0b"])
def test_what_the_database_would_not_give_back_is_refused(incident: Incident, summary: str) -> None:
    with pytest.raises(BadEntryError):
        make_entry(incident, summary)
    assert not TimelineEvent.objects.filter(incident=incident).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("details", [{"a": 0.5}, {"a": [{"b": (1, 2.0)}]}, {"a": "\0"}, {"\0": 1}])
def test_what_a_seal_could_not_give_back_as_it_was_is_refused(incident: Incident, details: dict[str, Any]) -> None:
    with pytest.raises(BadEntryError, match="The entry holds"):
        record(incident, Entry("entry.added", "Something", details=details), actor=COMMAND_LINE, at=AT)


@pytest.mark.django_db
def test_entries_are_counted_by_quarter_of_an_hour_and_lane(incident: Incident) -> None:
    for minute in (0, 14, 15):
        make_entry(incident, at=AT.replace(minute=minute), lane=Lane.NOTE)
    make_entry(incident, at=AT.replace(minute=3), lane=Lane.ACTION)
    counted = TimelineBin.objects.filter(incident=incident).order_by("starts_at", "lane")
    quarter = AT.replace(minute=0, second=0, microsecond=0)
    assert list(counted.values_list("starts_at", "lane", "entries")) == [
        (quarter, "action", 1),
        (quarter, "note", 2),
        (quarter + timedelta(minutes=15), "note", 1),
    ]


# Nobody changes it


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runbooks_timelineevent SET summary = 'rewritten'",
        "UPDATE runbooks_timelineevent SET hash = hash",
        "DELETE FROM runbooks_timelineevent",
    ],
)
def test_the_database_refuses_to_change_an_entry(incident: Incident, statement: str) -> None:
    make_entry(incident)
    with pytest.raises(IntegrityError, match="sealed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert TimelineEvent.objects.get(incident=incident).summary == "Something happened"


@pytest.mark.django_db
def test_the_database_refuses_to_empty_the_table(incident: Incident) -> None:
    make_entry(incident)
    # Off during tests, which empty their tables; switched on again for this transaction.
    settle("ENABLE ALWAYS TRIGGER timeline_refuses_truncate")
    with pytest.raises(IntegrityError, match="sealed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE runbooks_timelineevent CASCADE")
    assert TimelineEvent.objects.filter(incident=incident).exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"sequence": 1}, "event_sequence_once"),
        ({"sequence": 0}, "event_sequence_from_one"),
        ({"sequence": 2, "corrects": 2}, "event_corrects_earlier"),
        ({"sequence": 2, "lane": "other"}, "event_lane_known"),
    ],
)
def test_the_database_keeps_the_chain_in_shape(incident: Incident, changes: dict[str, Any], constraint: str) -> None:
    copy = TimelineEvent.objects.get(pk=make_entry(incident).pk)
    copy.pk = None
    for name, value in changes.items():
        setattr(copy, name, value)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        copy.save(force_insert=True)


# Many at once


@pytest.mark.django_db(transaction=True)
def test_entries_of_many_writers_leave_no_gap_and_no_double() -> None:
    with transaction.atomic():
        incident = make_incident()

    def write(writer: int) -> None:
        try:
            for number in range(12):
                with transaction.atomic():
                    entries = [Entry("entry.added", f"Writer {writer}, {number}") for _ in range(1 + number % 3)]
                    record_many(lock(incident.pk), entries, actor=COMMAND_LINE, at=clock.now())
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
    sequences = list(
        TimelineEvent.objects.filter(incident=incident).order_by("sequence").values_list("sequence", flat=True)
    )
    assert sequences == list(range(1, 8 * 24 + 1))
    verdict = verify_chain(incident.pk)
    incident.refresh_from_db()
    assert (verdict.broken_at, verdict.entries, verdict.head_hash) == (None, 192, incident.head_hash)
    # Each of the 96 writings is a line of the page, however many entries it holds.
    assert sum(TimelineBin.objects.filter(incident=incident).values_list("entries", flat=True)) == 96


@pytest.mark.django_db(transaction=True)
def test_an_entry_outside_a_transaction_is_a_mistake_of_ours() -> None:
    with transaction.atomic():
        incident = make_incident()
    with pytest.raises(RuntimeError, match="transaction"):
        record(incident, Entry("entry.added", "x"), actor=COMMAND_LINE, at=AT)


@pytest.mark.django_db
def test_an_entry_goes_with_the_change_that_was_undone(incident: Incident) -> None:
    with transaction.atomic():
        record(lock(incident.pk), Entry("entry.added", "x"), actor=COMMAND_LINE, at=AT)
        transaction.set_rollback(True)
    incident.refresh_from_db()
    assert (incident.head_sequence, TimelineEvent.objects.count(), TimelineBin.objects.count()) == (0, 0, 0)


# What verification finds


@pytest.fixture
def chain(incident: Incident) -> list[TimelineEvent]:
    return [make_entry(incident, f"Entry {number}", at=AT, details={"n": number}) for number in range(1, 6)]


@contextmanager
def unguarded() -> Iterator[None]:
    """What somebody with the database's own password can do."""
    settle("DISABLE TRIGGER timeline_refuses_change")
    yield
    settle("ENABLE ALWAYS TRIGGER timeline_refuses_change")


def tamper(event: TimelineEvent, **changes: Any) -> None:
    with unguarded():
        TimelineEvent.objects.filter(pk=event.pk).update(**changes)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes",
    [
        {"summary": "Entry 3!"},
        {"details": {"n": 4}},
        {"salt": b"\0" * 16},
        {"commitment": "0" * 64},
        {"kind": "entry.altered"},
        {"actor": "Somebody else"},
        {"occurred_at": AT + timedelta(microseconds=1)},
        {"occurred_precision": "hour"},
        {"recorded_at": AT - timedelta(microseconds=1)},
        {"corrects": 1},
        {"previous": "0" * 64},
        {"hash": "0" * 64},
    ],
)
def test_verification_finds_any_changed_field(
    incident: Incident, chain: list[TimelineEvent], changes: dict[str, Any]
) -> None:
    assert verify_chain(incident.pk).broken_at is None
    tamper(chain[2], **changes)
    verdict = verify_chain(incident.pk)
    assert (verdict.broken_at, verdict.entries) == (3, 2)
    chain[2].refresh_from_db()
    assert fault_of(chain[2])


@pytest.mark.django_db
def test_verification_finds_a_missing_entry(incident: Incident, chain: list[TimelineEvent]) -> None:
    with unguarded():
        TimelineEvent.objects.filter(pk=chain[1].pk).delete()
    verdict = verify_chain(incident.pk)
    assert (verdict.broken_at, verdict.reason) == (3, "entry 2 is missing")
    assert fault_of(chain[2]) == "the entry before it is missing"


@pytest.mark.django_db
def test_an_entry_whose_content_was_taken_out_still_verifies(incident: Incident, chain: list[TimelineEvent]) -> None:
    tamper(chain[2], salt=None, summary="", details={})
    assert verify_chain(incident.pk).broken_at is None
