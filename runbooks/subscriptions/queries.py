"""Reading subscriptions, always as somebody, and what is due of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet

from runbooks.access.models import Membership
from runbooks.access.permissions import Actor, can, require
from runbooks.errors import NotFoundError
from runbooks.incidents.models import Incident
from runbooks.subscriptions.models import Subscription, SubscriptionAttempt, SubscriptionDelivery

PAGE: Final = 25
GIVEN_UP_MOST: Final = 5
FAILING_MOST: Final = timedelta(days=3)
# A receiver that takes nothing is called less and less often, as long as it does not.
LONGEST_GAP, GAP_SHARE = timedelta(minutes=10), 10
Status = SubscriptionDelivery.Status
Place = tuple[datetime, UUID]
LIVE: Final = Q(ended_at__isnull=True)
ACTIVE: Final = LIVE & Q(paused_at__isnull=True, disabled_at__isnull=True)
# The last call failed, and so did all before it for three days; or as many deliveries in a row were given up.
BEYOND_HOPE: Final = Q(failures__gte=GIVEN_UP_MOST) | Q(called_at__gte=F("failing_since") + FAILING_MOST)


@dataclass(frozen=True, slots=True)
class Counts:
    waiting: int = 0
    failed: int = 0


def require_manager(actor: Actor, incident_id: UUID | None) -> None:
    """Whoever may manage subscriptions of this incident, or of all."""
    if incident_id is None:
        require(actor, "manage_subscriptions")
    else:
        require(actor, "manage_incident_subscriptions", incident_id)


def subscriptions_of(actor: Actor) -> QuerySet[Subscription]:
    """Those of all incidents, and those of incidents the actor coordinates."""
    theirs = Q(incident__isnull=True)
    if can(actor, "manage_incident_subscriptions"):
        theirs |= Q(incident__isnull=False) if actor.user_id is None else Q(incident_id__in=incidents_of(actor.user_id))
    return Subscription.objects.filter(theirs).select_related("incident")


def incidents_of(user_id: int) -> QuerySet[Membership, UUID]:
    return Membership.objects.filter(user_id=user_id, ended_at__isnull=True).values_list("incident_id", flat=True)


def page_of(
    rows: QuerySet[Subscription], *, ended: bool, before: Place | None, limit: int = PAGE
) -> tuple[list[Subscription], bool]:
    """(newest first, whether more follow)"""
    rows = rows.exclude(LIVE) if ended else rows.filter(LIVE)
    if before is not None:
        rows = rows.filter(Q(made_at__lt=before[0]) | Q(made_at=before[0], pk__lt=before[1]))
    found = list(rows.order_by("-made_at", "-pk")[: limit + 1])
    return found[:limit], len(found) > limit


def subscription_for(actor: Actor, subscription_id: UUID) -> Subscription:
    """NotFoundError to everybody outside its incident, NotAllowedError to those inside who may not manage it."""
    found = Subscription.objects.select_related("incident").filter(pk=subscription_id).first()
    if found is None:
        raise NotFoundError("There is no such subscription.")
    require_manager(actor, found.incident_id)
    return found


def counts_of(subscription_ids: Iterable[UUID]) -> dict[UUID, Counts]:
    """How many deliveries wait and were given up, in one query; those without any are left out."""
    open_ = SubscriptionDelivery.objects.filter(subscription_id__in=list(subscription_ids), sequence__isnull=False)
    counted = open_.filter(status__in=[Status.WAITING, Status.FAILED]).values_list("subscription_id").order_by()
    rows = counted.annotate(
        waiting=Count("pk", filter=Q(status=Status.WAITING)), failed=Count("pk", filter=Q(status=Status.FAILED))
    )
    return {subscription_id: Counts(waiting, failed) for subscription_id, waiting, failed in rows}


# The log


def deliveries_of(
    subscription_id: UUID, *, statuses: Iterable[str], before: Place | None, limit: int = PAGE
) -> tuple[list[SubscriptionDelivery], bool]:
    """(newest first, whether more follow)"""
    rows = SubscriptionDelivery.objects.filter(subscription_id=subscription_id, status__in=list(statuses))
    if before is not None:
        rows = rows.filter(Q(created_at__lt=before[0]) | Q(created_at=before[0], pk__lt=before[1]))
    found = list(rows.select_related("incident").order_by("-created_at", "-pk")[: limit + 1])
    return found[:limit], len(found) > limit


def attempts_at(delivery_ids: Iterable[UUID]) -> dict[UUID, list[SubscriptionAttempt]]:
    """The calls of each delivery, oldest first, in one query."""
    found: dict[UUID, list[SubscriptionAttempt]] = {}
    for attempt in SubscriptionAttempt.objects.filter(delivery_id__in=list(delivery_ids)).order_by("pk"):
        found.setdefault(attempt.delivery_id, []).append(attempt)
    return found


def readable(actor: Actor, deliveries: Iterable[SubscriptionDelivery]) -> set[UUID]:
    """The incidents of these deliveries whose entries the actor may read."""
    ids = {one.incident_id for one in deliveries if one.incident_id is not None}
    if actor.user_id is None or not ids:
        return ids
    return set(incidents_of(actor.user_id).filter(incident_id__in=ids))


# What is due


def may_be_called(subscription: Subscription, at: datetime) -> bool:
    """Whether it is active, and not given a rest: one that fails for long is called once in a tenth of that time."""
    if subscription.ended_at or subscription.paused_at or subscription.disabled_at:
        return False
    if subscription.failing_since is None or subscription.called_at is None:
        return True
    gap = min((subscription.called_at - subscription.failing_since) / GAP_SHARE, LONGEST_GAP)
    return at >= subscription.called_at + gap


def behind(subscription: Subscription) -> list[UUID]:
    """The incidents with entries that the subscription has no deliveries of yet."""
    places = subscription.places.filter(sequence__gte=F("incident__head_sequence")).values("incident_id")
    incidents = Incident.objects.filter(head_sequence__gt=0)
    if subscription.incident_id is not None:
        incidents = incidents.filter(pk=subscription.incident_id)
    return list(incidents.exclude(pk__in=places).order_by("pk").values_list("pk", flat=True))


def due_subscriptions(at: datetime) -> list[UUID]:
    """Those with a delivery that a worker may try now."""
    due = _free(at).values("subscription_id")
    found = Subscription.objects.filter(LIVE, pk__in=due)
    tests = set(_free(at).filter(sequence__isnull=True).values_list("subscription_id", flat=True))
    return [one.pk for one in found if may_be_called(one, at) or one.pk in tests]


def lines_due(subscription_id: UUID, at: datetime) -> list[UUID | None]:
    """The incidents of which something is due; None among them for tests, which belong to none."""
    rows = _free(at).filter(subscription_id=subscription_id)
    tests = Q(sequence__isnull=True)
    incidents = rows.exclude(tests).order_by("incident_id").values_list("incident_id", flat=True).distinct()
    return [*([None] if rows.filter(tests).exists() else []), *incidents]


def _free(at: datetime) -> QuerySet[SubscriptionDelivery]:
    free = Q(leased_until__isnull=True) | Q(leased_until__lte=at)
    return SubscriptionDelivery.objects.filter(free, status=Status.WAITING, next_attempt_at__lte=at)
