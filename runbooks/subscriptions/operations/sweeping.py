"""From entries to deliveries: each subscription has a place in each incident, and what lies beyond it is written down.

An incident's sequences have no gap and are committed in order, so that reading on from a place misses nothing. Place
and deliveries move in one transaction, so that nothing is written twice.
"""

import json
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from runbooks.background import wake
from runbooks.subscriptions import queries
from runbooks.subscriptions.kinds import matches
from runbooks.subscriptions.models import Subscription, SubscriptionDelivery, SubscriptionPlace
from runbooks.subscriptions.operations.disabling import disable_failing
from runbooks.subscriptions.payload import allowed_now, body_of_entry
from runbooks.timeline.models import TimelineEvent

SHARE: Final = "SELECT 1 FROM runbooks_incident WHERE id = %s FOR KEY SHARE"
BATCH: Final = 200
LONGEST: Final = timedelta(minutes=3)
COLUMNS: Final = ("incident", "sequence", "kind", "actor", "summary", "salt", "recorded_at", "occurred_at", "hash")
REDACTED = "entry.redacted"


def sweep(*, clock: Callable[[], datetime]) -> int:
    """Write down what is to be delivered, then wake a worker a subscription with something due; how many were written.

    Bounded by time, since the next run comes anyway.
    """
    began, written = clock(), 0
    disable_failing(at=began)
    for subscription in Subscription.objects.filter(queries.ACTIVE).order_by("pk"):
        for incident_id in queries.behind(subscription):
            while (count := write_deliveries(subscription.pk, incident_id, at=clock())) is not None:
                written += count
                if clock() - began > LONGEST:
                    return written
    for subscription_id in queries.due_subscriptions(clock()):
        wake("subscriptions.deliver", subscription_id=str(subscription_id))
    return written


@transaction.atomic
def write_deliveries(subscription_id: UUID, incident_id: UUID, *, at: datetime) -> int | None:
    """The deliveries of the next entries beyond the place; how many, or None where no entry lies beyond it."""
    # The rows to come refer to the incident; asked for here, so that it is locked before the place, as everywhere.
    with connection.cursor() as cursor:
        cursor.execute(SHARE, [incident_id])
    SubscriptionPlace.objects.get_or_create(subscription_id=subscription_id, incident_id=incident_id)
    places = SubscriptionPlace.objects.select_for_update(no_key=True, of=("self",)).select_related(
        "subscription", "incident"
    )
    place = places.get(subscription_id=subscription_id, incident_id=incident_id)
    beyond = TimelineEvent.objects.filter(incident_id=incident_id, sequence__gt=place.sequence)
    entries = list(beyond.order_by("sequence").only(*COLUMNS)[:BATCH])
    if not entries or not Subscription.objects.filter(queries.ACTIVE, pk=subscription_id).exists():
        return None
    asked = [entry for entry in entries if matches(place.subscription.kinds, entry.kind)]
    rows = [_delivery(place, entry, at=at, number=number) for number, entry in enumerate(asked)]
    SubscriptionDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    place.sequence = entries[-1].sequence
    place.save(update_fields=["sequence"])
    return len(asked)


def _delivery(place: SubscriptionPlace, entry: TimelineEvent, *, at: datetime, number: int) -> SubscriptionDelivery:
    """Those of one run are a microsecond apart, so that the log, which goes by time, has them in their order."""
    delivery_id = uuid.uuid4()
    return SubscriptionDelivery(
        id=delivery_id,
        subscription=place.subscription,
        incident=place.incident,
        sequence=entry.sequence,
        kind=entry.kind,
        body=body_of_entry(delivery_id, place.incident, entry),
        next_attempt_at=at,
        created_at=at + timedelta(microseconds=number),
    )


@transaction.atomic
def forget_redacted() -> int:
    """Take out of kept calls what a redaction took out of the timeline meanwhile; of how many."""
    redactions = TimelineEvent.objects.filter(corrects__isnull=False, kind=REDACTED)
    forgotten = 0
    for incident_id, sequence in redactions.values_list("incident_id", "corrects").distinct():
        kept = SubscriptionDelivery.objects.select_for_update().filter(incident_id=incident_id, sequence=sequence)
        for delivery in kept.filter(body__contains='"summary"'):
            tlp = json.loads(delivery.body)["incident"]["tlp"]
            delivery.body = allowed_now(delivery.body, tlp=tlp, is_redacted=True)
            delivery.save(update_fields=["body"])
            forgotten += 1
    return forgotten
