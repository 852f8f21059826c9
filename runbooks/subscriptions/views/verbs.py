"""What is done to a subscription, each a button of its page."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from runbooks.access.http import PortalRequest, actor_of
from runbooks.presentation import plural
from runbooks.subscriptions.models import SubscriptionDelivery
from runbooks.subscriptions.operations import managing, sending_again
from runbooks.timeline.operations import now


@require_POST
def test(request: PortalRequest, subscription_id: UUID) -> HttpResponse:
    """It takes as long as the receiver does, up to the time-out."""
    sent = sending_again.ping(subscription_id=subscription_id, actor=actor_of(request), clock=now)
    if sent.status == SubscriptionDelivery.Status.DELIVERED:
        messages.success(request, "The test was taken.")
    else:
        messages.warning(request, "The test was not taken. The log says why.")
    return redirect("subscription", subscription_id)


@require_POST
def pause(request: PortalRequest, subscription_id: UUID) -> HttpResponse:
    found = managing.pause(subscription_id=subscription_id, actor=actor_of(request), at=now())
    messages.success(request, f"{found.name} is paused. What happens meanwhile is kept for it.")
    return redirect("subscription", subscription_id)


@require_POST
def resume(request: PortalRequest, subscription_id: UUID) -> HttpResponse:
    skip = request.POST.get("skip") == "1"
    found = managing.resume(subscription_id=subscription_id, skip=skip, actor=actor_of(request), at=now())
    said = "from now on" if skip else "with what happened meanwhile"
    messages.success(request, f"{found.name} is called again, {said}.")
    return redirect("subscription", subscription_id)


@require_POST
def exchange_secret(request: PortalRequest, subscription_id: UUID) -> HttpResponse:
    made = managing.exchange_secret(subscription_id=subscription_id, actor=actor_of(request), at=now())
    context = {"subscription": made.subscription, "secret": made.secret, "is_new": False, "now": now()}
    return render(request, "subscriptions/secret.html", context)


@require_POST
def end(request: PortalRequest, subscription_id: UUID) -> HttpResponse:
    found = managing.end(subscription_id=subscription_id, actor=actor_of(request), at=now())
    messages.success(request, f"{found.name} is called no more. Its log stays.")
    return redirect("subscription", subscription_id)


@require_POST
def send_again(request: PortalRequest, subscription_id: UUID, delivery_id: UUID) -> HttpResponse:
    sending_again.send_again(
        subscription_id=subscription_id, delivery_id=delivery_id, actor=actor_of(request), at=now()
    )
    messages.success(request, "The entry is on its way again.")
    return redirect("subscription", subscription_id)


@require_POST
def send_failed_again(request: PortalRequest, subscription_id: UUID) -> HttpResponse:
    count = sending_again.send_failed_again(subscription_id=subscription_id, actor=actor_of(request), at=now())
    messages.success(request, f"{plural(count, 'entry is', 'entries are')} on the way again.")
    return redirect("subscription", subscription_id)
