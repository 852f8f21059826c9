"""What an incident lacks is said to whoever can mend it, not too often, and not any more once it is mended."""

import pytest

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.briefings.models import ReportClock
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import change_status, give_role
from runbooks.notifications.models import Notification
from runbooks.reminders.queries.missing import missing
from tests.factories import make_step, make_user
from tests.reminders.making import AT, HOUR, MINUTE, make_room, nudge_all, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def amina() -> User:
    return make_user(name="Amina")


@pytest.fixture
def tom() -> User:
    return make_user(name="Tom")


@pytest.fixture
def room(amina: User, tom: User) -> Incident:
    """With a time for its next report."""
    room = make_room(amina, tom, make_user(Role.RESPONDER, name="Ines"), severity=2)
    ReportClock.objects.create(incident=room, due_at=AT + 24 * HOUR)
    return room


def lacks(hours: float) -> list[str]:
    return [one.lack.value for one in missing(AT + hours * HOUR)]


def test_a_severe_incident_without_a_deputy_is_said_to_the_lead_after_four_hours(room: Incident) -> None:
    assert nudge_all(AT + 4 * HOUR - MINUTE) == 0
    assert nudge_all(AT + 4 * HOUR) == 1
    notice = Notification.objects.get(event="incident.nudged")
    assert notice.recipient.name == "Amina"
    assert notice.subject.endswith(": nobody is deputy lead")
    assert "Nobody is deputy lead. Name one under People" in notice.body


def test_in_a_milder_incident_nobody_asks_for_a_deputy(room: Incident) -> None:
    Incident.objects.filter(pk=room.pk).update(severity=3)
    assert lacks(9) == []


def test_it_is_said_again_after_four_hours_and_not_sooner(room: Incident) -> None:
    assert [hours for hours in range(4, 17) if nudge_all(AT + hours * HOUR)] == [4, 8, 12, 16]


def test_once_it_is_mended_what_waits_is_dropped_and_it_is_said_no_more(room: Incident, amina: User, tom: User) -> None:
    nudge_all(AT + 4 * HOUR)
    give_role(incident_id=room.pk, kind="deputy", user_id=tom.pk, note="", actor=actor_for(amina), at=AT + 5 * HOUR)
    nudge_all(AT + 5 * HOUR)
    notice = Notification.objects.get(event="incident.nudged")
    assert (notice.status, notice.reason) == ("dropped", "it was mended")
    assert nudge_all(AT + 9 * HOUR) == 0


def test_without_a_lead_the_coordinators_hear_at_once(room: Incident) -> None:
    Incident.objects.filter(pk=room.pk).update(lead=None)
    assert nudge_all(AT + MINUTE) == 1
    assert told("incident.nudged") == ["Amina", "Tom"]


def test_a_lead_who_left_or_may_not_sign_in_is_no_lead(room: Incident, amina: User) -> None:
    User.objects.filter(pk=amina.pk).update(is_active=False)
    assert lacks(0.1) == ["lead"]


def test_without_a_time_for_the_next_report_the_lead_hears_after_an_hour(room: Incident) -> None:
    ReportClock.objects.all().delete()
    assert (lacks(0.9), lacks(1)) == ([], ["report"])
    nudge_all(AT + HOUR)
    assert told("incident.nudged") == ["Amina"]


def test_two_hours_of_triage_are_said_to_those_who_can_open_or_dismiss_it(room: Incident, amina: User) -> None:
    actor = actor_for(amina)
    for status, at in (("dismissed", AT + HOUR), ("triage", AT + 2 * HOUR)):
        change_status(incident_id=room.pk, status=status, reason="Not sure", actor=actor, at=at)
    assert (lacks(3.9), lacks(4)) == ([], ["deputy", "triage"])
    nudge_all(AT + 4 * HOUR)
    assert told("incident.nudged", about="nudge:triage") == ["Amina", "Tom"]


def test_steps_that_nobody_has_and_that_are_due_within_the_hour_are_named_to_the_coordinators(
    room: Incident, amina: User
) -> None:
    for number, minutes, owner in (("3.1", 100, None), ("3.2", 110, None), ("3.3", 110, amina), ("3.4", 300, None)):
        make_step(room, number=number, due_at=AT + minutes * MINUTE, owner=owner)
    assert nudge_all(AT + 30 * MINUTE) == 0
    assert nudge_all(AT + HOUR) == 1
    notice = Notification.objects.get(event="incident.nudged")
    assert notice.recipient.name == "Tom"
    assert notice.subject.endswith(": nobody has steps 3.1, 3.2, due within the hour")


@pytest.mark.parametrize("status", ["closed", "dismissed"])
def test_an_incident_that_is_over_lacks_nothing(status: str, room: Incident) -> None:
    Incident.objects.filter(pk=room.pk).update(status=status, lead=None)
    assert nudge_all(AT + 9 * HOUR) == 0
