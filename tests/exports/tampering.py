"""Somebody who holds the database: past the triggers, row by row."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from runbooks.exports import signing
from runbooks.exports.chain import checkpoint_statement
from runbooks.exports.models import Checkpoint
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.seal import GENESIS, commitment, digest, make_record


@contextmanager
def owning(table: str) -> Iterator[None]:
    """The database's owner switches the triggers of a table off."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE runbooks_{table} DISABLE TRIGGER USER")
        yield
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for name in _triggers(table):
            cursor.execute(f"ALTER TABLE runbooks_{table} ENABLE ALWAYS TRIGGER {name}")


def _triggers(table: str) -> list[str]:
    """Those that refuse changes to rows; tests do without the ones against TRUNCATE."""
    find = "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal AND tgname !~ 'truncate'"
    with connection.cursor() as cursor:
        cursor.execute(find, [f"runbooks_{table}"])
        return [name for (name,) in cursor.fetchall()]


def change(incident: Incident, sequence: int, **fields: Any) -> None:
    with owning("timelineevent"):
        TimelineEvent.objects.filter(incident=incident, sequence=sequence).update(**fields)


def remove(incident: Incident, sequence: int) -> None:
    with owning("timelineevent"), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM runbooks_timelineevent WHERE incident_id = %s AND sequence = %s", [incident.pk, sequence]
        )


def rewrite(incident: Incident, sequence: int, summary: str) -> None:
    """Change an old entry and make every hash after it follow, so that the chain agrees with itself."""
    previous = GENESIS
    for event in TimelineEvent.objects.filter(incident=incident).order_by("sequence"):
        said = summary if event.sequence == sequence else event.summary
        made = make_record(
            incident_id=incident.pk,
            sequence=event.sequence,
            previous=previous,
            kind=event.kind,
            actor=event.actor,
            occurred_at=event.occurred_at,
            occurred_precision=event.occurred_precision,
            recorded_at=event.recorded_at,
            corrects=event.corrects,
            commitment=commitment(bytes(event.salt or b""), said, event.details),
        )
        change(
            incident, event.sequence, summary=said, previous=previous, commitment=made["commitment"], hash=digest(made)
        )
        previous = digest(made)
    Incident.objects.filter(pk=incident.pk).update(head_hash=previous)


def sign_again(incident: Incident, private: str) -> None:
    """Make every checkpoint say what the chain now says, with the portal's own key."""
    hashes = dict(TimelineEvent.objects.filter(incident=incident).values_list("sequence", "hash"))
    with owning("checkpoint"):
        for one in Checkpoint.objects.filter(incident=incident):
            one.hash = hashes[one.sequence]
            one.signature = signing.sign(
                private, checkpoint_statement(incident.pk, one.sequence, one.hash, one.signed_at)
            )
            one.save(update_fields=["hash", "signature"])
