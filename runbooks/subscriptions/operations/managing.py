"""Subscribing, pausing, resuming, exchanging the secret, ending: what people do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from runbooks.access.permissions import Actor
from runbooks.access.vault import shut
from runbooks.background import wake
from runbooks.errors import DomainError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.outbound.signing import new_secret
from runbooks.subscriptions.addresses import BadReceiverError, checked_url, host_of
from runbooks.subscriptions.kinds import in_words, unknown
from runbooks.subscriptions.models import Subscription, SubscriptionDelivery, SubscriptionPlace
from runbooks.subscriptions.queries import LIVE, require_manager
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record

NAME_MAX: Final = 80
AT_MOST: Final = 50
# How long the secret before goes on signing beside the new one.
OVERLAP: Final = timedelta(hours=24)
Status = SubscriptionDelivery.Status


class CannotSubscribeError(DomainError):
    """The subscription does not hold together. `field` names what is wrong."""

    status = 400

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class CannotChangeSubscriptionError(DomainError):
    """It is not in a state from which this is done."""


@dataclass(frozen=True, slots=True)
class Made:
    """A subscription and its secret in clear, which nobody can read later."""

    subscription: Subscription
    secret: str


@transaction.atomic
def subscribe(
    *, name: str, url: str, kinds: Sequence[str], incident_id: UUID | None, actor: Actor, at: datetime
) -> Made:
    """From now on each new entry of these kinds is sent there, of one incident or of all (`incident_id` None)."""
    require_manager(actor, incident_id)
    incident = None if incident_id is None else lock(incident_id)
    name, kinds = " ".join(name.split()), sorted(set(kinds))
    _check(name, kinds, incident_id)
    try:
        url = checked_url(url)
    except BadReceiverError as error:
        raise CannotSubscribeError("url", str(error)) from None
    secret = new_secret()
    subscription = Subscription.objects.create(
        name=name, url=url, secret=shut(secret), kinds=kinds, incident=incident, made_by=actor.name, made_at=at
    )
    said = f"{actor} subscribed {name} ({host_of(url)}) to the entries of this incident: {in_words(kinds)}"
    _record(incident, "subscription.made", said, subscription, actor, at)
    _begin_at_heads(subscription)
    return Made(subscription, secret)


def _check(name: str, kinds: Sequence[str], incident_id: UUID | None) -> None:
    if not name or not name.isprintable():
        raise CannotSubscribeError("name", "Say who is called, such as Security operations.")
    if len(name) > NAME_MAX:
        raise CannotSubscribeError("name", f"The name has {len(name)} characters. At most {NAME_MAX} are kept.")
    if strange := unknown(kinds):
        raise CannotSubscribeError("kinds", f"There is no kind of entry {', '.join(strange)[:200]}.")
    scope = Q(incident__isnull=True) if incident_id is None else Q(incident_id=incident_id)
    others = Subscription.objects.filter(LIVE, scope)
    if others.filter(name__iexact=name).exists():
        raise CannotSubscribeError("name", f"There is a subscription {name} already. Choose another name.")
    if others.count() >= AT_MOST:
        raise CannotSubscribeError("name", f"There are {AT_MOST} subscriptions already. End one first.")


def _begin_at_heads(subscription: Subscription) -> None:
    """What was recorded up to now is not sent. An incident that is declared later begins at its first entry."""
    incidents = Incident.objects.all()
    if subscription.incident_id is not None:
        incidents = incidents.filter(pk=subscription.incident_id)
    heads = incidents.order_by("pk").values_list("pk", "head_sequence")
    places = [SubscriptionPlace(subscription=subscription, incident_id=pk, sequence=head) for pk, head in heads]
    SubscriptionPlace.objects.bulk_create(
        places, update_conflicts=True, unique_fields=["subscription", "incident"], update_fields=["sequence"]
    )


@transaction.atomic
def pause(*, subscription_id: UUID, actor: Actor, at: datetime) -> Subscription:
    """Call nobody until it is resumed. What happens meanwhile is kept."""
    subscription = held(subscription_id, actor)
    if subscription.paused_at or subscription.disabled_at:
        raise CannotChangeSubscriptionError(f"{subscription.name} is not called as it is. Resume it when it should be.")
    subscription.paused_at, subscription.paused_by = at, actor.name
    subscription.save(update_fields=["paused_at", "paused_by"])
    said = f"{actor} paused the subscription {subscription.name}"
    _record(subscription.incident, "subscription.paused", said, subscription, actor, at)
    return subscription


@transaction.atomic
def resume(*, subscription_id: UUID, skip: bool, actor: Actor, at: datetime) -> Subscription:
    """Call again, after a pause or after the portal disabled it: with what happened meanwhile, unless `skip`.

    What waits gets all its attempts anew. What is skipped counts as given up, so that it can be sent again.
    """
    subscription = held(subscription_id, actor)
    if not (subscription.paused_at or subscription.disabled_at):
        raise CannotChangeSubscriptionError(f"{subscription.name} is neither paused nor disabled.")
    subscription.paused_at, subscription.paused_by = None, ""
    subscription.disabled_at, subscription.disabled_because = None, ""
    subscription.failures, subscription.failing_since = 0, None
    subscription.save(
        update_fields=["paused_at", "paused_by", "disabled_at", "disabled_because", "failures", "failing_since"]
    )
    said = f"{actor} resumed the subscription {subscription.name}"
    said += ", without what happened meanwhile" if skip else ""
    _record(subscription.incident, "subscription.resumed", said, subscription, actor, at)
    waiting = subscription.deliveries.filter(status=Status.WAITING)
    if skip:
        _begin_at_heads(subscription)
        waiting.update(status=Status.FAILED, leased_until=None)
    else:
        waiting.update(attempts_made=0, next_attempt_at=at, leased_until=None)
        wake("subscriptions.sweep")
    return subscription


@transaction.atomic
def exchange_secret(*, subscription_id: UUID, actor: Actor, at: datetime) -> Made:
    """A new secret. For a day calls are signed with the one before as well, so that the receiver misses none.

    Exchanged again within that day, as by somebody who lost the new one, it is the first that goes on signing.
    """
    subscription = held(subscription_id, actor)
    secret, until = new_secret(), subscription.previous_secret_until
    if until is None or until <= at:
        subscription.previous_secret = subscription.secret
    subscription.previous_secret_until = at + OVERLAP
    subscription.secret = shut(secret)
    subscription.save(update_fields=["secret", "previous_secret", "previous_secret_until"])
    said = f"{actor} exchanged the secret of the subscription {subscription.name}"
    _record(subscription.incident, "subscription.secret_exchanged", said, subscription, actor, at)
    return Made(subscription, secret)


@transaction.atomic
def end(*, subscription_id: UUID, actor: Actor, at: datetime) -> Subscription:
    """Call never again. Its log stays, its secrets go."""
    subscription = held(subscription_id, actor)
    subscription.ended_at, subscription.ended_by = at, actor.name
    subscription.secret = subscription.previous_secret = ""
    subscription.previous_secret_until = None
    subscription.save(update_fields=["ended_at", "ended_by", "secret", "previous_secret", "previous_secret_until"])
    subscription.deliveries.filter(status=Status.WAITING).update(status=Status.FAILED, leased_until=None)
    said = f"{actor} ended the subscription {subscription.name}"
    _record(subscription.incident, "subscription.ended", said, subscription, actor, at)
    return subscription


def held(subscription_id: UUID, actor: Actor) -> Subscription:
    """One that was not ended, locked after its incident. Raises NotFoundError, NotAllowedError."""
    found = Subscription.objects.filter(LIVE, pk=subscription_id).first()
    if found is None:
        raise NotFoundError("There is no such subscription, or it was ended.")
    require_manager(actor, found.incident_id)
    incident = None if found.incident_id is None else lock(found.incident_id)
    subscription = locked(subscription_id)
    if subscription is None:
        raise NotFoundError("The subscription was ended meanwhile.")
    subscription.incident = incident
    return subscription


def locked(subscription_id: UUID) -> Subscription | None:
    """No key of it changes: rows that name it can be written meanwhile."""
    return Subscription.objects.select_for_update(no_key=True).filter(LIVE, pk=subscription_id).first()


def _record(
    incident: Incident | None, kind: str, said: str, subscription: Subscription, actor: Actor, at: datetime
) -> None:
    """In the one incident it is about. Of the address only the host: the rest may be a secret."""
    if incident is not None:
        details = details_of(subscription)
        record(incident, Entry(kind, said, Lane.DECISION, details), actor=actor, at=at)


def details_of(subscription: Subscription) -> dict[str, object]:
    return {
        "subscription": str(subscription.pk),
        "name": subscription.name,
        "host": host_of(subscription.url),
        "kinds": list(subscription.kinds),
    }
