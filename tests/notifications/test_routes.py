"""Which way a notice goes, what makes it go on to the next, and what ends it."""

from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.contacts.models import ContactPoint, ContactPreferences
from runbooks.contacts.queries import Place
from runbooks.errors import NotFoundError
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Escalation, Notification
from runbooks.notifications.operations import acknowledge, announce, tell, withdraw
from tests.factories import add_member, make_incident, make_user
from tests.notifications.conftest import Sink
from tests.notifications.making import AT, deliver_at, make_important, make_notice, make_way

pytestmark = pytest.mark.django_db(transaction=True)
Status = Notification.Status
FIRST, SECOND, THIRD = "first@phone.example", "second@phone.example", "third@phone.example"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def person() -> User:
    return make_user()


@pytest.fixture
def room(person: User) -> Incident:
    return make_incident(lead=person)


def important(room: Incident, person: User, about: str = "") -> Notification:
    return make_important(room, [person], about=about)[0]


def sent_to(smtp: Sink) -> list[str]:
    return [to for (to,) in smtp.recipients]


def test_an_important_notice_goes_the_next_way_after_its_wait_until_somebody_answers(
    smtp: Sink, room: Incident, person: User
) -> None:
    make_way(person, FIRST, SECOND, THIRD, waits=[0, 5, 10])
    notice = important(room, person)
    deliver_at(AT)
    notice.refresh_from_db()
    assert (notice.status, notice.delivered_at, notice.position) == (Status.WAITING, AT, 1)
    assert notice.next_attempt_at == AT + 5 * MINUTE
    deliver_at(AT + 4 * MINUTE)
    assert sent_to(smtp) == [FIRST]
    deliver_at(AT + 5 * MINUTE)
    assert sent_to(smtp) == [FIRST, SECOND]
    deliver_at(AT + 15 * MINUTE)
    notice.refresh_from_db()
    assert sent_to(smtp) == [FIRST, SECOND, THIRD]
    assert (notice.status, notice.delivered_at) == (Status.DELIVERED, AT)


def test_answered_on_one_way_nothing_more_is_sent_on_the_others(smtp: Sink, room: Incident, person: User) -> None:
    make_way(person, FIRST, SECOND, waits=[0, 5])
    notice = important(room, person)
    deliver_at(AT)
    acknowledge(notification_id=notice.pk, actor=actor_for(person), at=AT + MINUTE)
    deliver_at(AT + timedelta(hours=1))
    notice.refresh_from_db()
    assert sent_to(smtp) == [FIRST]
    assert (notice.status, notice.acknowledged_at) == (Status.DELIVERED, AT + MINUTE)
    assert notice.reason_code == "acknowledged"


def test_seen_in_the_portal_before_anything_left_it_is_not_sent_at_all(
    smtp: Sink, room: Incident, person: User
) -> None:
    notice = important(room, person)
    acknowledge(notification_id=notice.pk, actor=actor_for(person), at=AT)
    deliver_at(AT)
    notice.refresh_from_db()
    assert not smtp.messages
    assert notice.status == Status.DROPPED


def test_nobody_answers_for_somebody_else(room: Incident, person: User) -> None:
    notice = important(room, person)
    for other in (make_user(), make_user(Role.ADMINISTRATOR)):
        with pytest.raises(NotFoundError):
            acknowledge(notification_id=notice.pk, actor=actor_for(other), at=AT)
    notice.refresh_from_db()
    assert notice.acknowledged_at is None


def test_what_is_done_before_it_was_told_is_not_told(smtp: Sink, room: Incident, person: User) -> None:
    make_way(person, FIRST, SECOND, waits=[0, 5])
    before = important(room, person, about="step:7")
    with transaction.atomic():
        assert withdraw(room.pk, "step:8", at=AT, because="another step") == 0
        assert withdraw(room.pk, "step:7", at=AT, because="the step is done") == 1
    deliver_at(AT + timedelta(hours=1))
    before.refresh_from_db()
    assert not smtp.messages
    assert (before.status, before.reason_code, before.reason) == (Status.DROPPED, "withdrawn", "the step is done")


def test_a_way_that_is_refused_for_good_is_followed_by_the_next_at_once(
    smtp: Sink, room: Incident, person: User
) -> None:
    make_way(person, FIRST, SECOND, waits=[0, 30])
    smtp.recipient_answers = ["550 no such mailbox"]
    notice = important(room, person)
    deliver_at(AT)
    deliver_at(AT)
    notice.refresh_from_db()
    assert sent_to(smtp) == [SECOND]
    assert (notice.status, notice.delivered_at) == (Status.DELIVERED, AT)
    assert [one.address for one in notice.attempts.order_by("pk")] == [FIRST, SECOND]


