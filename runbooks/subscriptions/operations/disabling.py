"""A subscription whose receiver takes nothing any more is called no more, and people are told."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.models import User
from runbooks.access.permissions import ANYWHERE, IN_INCIDENT, PORTAL
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.notifications.operations import announce, tell, working_in
from runbooks.subscriptions.addresses import host_of
from runbooks.subscriptions.answers import GONE
from runbooks.subscriptions.models import Subscription, SubscriptionAttempt
from runbooks.subscriptions.operations.managing import details_of, locked
from runbooks.subscriptions.queries import ACTIVE, BEYOND_HOPE, GIVEN_UP_MOST
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record


def disable_failing(*, at: datetime) -> int:
    """Disable what a worker found beyond hope and could not say any more; how many."""
    found = Subscription.objects.filter(ACTIVE & BEYOND_HOPE).values_list("pk", flat=True)
    return sum(disable(subscription_id, at=at) for subscription_id in list(found))


@transaction.atomic
def disable(subscription_id: UUID, *, at: datetime) -> bool:
    """Call it no more, where that still is as it was found: others may have resumed or ended it."""
    hopeless = Subscription.objects.filter(ACTIVE & BEYOND_HOPE, pk=subscription_id)
    incident_id = hopeless.values_list("incident_id", flat=True).first()
    incident = None if incident_id is None else lock(incident_id)
    subscription = locked(subscription_id) if hopeless.exists() else None
    if subscription is None or not hopeless.exists():
        return False
    subscription.disabled_at, subscription.disabled_because = at, _why(subscription)
    subscription.save(update_fields=["disabled_at", "disabled_because"])
    if incident is not None:
        said = f"The subscription {subscription.name} is disabled: {subscription.disabled_because}"
        details = {**details_of(subscription), "because": subscription.disabled_because}
        record(incident, Entry("subscription.disabled", said, Lane.ACTION, details), actor=PORTAL, at=at)
    _tell(subscription, incident, at)
    return True


def _why(subscription: Subscription) -> str:
    host = host_of(subscription.url)
    newest = SubscriptionAttempt.objects.filter(delivery__subscription=subscription).order_by("-pk").first()
    if newest is not None and newest.status_code == GONE:
        return f"{host} answered 410: it wants no more calls."
    if subscription.failures >= GIVEN_UP_MOST:
        return f"{GIVEN_UP_MOST} deliveries to {host} in a row were given up. The last: {subscription.last_answer}"[
            :300
        ]
    return f"{host} took no call for three days. The last: {subscription.last_answer}"[:300]


def _tell(subscription: Subscription, incident: Incident | None, at: datetime) -> None:
    """Those who can mend it: the coordinators of its incident, or everybody who manages those of all."""
    context = {"name": subscription.name, "why": subscription.disabled_because}
    about = f"subscription:{subscription.pk}"
    if incident is not None:
        roles = IN_INCIDENT["manage_incident_subscriptions"]
        to = [user for user in working_in(incident.pk) if user.role in roles]
        announce(incident, "subscription.disabled", context, at=at, to=to, about=about)
    else:
        managers = User.objects.filter(is_active=True, role__in=ANYWHERE["manage_subscriptions"])
        tell(managers, "subscription.disabled", context, at=at, about=about)
