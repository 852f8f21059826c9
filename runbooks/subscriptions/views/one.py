"""One subscription: how it stands, and every call with what was sent and answered."""

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.presentation import plural, time_left
from runbooks.subscriptions import queries
from runbooks.subscriptions.answers import readable
from runbooks.subscriptions.kinds import in_words
from runbooks.subscriptions.models import Subscription, SubscriptionAttempt, SubscriptionDelivery
from runbooks.subscriptions.operations.delivering import attempts_at_most
from runbooks.subscriptions.queries import Counts
from runbooks.subscriptions.views.states import cursor_of, place_of, state_of
from runbooks.timeline.operations import now

Status = SubscriptionDelivery.Status
SHOWN = {
    "all": ("All", tuple(Status)),
    "failed": ("Given up", (Status.FAILED,)),
    "waiting": ("Waiting", (Status.WAITING,)),
    "delivered": ("Delivered", (Status.DELIVERED,)),
}
MARKS = {Status.DELIVERED: ("done", "good"), Status.WAITING: ("clock", "wait"), Status.FAILED: ("fail", "bad")}
WORDS = {Status.DELIVERED: "Delivered", Status.WAITING: "Waiting", Status.FAILED: "Given up"}
ELSEWHERE = "An incident you are not in"


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt: `head` is 204 in 35 ms, or why nothing was answered."""

    at: datetime
    head: str
    tone: str
    answer: str


@dataclass(frozen=True, slots=True)
class Line:
    """A delivery. Of an incident that the reader is not in, nothing is shown but how the call went."""

    id: UUID
    icon: str
    tone: str
    status: str
    what: str
    address: str
    kind: str
    created_at: datetime
    later: str
    calls: list[Call]
    tried: str
    payload: str
    may_send_again: bool


@require_safe
def page(request: PortalRequest, subscription_id: UUID) -> HttpResponse:
    actor, at = actor_of(request), now()
    subscription = queries.subscription_for(actor, subscription_id)
    show = request.GET.get("show", "all")
    show = show if show in SHOWN else "all"
    before = place_of(request.GET.get("before", ""))
    found, more = queries.deliveries_of(subscription.pk, statuses=SHOWN[show][1], before=before)
    readable_incidents, calls = queries.readable(actor, found), queries.attempts_at(one.pk for one in found)
    context = {
        "subscription": subscription,
        "state": state_of(subscription),
        "kinds": in_words(subscription.kinds),
        "counts": queries.counts_of([subscription.pk]).get(subscription.pk, Counts()),
        "overlap": _overlap(subscription, at),
        "show": show,
        "segments": [(key, label) for key, (label, _) in SHOWN.items()],
        "lines": [_line(subscription, one, calls.get(one.pk, []), readable_incidents, at) for one in found],
        "is_paged": before is not None,
        "next": cursor_of(found[-1].created_at, found[-1].pk) if more else "",
        "attempts": attempts_at_most(),
        "now": at,
    }
    return render(request, "subscriptions/one.html", context)


def _overlap(subscription: Subscription, at: datetime) -> datetime | None:
    """Until when the secret before signs as well."""
    until = subscription.previous_secret_until
    return until if until is not None and until > at else None


def _line(
    subscription: Subscription,
    delivery: SubscriptionDelivery,
    attempts: list[SubscriptionAttempt],
    readable_incidents: set[UUID],
    at: datetime,
) -> Line:
    status = Status(delivery.status)
    icon, tone = MARKS[status]
    is_test, is_ours = delivery.sequence is None, delivery.incident_id in readable_incidents
    return Line(
        id=delivery.pk,
        icon=icon,
        tone=tone,
        status="Not taken" if is_test and status == Status.FAILED else WORDS[status],
        what="Test" if is_test else _what(delivery) if is_ours else ELSEWHERE,
        address=_address(delivery) if is_ours else "",
        kind=delivery.kind if is_test or is_ours else "",
        created_at=delivery.created_at,
        later=_later(subscription, delivery, at),
        calls=[_call(one) for one in attempts],
        tried=plural(len(attempts), "call") if attempts else "No call yet",
        payload=_pretty(delivery.body) if is_test or is_ours else "",
        may_send_again=not is_test and status != Status.WAITING and subscription.ended_at is None,
    )


def _what(delivery: SubscriptionDelivery) -> str:
    return f"{delivery.incident} #{delivery.sequence:,}"


def _address(delivery: SubscriptionDelivery) -> str:
    return reverse("timeline_entry", args=[delivery.incident, delivery.sequence])


def _later(subscription: Subscription, delivery: SubscriptionDelivery, at: datetime) -> str:
    """When it is called next, where it waits."""
    if delivery.status != Status.WAITING or delivery.sequence is None:
        return ""
    if subscription.paused_at or subscription.disabled_at:
        return "Goes on when resumed"
    if delivery.leased_until is not None and delivery.leased_until > at:
        return "Under way"
    return f"Next call {time_left(delivery.next_attempt_at, at)}" if delivery.next_attempt_at > at else "In line"


def _call(attempt: SubscriptionAttempt) -> Call:
    took = f"in {attempt.milliseconds:,} ms"
    head = f"{attempt.status_code} {took}" if attempt.status_code is not None else f"{attempt.reason} After {took[3:]}."
    return Call(attempt.at, head, "bad" if attempt.reason else "good", attempt.answer)


def _pretty(body: str) -> str:
    return readable(json.dumps(json.loads(body), indent=2, ensure_ascii=False))
