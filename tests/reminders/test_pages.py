"""The pages of calls and of health: what they show, to whom, at what cost, and what can be done there."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.incidents.models import Incident
from runbooks.notifications.models import ChannelState, Escalation, Notification, Pulse
from runbooks.notifications.operations import acknowledge
from runbooks.reminders.operations.resetting import NotRestingError, reset_channel
from runbooks.reminders.operations.taking import AlreadyAnsweredError, take_on
from runbooks.reminders.queries.health import ALARM, SINCE, WATCH, schedule
from runbooks.timeline.models import TimelineEvent
from tests.factories import make_user
from tests.notifications.making import make_notice
from tests.reminders.making import COORDINATOR, HOUR, MINUTE, make_policy, make_room, move_all, start

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


@pytest.fixture
def amina() -> User:
    return make_user(name="Amina")


@pytest.fixture
def ines() -> User:
    return make_user(Role.RESPONDER, name="Ines")


@pytest.fixture
def room(amina: User, ines: User) -> Incident:
    return make_room(amina, ines, make_user(name="Tom", email=""), declared_at=timezone.now() - HOUR)


def begun(room: Incident, to: list[User], *, minutes: int = 30, about: str = "action:1") -> Escalation:
    """A chain that began so many minutes ago."""
    return start(room, to, at=timezone.now() - minutes * MINUTE, about=about)


def calls(room: Incident) -> str:
    return f"/incidents/{room.reference}/calls/"


# Calls


def test_the_page_says_who_was_called_and_when_and_who_is_next(
    room: Incident, ines: User, amina: User, client_of: ClientOf
) -> None:
    make_policy((COORDINATOR, 20), ("lead", 30), repeats=1)
    begun(room, [ines])
    move_all(timezone.now())
    page = client_of(amina).get(calls(room)).content.decode()
    for words in (
        "Action 3 paused itself",
        "Nobody has answered yet",
        "Next: the lead,",
        "and all of it 1 more time",
        "<b>Ines</b>",
        "<b>Amina</b>",
        "Not reached: no address on file",
        "I see to it",
    ):
        assert words in page, words


def test_what_nobody_answered_stands_there_until_somebody_takes_it_on(
    room: Incident, ines: User, amina: User, client_of: ClientOf
) -> None:
    make_policy(("lead", 10))
    chain = begun(room, [])
    for minutes in (-15, 0):
        move_all(timezone.now() + minutes * MINUTE)
    chain.refresh_from_db()
    assert chain.status == Escalation.Status.EXHAUSTED
    page = client_of(ines).get(calls(room)).content.decode()
    assert "and everybody was called" in page
    response = client_of(ines).post(f"{calls(room)}{chain.pk}/take/", follow=True)
    assert "You see to it: action 3 paused itself. Nobody further is called." in response.content.decode()
    chain.refresh_from_db()
    assert (chain.status, chain.ended_because) == (Escalation.Status.ANSWERED, "Ines")
    entry = TimelineEvent.objects.get(kind="escalation.answered")
    assert entry.summary == "Ines answers what nobody had answered: action 3 paused itself"
    with pytest.raises(AlreadyAnsweredError, match="settled already: Ines"):
        take_on(incident_id=room.pk, chain_id=chain.pk, actor=actor_for(amina), at=timezone.now())


def test_taking_on_what_still_calls_stops_it_and_is_no_entry(room: Incident, ines: User, amina: User) -> None:
    make_policy(("lead", 10), (COORDINATOR, 10))
    chain = begun(room, [])
    move_all(timezone.now())
    Notification.objects.filter(escalation=chain).update(delivered_at=timezone.now(), next_attempt_at=timezone.now())
    take_on(incident_id=room.pk, chain_id=chain.pk, actor=actor_for(ines), at=timezone.now())
    assert Notification.objects.get(escalation=chain).status == Notification.Status.DELIVERED
    assert not TimelineEvent.objects.filter(kind__startswith="escalation.").exists()
    assert move_all(timezone.now() + 9 * HOUR) == 0


def test_who_was_not_told_yet_still_is_when_somebody_takes_it_on(room: Incident, ines: User, amina: User) -> None:
    make_policy(("lead", 10))
    chain = begun(room, [ines, amina])
    take_on(incident_id=room.pk, chain_id=chain.pk, actor=actor_for(ines), at=timezone.now())
    assert set(Notification.objects.filter(escalation=chain).values_list("status", flat=True)) == {"waiting"}


def test_outsiders_find_no_call_and_auditors_and_administrators_take_none(
    room: Incident, ines: User, outsider: User, auditor: User, client_of: ClientOf
) -> None:
    make_policy(("lead", 10))
    chain = begun(room, [ines])
    room.memberships.create(user=auditor, added_by="A test", added_at=room.declared_at)
    take = f"{calls(room)}{chain.pk}/take/"
    other = make_room(outsider)
    assert client_of(outsider).get(calls(room)).status_code == 404
    assert client_of(outsider).post(take).status_code == 404
    assert client_of(outsider).post(take.replace(room.reference, other.reference)).status_code == 404
    assert client_of(auditor).post(take).status_code == 403
    page = client_of(auditor).get(calls(room)).content.decode()
    assert "Action 3 paused itself" in page
    assert "/take/" not in page
    chain.refresh_from_db()
    assert chain.status == Escalation.Status.RUNNING


def test_calls_come_a_page_at_a_time_and_cost_the_same(
    room: Incident, ines: User, amina: User, client_of: ClientOf, django_assert_max_num_queries: Any
) -> None:
    make_policy(("lead", 10))
    for number in range(45):
        begun(room, [ines], minutes=5, about=f"action:{number}")
    client = client_of(amina)
    with django_assert_max_num_queries(16):
        first = client.get(calls(room))
    assert first.content.decode().count("rem-call-head") == 20
    second = client.get(calls(room), {"before": first.context["next"]})
    third = client.get(calls(room), {"before": second.context["next"]})
    shown = [one.id for page in (first, second, third) for one in page.context["calls"]]
    assert len(shown) == len(set(shown)) == 45
    assert third.context["next"] == ""
    assert client.get(calls(room), {"before": "nonsense"}).context["calls"][0].id == shown[0]


# Needs on the incident's page


def test_who_is_called_sees_it_first_of_what_needs_them(
    room: Incident, ines: User, amina: User, client_of: ClientOf
) -> None:
    make_policy(("lead", 10))
    chain = begun(room, [ines])
    address = f"/incidents/{room.reference}/"
    assert "You are called: action 3 paused itself" in client_of(ines).get(address).content.decode()
    assert "You are called" not in client_of(amina).get(address).content.decode()
    notice = Notification.objects.get(escalation=chain, recipient=ines)
    acknowledge(notification_id=notice.pk, actor=actor_for(ines), at=timezone.now())
    assert "You are called" not in client_of(ines).get(address).content.decode()


def test_what_nobody_answered_is_said_to_everybody_who_works_there(
    room: Incident, ines: User, auditor: User, client_of: ClientOf
) -> None:
    make_policy(("lead", 10))
    begun(room, [])
    for minutes in (-15, 0):
        move_all(timezone.now() + minutes * MINUTE)
    room.memberships.create(user=auditor, added_by="A test", added_at=room.declared_at)
    address = f"/incidents/{room.reference}/"
    assert "Nobody answered: action 3 paused itself" in client_of(ines).get(address).content.decode()
    assert "Nobody answered:" not in client_of(auditor).get(address).content.decode().partition('id="deadlines"')[0]


# Health


@pytest.fixture
def running() -> None:
    """Every sweep ended just now."""
    for name in (*schedule(), SINCE):
        Pulse.objects.create(name=name, at=timezone.now(), said="3 due")
    Pulse.objects.filter(name=SINCE).update(at=timezone.now() - HOUR, said="")


@pytest.mark.parametrize("role", list(Role))
def test_administrators_and_coordinators_see_health_and_nobody_else(role: Role, client_of: ClientOf) -> None:
    may = role in {Role.ADMINISTRATOR, Role.COORDINATOR}
    assert client_of(make_user(role)).get("/health/").status_code == (200 if may else 403)
    assert client_of(make_user(role)).post("/health/channels/email/reset/").status_code == (409 if may else 403)


def test_where_all_is_well_the_page_says_so(running: None, administrator: User, client_of: ClientOf) -> None:
    page = client_of(administrator).get("/health/").content.decode()
    assert "All is well." in page
    assert "Delivering notices" in page
    assert "3 due" in page
    assert "If this machine stops, nobody is told: HEARTBEAT_URL" in page


def test_a_page_of_a_portal_in_which_nothing_ever_ran_says_so(administrator: User, client_of: ClientOf) -> None:
    page = client_of(administrator).get("/health/").content.decode()
    assert "has never looked" in page
    assert "All is well" not in page


def test_what_does_not_move_stands_on_the_page_without_a_watchdog(
    running: None, administrator: User, client_of: ClientOf, settings: Any
) -> None:
    long_ago = timezone.now() - 20 * MINUTE
    Pulse.objects.filter(name__in=["actions.sweep", WATCH]).update(at=long_ago)
    make_notice(at=long_ago)
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    page = client_of(administrator).get("/health/").content.decode()
    for words in (
        "Nothing was heard of: carrying actions on (20 min)",
        "1 notice waits and nobody sends them, the first since 20 min",
        "The broker does not answer.",
        "The watchdog has not looked since",
    ):
        assert words in page, words
    assert "All is well" not in page


def test_an_administrator_sees_which_incident_is_calling_and_nothing_of_what_it_is_about(
    running: None, room: Incident, ines: User, administrator: User, client_of: ClientOf
) -> None:
    make_policy(("lead", 10))
    begun(room, [ines], minutes=1)
    page = client_of(administrator).get("/health/").content.decode()
    assert room.reference in page
    assert "An action paused itself" in page
    assert room.title not in page
    assert "action 3" not in page.lower()


def test_a_channel_that_rests_is_tried_again_when_a_person_says_so(
    running: None, amina: User, client_of: ClientOf
) -> None:
    at = timezone.now()
    ChannelState.objects.create(channel="email", failures=6, opened_until=at + HOUR)
    ChannelState.objects.update(failed_at=at, reason="mail.example is down.")
    notice = make_notice(at=at - MINUTE, user=amina)
    busy = {"reason_code": "busy", "next_attempt_at": at + HOUR}
    Notification.objects.filter(pk=notice.pk).update(**busy)
    other = make_notice(at=at - MINUTE, user=amina)
    Notification.objects.filter(pk=other.pk).update(**busy, route=[{"point": None, "channel": "text", "wait": 0}])
    client = client_of(amina)
    page = client.get("/health/").content.decode()
    assert "mail.example is down." in page
    assert "after 6 failures in a row" in page
    client.post("/health/channels/email/reset/")
    state = ChannelState.objects.get()
    assert (state.failures, state.opened_until) == (0, None)
    notice.refresh_from_db()
    other.refresh_from_db()
    assert notice.next_attempt_at < at + MINUTE
    assert other.next_attempt_at == at + HOUR
    with pytest.raises(NotRestingError):
        reset_channel(channel="email", actor=actor_for(amina), at=at)


def test_an_alarm_that_stands_and_a_night_without_watch_do_not_break_the_page(
    running: None, administrator: User, client_of: ClientOf
) -> None:
    Pulse.objects.create(name=ALARM, at=timezone.now(), said="chains")
    Pulse.objects.filter(name=SINCE).update(said="Nothing had been watched for 9 h 00 min before")
    page = client_of(administrator).get("/health/").content.decode()
    assert "Nothing had been watched for 9 h 00 min before" in page


def test_health_costs_the_same_however_much_there_is(
    running: None, room: Incident, ines: User, administrator: User, client_of: ClientOf,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    make_policy(("lead", 10))
    for number in range(30):
        begun(room, [ines], minutes=1, about=f"action:{number}")
    client = client_of(administrator)
    with django_assert_max_num_queries(16):
        assert client.get("/health/").status_code == 200
