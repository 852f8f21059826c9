"""A chain calls whoever is next when their time has come, until somebody answers or everybody was called in vain."""

from datetime import timedelta
from typing import Any

import pytest

from runbooks.access.models import Membership, Role, User
from runbooks.access.permissions import actor_for
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.incidents.operations import change_status
from runbooks.notifications.models import Escalation, Notification
from runbooks.notifications.operations import acknowledge
from runbooks.reminders.operations.moving import chains_due, move_chain
from runbooks.timeline.models import TimelineEvent
from tests.factories import add_member, make_user
from tests.reminders.making import (
    AT,
    COORDINATOR,
    HOUR,
    MINUTE,
    make_policy,
    make_room,
    move_all,
    put_on_call,
    start,
    told,
    want_quiet,
)

pytestmark = pytest.mark.django_db
Status = Escalation.Status


@pytest.fixture
def amina() -> User:
    return make_user(name="Amina")


@pytest.fixture
def tom() -> User:
    return make_user(name="Tom")


@pytest.fixture
def ines() -> User:
    return make_user(Role.RESPONDER, name="Ines")


@pytest.fixture
def room(amina: User, tom: User, ines: User) -> Incident:
    return make_room(amina, tom, ines)


def give(room: Incident, kind: str, user: User) -> None:
    IncidentRole.objects.create(incident=room, kind=kind, user=user, since=AT)


def entries(room: Incident) -> list[str]:
    rows = TimelineEvent.objects.filter(incident=room, kind__startswith="escalation.").order_by("sequence")
    return [event.summary for event in rows]


def called(chain: Escalation) -> list[tuple[str, timedelta]]:
    rows = Notification.objects.filter(escalation=chain).order_by("created_at", "recipient__name")
    return [(notice.recipient.name, notice.created_at - AT) for notice in rows]


def test_nobody_is_called_before_the_wait_is_over(room: Incident, ines: User) -> None:
    make_policy(("lead", 10))
    start(room, [ines])
    assert chains_due(AT + 10 * MINUTE - timedelta(seconds=1)) == []
    assert move_all(AT + 9 * MINUTE) == 0
    assert told() == ["Ines"]


def test_the_lead_is_called_then_the_coordinators_with_the_words_as_they_were(room: Incident, ines: User) -> None:
    make_policy(("lead", 10), (COORDINATOR, 15))
    chain = start(room, [ines])
    words = Notification.objects.get(escalation=chain).body
    move_all(AT + 10 * MINUTE)
    move_all(AT + 24 * MINUTE)
    move_all(AT + 25 * MINUTE)
    assert called(chain) == [
        ("Ines", timedelta()),
        ("Amina", 10 * MINUTE),
        ("Amina", 25 * MINUTE),
        ("Tom", 25 * MINUTE),
    ]
    notices = Notification.objects.filter(escalation=chain)
    assert {notice.body for notice in notices} == {words}
    assert {(notice.importance, notice.about, notice.sequence) for notice in notices} == {
        ("important", "action:1", chain.sequence)
    }


def test_each_move_says_when_the_next_is_due_and_that_it_moved(room: Incident, ines: User) -> None:
    make_policy(("lead", 10), (COORDINATOR, 15), repeats=1)
    chain = start(room, [ines])
    move_all(AT + 11 * MINUTE)
    chain.refresh_from_db()
    assert (chain.position, chain.round, chain.moved_at) == (1, 0, AT + 11 * MINUTE)
    assert chain.next_at == AT + 26 * MINUTE
    move_all(AT + 26 * MINUTE)
    chain.refresh_from_db()
    assert (chain.position, chain.round, chain.next_at) == (0, 1, AT + 36 * MINUTE)


def test_a_worker_that_was_down_for_hours_calls_one_step_when_it_is_back_and_not_all_at_once(
    room: Incident, ines: User
) -> None:
    make_policy(("lead", 10), (COORDINATOR, 10), ("lead", 10))
    chain = start(room, [ines])
    move_all(AT + 8 * HOUR)
    move_all(AT + 8 * HOUR + MINUTE)
    assert [name for name, _ in called(chain)] == ["Ines", "Amina"]
    chain.refresh_from_db()
    assert chain.next_at == AT + 8 * HOUR + 10 * MINUTE


def test_after_the_last_round_and_its_wait_nobody_answered_and_the_timeline_says_so(room: Incident, ines: User) -> None:
    make_policy(("lead", 10), repeats=1)
    chain = start(room, [ines])
    for minutes in (10, 20):
        move_all(AT + minutes * MINUTE)
    chain.refresh_from_db()
    assert chain.status == Status.RUNNING
    assert entries(room) == []
    move_all(AT + 30 * MINUTE)
    chain.refresh_from_db()
    assert (chain.status, chain.ended_at, chain.next_at) == (Status.EXHAUSTED, AT + 30 * MINUTE, None)
    assert entries(room) == ["Nobody answered within 30 min: action 3 paused itself. Nobody could be told"]
    assert move_all(AT + 9 * HOUR) == 0


