"""What a provider tells later is noted, the point that failed is marked, and what came back goes on."""

from datetime import timedelta
from typing import Any

import pytest

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.contacts.models import ContactPoint
from runbooks.notifications.channels.base import Reason
from runbooks.notifications.models import Notification, NotificationAttempt
from runbooks.notifications.operations import acknowledge
from runbooks.notifications.operations.outcomes import CAME_BACK, Outcome, note_outcome
from tests.factories import make_incident, make_user
from tests.notifications.conftest import Sink
from tests.notifications.making import AT, deliver_at, make_important, make_notice, make_way

pytestmark = pytest.mark.django_db(transaction=True)
Status = Notification.Status
LATER = AT + timedelta(minutes=2)
SENTENCE = "The mail came back: there is no such mailbox."


@pytest.fixture
def person(smtp: Sink) -> User:
    """Somebody with two mailboxes, of which the second is tried when the first fails."""
    user = make_user()
    make_way(user, "first@responders.example", "second@responders.example", importance="default")
    return user


@pytest.fixture
def notice(person: User) -> Notification:
    """It has left for the first mailbox."""
    made = make_notice(user=person)
    assert deliver_at(AT) == 1
    return made


def attempt_of(notice: Notification) -> NotificationAttempt:
    found = notice.attempts.order_by("pk").first()
    assert found is not None
    return found


def told(notice: Notification, outcome: Outcome, **changes: Any) -> bool:
    what = {"channel": "email", "provider_id": attempt_of(notice).provider_id, "sentence": SENTENCE, "at": LATER}
    return note_outcome(**{**what, "outcome": outcome, **changes})


def fresh(notice: Notification) -> Notification:
    return Notification.objects.get(pk=notice.pk)


@pytest.mark.parametrize("outcome", [Outcome.ON_ITS_WAY, Outcome.DEFERRED, Outcome.DELIVERED])
def test_what_went_well_is_kept_with_its_time_and_changes_nothing_else(notice: Notification, outcome: Outcome) -> None:
    assert told(notice, outcome, sentence="")
    attempt = attempt_of(notice)
    assert (attempt.outcome, attempt.outcome_at, attempt.reason) == (outcome, LATER, "")
    assert (fresh(notice).status, fresh(notice).delivered_at) == (Status.DELIVERED, AT)


@pytest.mark.parametrize("outcome", sorted(CAME_BACK))
def test_what_came_back_goes_on_to_the_next_place_at_once(notice: Notification, outcome: Outcome, smtp: Sink) -> None:
    assert told(notice, outcome)
    again = fresh(notice)
    assert (again.status, again.position, again.attempts_made) == (Status.WAITING, 1, 0)
    assert (again.next_attempt_at, again.delivered_at, again.reason) == (LATER, None, SENTENCE)
    deliver_at(LATER)
    assert smtp.recipients == [["first@responders.example"], ["second@responders.example"]]
    assert (fresh(notice).status, fresh(notice).delivered_at) == (Status.DELIVERED, LATER)


def test_where_no_place_is_left_nobody_was_told_and_the_row_says_so(notice: Notification) -> None:
    told(notice, Outcome.BOUNCED)
    deliver_at(LATER)
    second = notice.attempts.order_by("-pk").first()
    assert second is not None
    assert told(notice, Outcome.BOUNCED, provider_id=second.provider_id, notification_id=notice.pk)
    failed = fresh(notice)
    assert (failed.status, failed.delivered_at) == (Status.FAILED, None)
    assert (failed.reason_code, failed.reason) == (Reason.CAME_BACK, SENTENCE)


def test_the_point_it_came_back_from_is_marked_and_the_other_is_not(notice: Notification) -> None:
    told(notice, Outcome.BOUNCED)
    first, second = ContactPoint.objects.order_by("address")
    assert (first.failing_since, first.failed_because) == (LATER, SENTENCE)
    assert second.failing_since is None


def test_whoever_merely_does_not_answer_has_no_wrong_number(notice: Notification) -> None:
    told(notice, Outcome.NOT_ANSWERED)
    assert not ContactPoint.objects.filter(failing_since__isnull=False).exists()
    assert attempt_of(notice).reason_code == Reason.NOT_ANSWERED