def test_a_way_that_only_stumbles_is_tried_three_times_before_the_next(
    smtp: Sink, room: Incident, person: User
) -> None:
    make_way(person, FIRST, SECOND, waits=[0, 30])
    smtp.answers = ["450 busy"] * 3
    notice, at = important(room, person), AT
    for _ in range(4):
        deliver_at(at)
        notice.refresh_from_db()
        at = notice.next_attempt_at
    assert sent_to(smtp) == [SECOND]
    assert notice.attempts.count() == 4


def test_a_usual_notice_uses_its_second_way_only_when_the_first_fails(smtp: Sink, person: User) -> None:
    make_way(person, FIRST, SECOND, importance="default")
    make_notice(user=person)
    deliver_at(AT + timedelta(hours=1))
    assert sent_to(smtp) == [FIRST]


def test_ways_into_the_affected_system_are_left_out(smtp: Sink, person: User) -> None:
    room = make_incident(lead=person, untrusted_domains=["phone.example"])
    make_way(person, FIRST, "safe@home.example", waits=[0, 30])
    notice = important(room, person)
    assert (notice.status, notice.position) == (Status.WAITING, 1)
    deliver_at(AT)
    assert sent_to(smtp) == ["safe@home.example"]


def test_a_contact_point_taken_out_since_is_not_used(smtp: Sink, room: Incident, person: User) -> None:
    make_way(person, FIRST, SECOND, waits=[0, 30])
    notice = important(room, person)
    ContactPoint.objects.filter(address=FIRST).update(ended_at=AT)
    deliver_at(AT)
    assert sent_to(smtp) == [SECOND]
    assert "phone.example" not in str(notice.route), "the row keeps which point, and never its address"


def test_several_ways_of_a_bundle_leave_as_one_message(smtp: Sink, person: User) -> None:
    room = make_incident(lead=person, tlp="GREEN")
    for number in range(30):
        with transaction.atomic():
            context = {"number": f"3.{number}", "title": "Block", "who": str(person), "by": "C", "due": AT}
            announce(room, "step.assigned", context, at=AT + timedelta(seconds=number / 10), to=[person])
    deliver_at(AT + timedelta(seconds=19))
    assert not smtp.messages
    deliver_at(AT + timedelta(seconds=20))
    assert len(smtp.messages) == 1
    said = smtp.messages[0].get_content()
    assert all(f"step 3.{number} is yours" in said for number in range(30))
    assert smtp.messages[0]["Subject"].endswith("(and 29 more)")
    assert set(Notification.objects.values_list("status", flat=True)) == {Status.DELIVERED}
    deliver_at(AT + timedelta(hours=1))
    assert len(smtp.messages) == 1


def test_answering_the_one_that_carried_the_others_answers_them_all(smtp: Sink, person: User) -> None:
    room = make_incident(lead=person)
    for number in range(3):
        with transaction.atomic():
            announce(room, "holder.not_me", {"login": f"a{number}", "source": "By code"}, at=AT, to=[person])
    deliver_at(AT + MINUTE)
    assert len(smtp.messages) == 1
    carrier = Notification.objects.get(carried_by=None)
    acknowledge(notification_id=carrier.pk, actor=actor_for(person), at=AT + MINUTE)
    assert not Notification.objects.filter(acknowledged_at=None).exists()


@pytest.mark.parametrize(
    ("severity", "at", "leaves"),
    [
        (2, datetime(2026, 6, 23, 1, 30, tzinfo=UTC), datetime(2026, 6, 23, 6, 0, tzinfo=UTC)),
        (1, datetime(2026, 6, 23, 1, 30, tzinfo=UTC), datetime(2026, 6, 23, 1, 30, tzinfo=UTC)),
        (2, datetime(2026, 6, 23, 9, 30, tzinfo=UTC), datetime(2026, 6, 23, 9, 30, tzinfo=UTC)),
    ],
)
def test_quiet_hours_wait_for_the_morning_and_the_worst_incident_does_not(
    person: User, severity: int, at: datetime, leaves: datetime
) -> None:
    ContactPreferences.objects.create(user=person, quiet_from=time(22), quiet_until=time(7))
    assert make_notice(user=person, severity=severity, at=at).next_attempt_at == leaves