def test_an_answer_ends_the_chain_and_nobody_further_is_called(room: Incident, amina: User, ines: User) -> None:
    make_policy(("lead", 10), (COORDINATOR, 10))
    chain = start(room, [ines])
    move_all(AT + 10 * MINUTE)
    notice = Notification.objects.get(escalation=chain, recipient=amina)
    acknowledge(notification_id=notice.pk, actor=actor_for(amina), at=AT + 12 * MINUTE)
    assert move_all(AT + HOUR) == 0
    chain.refresh_from_db()
    assert (chain.status, chain.ended_because) == (Status.ANSWERED, "Amina")
    assert [name for name, _ in called(chain)] == ["Ines", "Amina"]


def test_without_a_lead_the_deputy_is_called(room: Incident, tom: User, ines: User) -> None:
    make_policy(("lead", 10))
    give(room, IncidentRole.Kind.DEPUTY, tom)
    Incident.objects.filter(pk=room.pk).update(lead=None)
    chain = start(room, [ines])
    move_all(AT + 10 * MINUTE)
    assert [name for name, _ in called(chain)] == ["Ines", "Tom"]


@pytest.mark.parametrize("trouble", ["left", "switched off", "no address", "address inside"])
def test_a_lead_who_cannot_be_reached_is_named_and_the_deputy_called_in_the_same_step(
    trouble: str, room: Incident, amina: User, tom: User, ines: User
) -> None:
    make_policy(("lead", 10))
    give(room, IncidentRole.Kind.DEPUTY, tom)
    chain = start(room, [ines])
    if trouble == "left":
        Membership.objects.filter(user=amina).update(ended_at=AT)
    changes: dict[str, dict[str, Any]] = {
        "switched off": {"is_active": False},
        "no address": {"email": ""},
        "address inside": {"email": "amina@parliament.example"},
    }
    User.objects.filter(pk=amina.pk).update(**changes.get(trouble, {}))
    move_all(AT + 10 * MINUTE)
    held = Notification.objects.filter(escalation=chain, status="held").values_list("recipient__name", flat=True)
    assert list(held) == (["Amina"] if "address" in trouble else [])
    assert "Tom" in told(escalation=chain, status="waiting")
    assert entries(room) == []


def test_a_step_that_reaches_nobody_is_passed_over_at_once_and_says_why(room: Incident, ines: User) -> None:
    make_policy(("role:desk", 10), (COORDINATOR, 30))
    chain = start(room, [ines])
    move_all(AT + 10 * MINUTE)
    assert [name for name, _ in called(chain)] == ["Ines", "Amina", "Tom"]
    assert entries(room) == [
        "Could not call role service desk: nobody in the incident has the role service desk. "
        "The next are called at once. It is about: action 3 paused itself"
    ]


def test_where_nobody_at_all_can_be_reached_the_chain_ends_at_once_and_each_person_has_one_row_that_says_why(
    amina: User,
) -> None:
    User.objects.update(email="")
    room = make_room(amina)
    make_policy(("lead", 10), (COORDINATOR, 10), repeats=3)
    chain = start(room, [])
    move_all(AT + 10 * MINUTE)
    chain.refresh_from_db()
    assert chain.status == Status.EXHAUSTED
    notices = Notification.objects.filter(escalation=chain)
    assert [(notice.recipient.name, notice.status, notice.reason) for notice in notices] == [
        ("Amina", "held", "no address on file")
    ] * 2
    assert len(entries(room)) == 3


def test_who_is_on_call_at_that_moment_is_called_at_night_and_told_all_when_they_are_in_the_incident(
    room: Incident, ines: User, tom: User
) -> None:
    Incident.objects.filter(pk=room.pk).update(severity=3)
    room.refresh_from_db()
    rota = put_on_call(tom)
    put_on_call(ines, begins=AT + HOUR, rota=rota)
    want_quiet(tom, "00:00", "09:00")
    make_policy((f"rota:{rota.pk}", 10))
    chain = start(room, [ines])
    move_all(AT + 10 * MINUTE)
    notice = Notification.objects.get(escalation=chain, recipient=tom)
    assert (notice.event, notice.next_attempt_at) == ("action.paused", AT + 10 * MINUTE)
    assert notice.ignores_quiet_hours


def test_who_is_on_call_and_not_in_the_incident_hears_that_they_are_needed_and_nothing_of_it(
    room: Incident, ines: User
) -> None:
    night = make_user(Role.RESPONDER, name="Noor")
    make_policy((f"rota:{put_on_call(night).pk}", 10))
    chain = start(room, [ines])
    move_all(AT + 10 * MINUTE)
    notice = Notification.objects.get(escalation=chain, recipient=night)
    assert (notice.event, notice.incident, notice.about) == ("escalation.called", room, "action:1")
    assert notice.subject.endswith(f"{room.reference}: you are on call, and you are needed")
    assert "Amina, who leads it" in notice.body
    assert "Tue 23 Jun 2026 04:00 BST" in notice.body
    for secret in (room.title, "paused", "5 of the first 20"):
        assert secret not in notice.subject + notice.body + notice.brief


