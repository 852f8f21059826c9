"""Locking an incident, and the statements behind which everybody of it waits."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from runbooks.access.permissions import COMMAND_LINE
from runbooks.errors import NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.operations import Entry, record, record_many
from runbooks.timeline.verify import verify_chain

AT = datetime(2026, 6, 23, 9, 7, 0, 1500, tzinfo=UTC)


def planned(words: str) -> list[int]:
    """How often each statement that begins with these words was executed as it was planned on this connection."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE ltrim(statement, E'\\n') LIKE %s",
            [f"{words}%"],
        )
        return [count for (count,) in cursor.fetchall()]


@pytest.mark.django_db
def test_a_locked_incident_is_whole_and_can_be_saved(incident: Incident) -> None:
    with transaction.atomic():
        locked = lock(incident.pk)
        for field in Incident._meta.concrete_fields:
            assert getattr(locked, field.attname) == getattr(incident, field.attname), field.name
        locked.title = "Another"
        locked.save(update_fields=["title"])
    incident.refresh_from_db()
    assert incident.title == "Another"


@pytest.mark.django_db
def test_what_does_not_exist_cannot_be_locked() -> None:
    with pytest.raises(NotFoundError):
        lock(uuid4())


@pytest.mark.django_db(transaction=True)
def test_locking_outside_a_transaction_is_a_mistake_of_ours() -> None:
    with transaction.atomic():
        pk = Incident.objects.values_list("pk", flat=True).first() or uuid4()
    with pytest.raises(TransactionManagementError):
        lock(pk)


@pytest.mark.django_db
def test_locking_and_recording_are_planned_once_and_counted_as_every_query(incident: Incident) -> None:
    with CaptureQueriesContext(connection) as captured:
        for number in range(3):
            record(lock(incident.pk), Entry("entry.added", f"Entry {number}"), actor=COMMAND_LINE, at=AT)
        record_many(lock(incident.pk), [Entry("entry.added", "Two")] * 2, actor=COMMAND_LINE, at=AT)
    assert [query["sql"].split()[0] for query in captured] == ["SELECT", "WITH"] * 4
    assert planned("SELECT id, reference") == [4]
    assert planned("WITH event AS") == [4]


@pytest.mark.django_db
def test_an_entry_comes_back_as_it_went_in(incident: Incident) -> None:
    awkward = "100 % of %s and {these} \"quoted\" 'words' \\x41 \\u0041 \t\x1f\x7f\u2028 é ﬁ 🔒"
    details = {awkward: [awkward, None, True, -(2**53) + 1, {"": {}}, []]}
    entries = [
        Entry("entry.added", awkward, details=details, account_ids=[3, 2**62]),
        Entry("entry.added", "{}", occurred_at=datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), corrects=1),
    ]
    record_many(lock(incident.pk), entries, actor=COMMAND_LINE, at=AT)
    first, second = TimelineEvent.objects.filter(incident=incident).order_by("sequence")
    assert (first.summary, first.details, first.account_ids) == (awkward, details, [3, 2**62])
    assert (first.occurred_at, first.recorded_at, len(bytes(first.salt or b""))) == (AT, AT, 16)
    assert (second.occurred_at, second.corrects, second.account_ids) == (entries[1].occurred_at, 1, [])
    assert verify_chain(incident.pk).broken_at is None