def test_quiet_hours_that_began_since_hold_the_next_way_back(smtp: Sink, room: Incident, person: User) -> None:
    Incident.objects.filter(pk=room.pk).update(severity=2)
    room.refresh_from_db()
    make_way(person, FIRST, SECOND, waits=[0, 60])
    notice = important(room, person)
    ContactPreferences.objects.create(user=person, quiet_from=time(10), quiet_until=time(12))
    deliver_at(AT)
    deliver_at(AT + 60 * MINUTE)
    notice.refresh_from_db()
    assert sent_to(smtp) == [FIRST]
    assert notice.next_attempt_at == datetime(2026, 6, 23, 11, 0, tzinfo=UTC)


def test_an_important_event_of_a_severe_incident_starts_its_chain_once(person: User) -> None:
    room = make_incident(lead=person, severity=1)
    for _ in range(2):
        with transaction.atomic():
            announce(room, "incident.declared", {"severity": "Critical", "lead": "A"}, at=AT, about="incident")
    chain = Escalation.objects.get()
    assert (chain.status, chain.next_at, chain.texts["en-gb"]["subject"]) == (
        Escalation.Status.RUNNING,
        AT + 10 * MINUTE,
        Notification.objects.get().subject,
    )
    assert Notification.objects.get().escalation == chain


def test_a_mild_incident_starts_no_chain(person: User) -> None:
    room = make_incident(lead=person, severity=4)
    with transaction.atomic():
        announce(room, "incident.declared", {"severity": "Low", "lead": "A"}, at=AT)
    assert not Escalation.objects.exists()


def test_one_answer_ends_the_chain_and_others_who_were_told_are_called_no_further(smtp: Sink) -> None:
    first, second, third = make_user(), make_user(), make_user()
    room = make_incident(lead=first, severity=1, members=(second, third))
    for user, name in ((first, "a"), (second, "b"), (third, "c")):
        make_way(user, f"{name}1@phone.example", f"{name}2@phone.example", waits=[0, 5])
    with transaction.atomic():
        announce(room, "incident.declared", {"severity": "Critical", "lead": "A"}, at=AT)
    Notification.objects.filter(recipient=third).update(next_attempt_at=AT + 2 * MINUTE)
    deliver_at(AT)
    mine = Notification.objects.get(recipient=first)
    acknowledge(notification_id=mine.pk, actor=actor_for(first), at=AT + MINUTE)
    assert Escalation.objects.get().status == Escalation.Status.ANSWERED
    deliver_at(AT + timedelta(hours=1))
    assert sorted(sent_to(smtp)) == ["a1@phone.example", "b1@phone.example", "c1@phone.example"]


def test_what_concerns_the_portal_itself_is_told_at_the_places_named_and_nowhere_else(smtp: Sink, person: User) -> None:
    old = ContactPoint.objects.create(user=person, channel="email", address=FIRST, added_at=AT, ended_at=AT)
    context = {"who": "Amina Rahman", "channel": "E-mail", "address": "f…@phone.example"}
    with transaction.atomic():
        tell([person], "contact.ended", context, at=AT, places=[Place(old.pk, "email", FIRST, timedelta(0))])
    deliver_at(AT)
    assert sent_to(smtp) == [FIRST]
    assert Notification.objects.get().incident is None


def test_announcing_to_many_costs_no_more_queries_than_to_few(
    room: Incident, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(30):
        user = make_user()
        add_member(room, user)
        make_way(user, f"{user.username}@phone.example")
    with django_assert_num_queries(9), transaction.atomic():
        announce(room, "incident.status_changed", {"before": "Open", "after": "Contained", "reason": ""}, at=AT)
    assert Notification.objects.count() == 31


def test_a_place_that_takes_no_messages_is_known_as_failing_until_it_takes_one_again(
    smtp: Sink, room: Incident, person: User
) -> None:
    make_way(person, FIRST)
    point = ContactPoint.objects.get(address=FIRST)
    smtp.recipient_answers = ["550 no such mailbox"]
    important(room, person)
    deliver_at(AT)
    point.refresh_from_db()
    assert point.failing_since == AT
    assert "550" in point.failed_because
    make_important(room, [person], at=AT + MINUTE)
    deliver_at(AT + MINUTE)
    point.refresh_from_db()
    assert (point.failing_since, point.failed_because) == (None, "")
