"""What did not arrive can be sent again by whoever looks after the people, to the address now on file."""

import uuid
from typing import Any

import pytest
from django.utils import timezone

from runbooks.access.models import Membership, User
from runbooks.access.permissions import actor_for
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from runbooks.notifications.operations import announce
from runbooks.room.operations.notices import (
    CannotSettleError,
    CannotTryAgainError,
    settle_notices,
    try_notice_again,
    try_notices_again,
)
from runbooks.timeline.models import TimelineEvent
from tests.factories import add_member, make_incident, make_user

Status = Notification.Status
pytestmark = pytest.mark.django_db


@pytest.fixture
def failed(incident: Incident, responder: User) -> Notification:
    announce(incident, "member.added", {"who": str(responder)}, at=incident.declared_at, to=[responder])
    Notification.objects.update(status=Status.FAILED, reason="The mail server is full.", attempts_made=10)
    return Notification.objects.get()


def again(notice: Notification, user: User, **changes: Any) -> Notification:
    arguments = {"incident_id": notice.incident_id, "notification_id": notice.pk, "actor": actor_for(user)}
    return try_notice_again(**{**arguments, "at": timezone.now(), **changes})


def test_a_failed_notice_waits_again_with_all_its_attempts_and_the_timeline_says_so(
    failed: Notification, coordinator: User, responder: User
) -> None:
    again(failed, coordinator)
    failed.refresh_from_db()
    assert (failed.status, failed.reason, failed.attempts_made, failed.leased_until) == (Status.WAITING, "", 0, None)
    entry = TimelineEvent.objects.get(incident=failed.incident)
    assert entry.kind == "notice.sent_again"
    assert str(responder) in entry.summary
    assert "The mail server is full." in entry.summary
    assert responder.email not in f"{entry.summary}{entry.details}", (
        "private addresses do not belong into the sealed timeline"
    )


def test_a_held_notice_goes_to_the_address_entered_since(
    failed: Notification, coordinator: User, responder: User
) -> None:
    Notification.objects.update(status=Status.HELD, reason="no address on file", route=[])
    responder.email = "new@responders.example"
    responder.save()
    again(failed, coordinator)
    failed.refresh_from_db()
    assert (failed.status, failed.position) == (Status.WAITING, 0)
    assert [place["channel"] for place in failed.route] == ["email"]


def test_who_still_cannot_be_reached_is_said_and_nothing_is_written(
    failed: Notification, coordinator: User, responder: User
) -> None:
    responder.email = "r@parliament.example"
    responder.save()
    with pytest.raises(CannotTryAgainError, match="inside the affected system"):
        again(failed, coordinator)
    failed.refresh_from_db()
    assert failed.status == Status.FAILED
    assert not TimelineEvent.objects.exists()


def test_who_left_the_incident_is_not_told_after_all(failed: Notification, coordinator: User, responder: User) -> None:
    Membership.objects.filter(user=responder).update(ended_at=timezone.now())
    with pytest.raises(CannotTryAgainError, match="not in the incident"):
        again(failed, coordinator)


@pytest.mark.parametrize("status", [Status.WAITING, Status.DELIVERED])
def test_what_is_under_way_or_has_arrived_is_not_sent_again(
    failed: Notification, coordinator: User, status: str
) -> None:
    delivered_at = timezone.now() if status == Status.DELIVERED else None
    Notification.objects.update(status=status, delivered_at=delivered_at)
    with pytest.raises(CannotTryAgainError, match=Status(status).label.lower()):
        again(failed, coordinator)


