"""The pages: who sees what, the form, the secret shown once, the log with what was sent and answered."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.access.vault import opened
from runbooks.incidents.models import Incident
from runbooks.subscriptions.models import Subscription, SubscriptionDelivery
from runbooks.subscriptions.operations.managing import Made, pause
from runbooks.subscriptions.views import one as page_of_one
from tests.connectors.served import Said
from tests.factories import add_member, make_entry, make_incident, make_user
from tests.subscriptions.receiving import Receiver, carried, subscribed

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
GIVEN = {"name": "Tickets", "url": "https://tickets.example/hook", "incident": "all", "which": "all"}


def page(subscription: Subscription) -> str:
    return reverse("subscription", args=[subscription.pk])


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert client.get(address).status_code == 200
    return len(found)


# Who sees what


def test_only_those_who_manage_them_see_the_list(
    subscription: Subscription, responder: User, desk: User, auditor: User, administrator: User, client_of: ClientOf
) -> None:
    for user in (responder, desk, auditor):
        for name in ("subscriptions", "subscription_new"):
            assert client_of(user).get(reverse(name)).status_code == 403
        assert client_of(user).get(page(subscription)).status_code == 403
    shown = client_of(administrator).get(reverse("subscriptions"))
    assert shown.status_code == 200
    assert subscription.name not in shown.text


def test_a_coordinator_sees_those_of_all_incidents_and_of_their_own(
    receiver: Receiver, subscription: Subscription, coordinator: User, outsider: User, client_of: ClientOf
) -> None:
    of_all = subscribed(receiver, outsider, name="For everybody").subscription
    for user, names in ((coordinator, {subscription.name, of_all.name}), (outsider, {of_all.name})):
        text = client_of(user).get(reverse("subscriptions")).text
        assert {name for name in (subscription.name, of_all.name) if name in text} == names
    assert client_of(outsider).get(page(subscription)).status_code == 404
    assert client_of(outsider).get(reverse("subscription", args=[uuid4()])).status_code == 404


def test_the_list_of_an_incident_holds_its_own_and_those_of_all(
    receiver: Receiver, subscription: Subscription, incident: Incident, coordinator: User, client_of: ClientOf
) -> None:
    other = make_incident(lead=coordinator)
    subscribed(receiver, coordinator, other, name="Of another")
    subscribed(receiver, coordinator, name="For everybody")
    client = client_of(coordinator)
    text = client.get(reverse("subscriptions"), {"incident": incident.reference}).text
    assert subscription.name in text
    assert "For everybody" in text
    assert "Of another" not in text
    assert client.get(reverse("subscriptions"), {"incident": make_incident().reference}).status_code == 404


def test_in_the_log_of_all_incidents_one_reads_only_what_one_may(
    receiver: Receiver, incident: Incident, coordinator: User, outsider: User, client_of: ClientOf
) -> None:
    Incident.objects.update(tlp="GREEN")
    subscription = subscribed(receiver, coordinator).subscription
    make_entry(incident, "The heron has landed")
    carried(subscription)
    assert b"heron" in receiver.asked[0].body
    mine, theirs = (client_of(user).get(page(subscription)).text for user in (coordinator, outsider))
    assert "The heron has landed" in mine
    assert incident.reference in mine
    assert "heron" not in theirs
    assert incident.reference not in theirs
    assert page_of_one.ELSEWHERE in theirs


# The form


def test_a_subscription_is_made_and_its_secret_shown_once(coordinator: User, client_of: ClientOf) -> None:
    client = client_of(coordinator)
    assert client.get(reverse("subscription_new")).status_code == 200
    answer = client.post(reverse("subscription_new"), GIVEN)
    made = Subscription.objects.get()
    secret = opened(made.secret)
    assert secret in answer.text
    assert "no-store" in answer.headers["Cache-Control"]
    assert (made.url, made.kinds, made.incident) == (GIVEN["url"], [], None)
    for address in (page(made), reverse("subscriptions")):
        assert secret not in client.get(address).text
    again = client.post(reverse("subscription_new"), GIVEN)
    assert (again.status_code, "already" in again.text) == (400, True)


def test_kinds_and_an_incident_are_chosen(incident: Incident, coordinator: User, client_of: ClientOf) -> None:
    client = client_of(coordinator)
    form = client.get(reverse("subscription_new"), {"incident": incident.reference}).text
    assert f'<option value="{incident.reference}" selected>' in form
    chosen = {"which": "some", "groups": ["action", "step"], "single": "entry.corrected, entry.added"}
    client.post(reverse("subscription_new"), {**GIVEN, **chosen, "incident": incident.reference})
    made = Subscription.objects.get()
    assert made.incident == incident
    assert made.kinds == ["action", "entry.added", "entry.corrected", "step"]
    assert "Actions on accounts, entry.added" in client.get(page(made)).text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "This field is required"),
        ({"url": "http://tickets.example/"}, "must begin with https://"),
        ({"which": "some"}, "Choose at least one kind"),
        ({"which": "some", "single": "steps.done"}, "There is no kind of entry steps.done"),
        ({"which": "some", "groups": ["nothing"]}, "is not one of the available choices"),
        ({"incident": "IR-2001-0001"}, "is not one of the available choices"),
    ],
)
def test_what_was_typed_wrongly_is_said_beside_the_field(
    changes: dict[str, Any], said: str, coordinator: User, client_of: ClientOf
) -> None:
    answer = client_of(coordinator).post(reverse("subscription_new"), {**GIVEN, **changes})
    assert answer.status_code == 400
    assert said in answer.text
    assert not Subscription.objects.exists()


def test_an_incident_of_others_is_no_choice(
    incident: Incident, outsider: User, administrator: User, client_of: ClientOf
) -> None:
    add_member(incident, administrator)
    for user in (outsider, administrator):
        client = client_of(user)
        assert incident.reference not in client.get(reverse("subscription_new")).text
        answer = client.post(reverse("subscription_new"), {**GIVEN, "incident": incident.reference})
        assert answer.status_code == 400
    assert not Subscription.objects.exists()


# One subscription


def test_the_log_shows_what_was_sent_and_answered_as_text(
    receiver: Receiver, subscription: Subscription, incident: Incident, coordinator: User, client_of: ClientOf
) -> None:
    receiver.answer = lambda _: Said(500, b"<script>alert(1)</script>\x1b[2J")
    entry = make_entry(incident, "The heron has landed")
    carried(subscription)
    text = client_of(coordinator).get(page(subscription)).text
    assert f"{incident.reference} #{entry.sequence}" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\u241b[2J" in text
    assert "<script>alert" not in text
    assert "&quot;version&quot;: 1" in text
    assert "500 in " in text
    assert "Failing" in text
    assert "No call was taken since" in text


def test_every_button_does_what_it_says(
    receiver: Receiver, made: Made, incident: Incident, coordinator: User, client_of: ClientOf
) -> None:
    subscription, client = made.subscription, client_of(coordinator)

    def press(name: str, *more: object, **fields: str) -> str:
        address = reverse(name, args=[subscription.pk, *more])
        return client.post(address, fields, follow=True).text

    assert "The test was taken." in press("subscription_test")
    receiver.answer = lambda _: Said(500)
    assert "The test was not taken." in press("subscription_test")
    receiver.answer = lambda _: Said(204)
    assert "is paused" in press("subscription_pause")
    assert "is called again, with what happened meanwhile" in press("subscription_resume")
    press("subscription_pause")
    assert "is called again, from now on" in press("subscription_resume", skip="1")
    shown = press("subscription_secret")
    assert opened(Subscription.objects.get().secret) in shown
    make_entry(incident)
    carried(subscription)
    delivery = SubscriptionDelivery.objects.filter(sequence__isnull=False).latest("created_at")
    assert "is on its way again" in press("subscription_send_again", delivery.pk)
    carried(subscription)
    SubscriptionDelivery.objects.filter(pk=delivery.pk).update(status="failed")
    assert "1 entry is on the way again" in press("subscription_send_failed")
    assert "is called no more" in press("subscription_end")
    text = client.get(page(subscription)).text
    assert f"{coordinator.name} ended it" in text
    assert "Send a test" not in text
    assert client.post(reverse("subscription_test", args=[subscription.pk])).status_code == 404
    assert subscription.name in client.get(reverse("subscriptions"), {"show": "ended"}).text
    assert "Nobody is subscribed" in client.get(reverse("subscriptions")).text


def test_a_paused_one_says_who_paused_it(subscription: Subscription, coordinator: User, client_of: ClientOf) -> None:
    pause(subscription_id=subscription.pk, actor=actor_for(coordinator), at=timezone.now())
    text = client_of(coordinator).get(page(subscription)).text
    assert f"{coordinator.name} paused it" in text
    assert "Resume from now on" in text


# Lists


def deliveries(subscription: Subscription, incident: Incident, count: int) -> None:
    at = timezone.now()
    for number in range(count):
        delivery = SubscriptionDelivery.objects.create(
            subscription=subscription, incident=incident, sequence=1000 + number, kind="entry.added", body="{}",
            status="failed" if number % 2 else "delivered", next_attempt_at=at,
            created_at=at + timedelta(seconds=number // 3),
        )  # fmt: skip
        delivery.attempts.create(at=at, milliseconds=3, status_code=204)


def test_the_log_goes_on_from_page_to_page_without_gap_or_repetition(
    subscription: Subscription, incident: Incident, coordinator: User, client_of: ClientOf
) -> None:
    deliveries(subscription, incident, 60)
    client, seen, address = client_of(coordinator), [], page(subscription)
    while address:
        answer = client.get(address)
        seen += [line.what for line in answer.context["lines"]]
        address = f"{page(subscription)}?before={answer.context['next']}" if answer.context["next"] else ""
    assert len(seen) == len(set(seen)) == 60
    failed = client.get(page(subscription), {"show": "failed"})
    assert {line.status for line in failed.context["lines"]} == {"Given up"}
    assert client.get(page(subscription), {"show": "nothing", "before": "nonsense"}).status_code == 200


def test_the_list_goes_on_from_page_to_page(receiver: Receiver, administrator: User, client_of: ClientOf) -> None:
    at = timezone.now()
    names = [f"Number {number:02}" for number in range(30)]
    for name in names:
        Subscription.objects.create(name=name, url=receiver.url, secret="x", made_by="A test", made_at=at)
    client, seen, address = client_of(administrator), [], reverse("subscriptions")
    while address:
        answer = client.get(address)
        seen += [line.name for line in answer.context["lines"]]
        address = f"{reverse('subscriptions')}?before={answer.context['next']}" if answer.context["next"] else ""
    assert sorted(seen) == names


def test_the_queries_of_the_pages_do_not_grow_with_the_rows(
    receiver: Receiver, subscription: Subscription, incident: Incident, coordinator: User, client_of: ClientOf
) -> None:
    client = client_of(coordinator)
    deliveries(subscription, incident, 1)
    few = {address: queries(client, address) for address in (page(subscription), reverse("subscriptions"))}
    SubscriptionDelivery.objects.all().delete()
    deliveries(subscription, incident, 20)
    for number in range(20):
        subscribed(receiver, coordinator, incident, name=f"Number {number}")
    assert {address: queries(client, address) for address in few} == few
    assert max(few.values()) <= 12


def test_every_link_to_them_leads_there(
    subscription: Subscription, incident: Incident, coordinator: User, client_of: ClientOf
) -> None:
    client = client_of(coordinator)
    assert reverse("subscriptions") in client.get(reverse("witnesses")).text
    for name in ("seal", "incident_people"):
        address = f"{reverse('subscriptions')}?incident={incident.reference}"
        assert address in client.get(reverse(name, args=[incident.reference])).text
    responder = make_user(Role.RESPONDER)
    add_member(incident, responder)
    for name in ("seal", "incident_people"):
        assert reverse("subscriptions") not in client_of(responder).get(reverse(name, args=[incident.reference])).text