def test_a_rota_with_nobody_on_call_or_that_has_ended_is_passed_over(room: Incident, ines: User, tom: User) -> None:
    empty, ended = put_on_call(tom, begins=AT + HOUR), put_on_call(ines)
    ended.ended_at = AT
    ended.save()
    make_policy((f"rota:{empty.pk}", 10), (f"rota:{ended.pk}", 10), ("rota:999999", 10), ("user:999999", 10))
    start(room, [ines])
    move_all(AT + 10 * MINUTE)
    assert [line.partition(". ")[0] for line in entries(room)] == [
        f"Could not call whoever is on call in {empty}: nobody is on call in {empty}",
        f"Could not call whoever is on call in {ended}: nobody is on call in {ended}, which has ended",
        "Could not call a rota: its rota is not there",
        "Could not call a person: the person is not there",
        "Nobody answered within 10 min: action 3 paused itself",
    ]


def test_a_named_person_is_called_and_told_no_more_than_somebody_outside_may_know(room: Incident, ines: User) -> None:
    outsider = make_user(name="Olu")
    make_policy((f"user:{outsider.pk}", 10), (f"user:{ines.pk}", 10))
    chain = start(room, [])
    move_all(AT + 10 * MINUTE)
    move_all(AT + 20 * MINUTE)
    notices = Notification.objects.filter(escalation=chain).order_by("created_at")
    assert [(notice.recipient, notice.event) for notice in notices] == [
        (outsider, "escalation.called"),
        (ines, "action.paused"),
    ]


def test_somebody_who_wants_quiet_until_after_the_next_step_does_not_hold_up_a_chain_of_a_milder_incident(
    amina: User, tom: User
) -> None:
    room = make_room(amina, tom, severity=2)
    want_quiet(amina, "00:00", "09:00")
    make_policy(("lead", 10), (COORDINATOR, 10))
    chain = start(room, [])
    move_all(AT + 10 * MINUTE)
    assert {name for name, _ in called(chain)} == {"Amina", "Tom"}
    assert entries(room) == [
        "Could not call the lead: Amina: quiet hours. The next are called at once. It is about: action 3 paused itself"
    ]
    quiet = Notification.objects.filter(escalation=chain, recipient=amina)
    assert {notice.next_attempt_at for notice in quiet} == {AT + 5 * HOUR}


def test_a_critical_incident_rings_through_quiet_hours(room: Incident, amina: User, ines: User) -> None:
    want_quiet(amina, "00:00", "09:00")
    make_policy(("lead", 10))
    chain = start(room, [ines])
    move_all(AT + 10 * MINUTE)
    assert Notification.objects.get(escalation=chain, recipient=amina).next_attempt_at == AT + 10 * MINUTE
    assert entries(room) == []


def test_when_the_incident_is_over_nobody_is_called_any_more(room: Incident, amina: User, ines: User) -> None:
    make_policy(("lead", 10))
    chain = start(room, [ines])
    change_status(incident_id=room.pk, status="dismissed", reason="A drill", actor=actor_for(amina), at=AT + 5 * MINUTE)
    move_all(AT + 10 * MINUTE)
    chain.refresh_from_db()
    assert (chain.status, chain.ended_because) == (Status.WITHDRAWN, "the incident is dismissed")
    assert told(event="action.paused", status="waiting") == []


def test_a_chain_that_somebody_else_moved_meanwhile_is_not_moved_again(room: Incident, ines: User) -> None:
    make_policy(("lead", 10), (COORDINATOR, 10))
    chain = start(room, [ines])
    (due,) = chains_due(AT + 10 * MINUTE)
    assert move_chain(chain_id=due[0], incident_id=due[1], at=AT + 10 * MINUTE) is not None
    assert move_chain(chain_id=due[0], incident_id=due[1], at=AT + 10 * MINUTE) is None
    assert len(called(chain)) == 2


def test_one_who_joined_since_is_called_and_one_who_left_is_not(room: Incident, tom: User, ines: User) -> None:
    make_policy((COORDINATOR, 10))
    chain = start(room, [ines])
    add_member(room, make_user(name="Zoe"))
    Membership.objects.filter(user=tom).update(ended_at=AT)
    move_all(AT + 10 * MINUTE)
    assert [name for name, _ in called(chain)] == ["Ines", "Amina", "Zoe"]


def test_whose_language_nobody_was_told_in_at_first_is_called_in_english(
    room: Incident, amina: User, ines: User
) -> None:
    want_quiet(amina, "01:00", "02:00")
    amina.contact_preferences.language = "cy"
    amina.contact_preferences.save()
    make_policy(("lead", 10))
    chain = start(room, [ines])
    move_all(AT + 10 * MINUTE)
    assert "action 3 paused itself" in Notification.objects.get(escalation=chain, recipient=amina).subject