@pytest.mark.parametrize("persona", ["responder", "desk", "communications", "auditor"])
def test_other_roles_may_not(failed: Notification, persona: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(NotAllowedError):
        again(failed, request.getfixturevalue(persona))


def test_an_outsider_finds_no_such_incident(failed: Notification, outsider: User) -> None:
    with pytest.raises(NotFoundError):
        again(failed, outsider)


def test_a_notice_of_another_incident_is_not_found(failed: Notification, coordinator: User) -> None:
    other = make_incident(lead=coordinator)
    with pytest.raises(NotFoundError, match="no such notice"):
        again(failed, coordinator, incident_id=other.pk)
    with pytest.raises(NotFoundError, match="no such notice"):
        again(failed, coordinator, notification_id=uuid.uuid4())


def test_a_notice_of_an_incident_that_is_over_can_still_be_sent(failed: Notification, coordinator: User) -> None:
    Incident.objects.filter(pk=failed.incident_id).update(status=Incident.Status.CLOSED)
    assert again(failed, coordinator).status == Status.WAITING


@pytest.fixture
def several(incident: Incident, coordinator: User, responder: User, desk: User) -> Incident:
    """A notice to each of three people that reached none of them; the desk's has no address any more."""
    context = {"before": "Open", "after": "Contained", "reason": ""}
    announce(incident, "incident.status_changed", context, at=incident.declared_at, to=[coordinator, responder, desk])
    Notification.objects.update(status=Status.FAILED, reason="The mail server is full.", attempts_made=10)
    User.objects.filter(pk=desk.pk).update(email="")
    return incident


def all_again(incident: Incident, user: User, **changes: Any) -> tuple[int, int]:
    return try_notices_again(incident_id=incident.pk, actor=actor_for(user), at=timezone.now(), **changes)


def test_all_are_sent_again_in_one_entry_and_who_still_cannot_be_reached_stays(
    several: Incident, coordinator: User, responder: User, desk: User
) -> None:
    assert all_again(several, coordinator) == (2, 1)
    states = dict(Notification.objects.values_list("recipient__username", "status"))
    assert states == {
        coordinator.username: Status.WAITING,
        responder.username: Status.WAITING,
        desk.username: Status.FAILED,
    }
    entry = TimelineEvent.objects.get(incident=several)
    assert entry.summary == f"2 notices sent again to {coordinator}, {responder}; 1 notice still cannot leave."
    assert entry.details["refused"] == [f"{desk.username}: no address on file"]


def test_where_nobody_can_be_reached_nothing_is_written(several: Incident, coordinator: User) -> None:
    User.objects.update(email="")
    with pytest.raises(CannotTryAgainError, match="no address on file"):
        all_again(several, coordinator)
    assert not TimelineEvent.objects.exists()


def test_what_was_answered_in_the_portal_is_not_sent_again(several: Incident, coordinator: User) -> None:
    Notification.objects.update(acknowledged_at=timezone.now())
    with pytest.raises(CannotTryAgainError, match="everybody was reached"):
        all_again(several, coordinator)


def test_as_many_queries_for_many_notices_as_for_one(
    several: Incident, coordinator: User, django_assert_max_num_queries: Any
) -> None:
    people = [make_user() for _ in range(30)]
    for user in people:
        add_member(several, user)
    announce(several, "member.added", {"who": "Somebody"}, at=timezone.now(), to=people)
    Notification.objects.update(status=Status.FAILED)
    with django_assert_max_num_queries(22):
        assert all_again(several, coordinator)[0] == 32


def test_an_outsider_sends_nothing_again_and_settles_nothing(
    several: Incident, outsider: User, responder: User
) -> None:
    with pytest.raises(NotFoundError):
        all_again(several, outsider)
    with pytest.raises(NotFoundError):
        settled(several, responder, outsider)


def settled(incident: Incident, person: User, user: User, how: str = "By telephone") -> int:
    return settle_notices(
        incident_id=incident.pk, recipient_id=person.pk, how=how, actor=actor_for(user), at=timezone.now()
    )


def test_who_was_told_another_way_is_on_the_timeline(
    several: Incident, coordinator: User, responder: User, desk: User
) -> None:
    assert settled(several, desk, coordinator, " By\ttelephone ") == 1
    notice = Notification.objects.get(recipient=desk)
    assert (notice.status, notice.reason) == (
        Status.DROPPED,
        f"told another way, says {coordinator}: By telephone",
    )
    entry = TimelineEvent.objects.get(incident=several)
    assert (entry.kind, entry.lane) == ("notice.settled", "contact")
    assert entry.summary == f"{desk}, whom 1 notice did not reach, was told another way: By telephone"
    assert Notification.objects.get(recipient=responder).status == Status.FAILED


@pytest.mark.parametrize(("how", "status"), [("", Status.FAILED), ("By telephone", Status.WAITING)])
def test_nothing_is_settled_without_words_or_for_who_is_being_told(
    several: Incident, coordinator: User, desk: User, how: str, status: str
) -> None:
    Notification.objects.update(status=status)
    with pytest.raises(CannotSettleError):
        settled(several, desk, coordinator, how)
    assert not TimelineEvent.objects.exists()