def test_what_was_seen_goes_nowhere_else(notice: Notification) -> None:
    acknowledge(notification_id=notice.pk, actor=actor_for(notice.recipient), at=AT)
    assert told(notice, Outcome.BOUNCED)
    assert fresh(notice).status == Status.DELIVERED
    assert attempt_of(notice).outcome == Outcome.BOUNCED
    assert ContactPoint.objects.filter(failing_since=LATER).exists()


def test_what_arrived_elsewhere_stays_delivered(notice: Notification) -> None:
    NotificationAttempt.objects.create(
        notification=notice, at=AT, channel="text", provider_id="SM1", is_delivered=True, outcome=Outcome.DELIVERED
    )
    told(notice, Outcome.BOUNCED)
    assert fresh(notice).status == Status.DELIVERED


def test_a_wait_for_an_answer_ends_where_none_can_come(person: User, smtp: Sink) -> None:
    make_way(person, "a@responders.example", "b@responders.example", waits=[0, 5])
    (notice,) = make_important(make_incident(lead=person), [person])
    deliver_at(AT)
    assert (fresh(notice).status, fresh(notice).next_attempt_at) == (Status.WAITING, AT + timedelta(minutes=5))
    told(notice, Outcome.BOUNCED)
    assert (fresh(notice).status, fresh(notice).next_attempt_at) == (Status.WAITING, LATER)
    assert fresh(notice).delivered_at is None


@pytest.mark.parametrize(
    ("order", "kept"),
    [
        ((Outcome.DELIVERED, Outcome.ON_ITS_WAY), Outcome.DELIVERED),
        ((Outcome.DELIVERED, Outcome.BOUNCED), Outcome.BOUNCED),
        ((Outcome.BOUNCED, Outcome.DELIVERED), Outcome.BOUNCED),
        ((Outcome.DEFERRED, Outcome.DELIVERED), Outcome.DELIVERED),
        ((Outcome.BOUNCED, Outcome.BOUNCED), Outcome.BOUNCED),
    ],
)
def test_calls_may_come_twice_and_in_any_order(
    notice: Notification, order: tuple[Outcome, Outcome], kept: Outcome
) -> None:
    for number, outcome in enumerate(order):
        assert told(notice, outcome, at=LATER + timedelta(minutes=number))
    assert attempt_of(notice).outcome == kept
    if order[0] == order[1]:
        assert attempt_of(notice).outcome_at == LATER
        assert fresh(notice).next_attempt_at == LATER


def test_being_called_unwanted_is_kept_and_marks_the_point_and_sends_nothing_twice(notice: Notification) -> None:
    assert told(notice, Outcome.COMPLAINED)
    assert fresh(notice).status == Status.DELIVERED
    assert ContactPoint.objects.filter(failing_since=LATER).exists()


def test_an_id_that_nobody_knows_changes_nothing(notice: Notification) -> None:
    assert not told(notice, Outcome.BOUNCED, provider_id="another")
    assert not told(notice, Outcome.BOUNCED, provider_id="")
    assert not told(notice, Outcome.BOUNCED, channel="text")
    other = make_notice()
    assert not told(notice, Outcome.BOUNCED, notification_id=other.pk)
    assert attempt_of(notice).outcome == ""


def test_a_message_whose_worker_died_is_known_by_its_notice(person: User) -> None:
    notice = make_notice(user=person)
    NotificationAttempt.objects.create(
        notification=notice, at=AT, channel="text", is_delivered=False, reason_code=Reason.LOST, reason="Lost."
    )
    assert note_outcome(
        channel="text",
        provider_id="SM7",
        outcome=Outcome.DELIVERED,
        sentence="",
        at=LATER,
        notification_id=notice.pk,
    )
    attempt = attempt_of(notice)
    assert (attempt.is_delivered, attempt.provider_id, attempt.outcome) == (True, "SM7", Outcome.DELIVERED)


def test_what_travelled_in_it_goes_on_as_well(notice: Notification, person: User) -> None:
    carried = make_notice(user=person)
    carried.refresh_from_db()
    Notification.objects.filter(pk=carried.pk).update(
        status=Status.DELIVERED, delivered_at=AT, carried_by=notice, position=0
    )
    told(notice, Outcome.BOUNCED)
    again = fresh(carried)
    assert (again.status, again.position, again.carried_by_id, again.delivered_at) == (Status.WAITING, 1, None, None)
