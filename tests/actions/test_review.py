"""Looking afterwards at what one person began alone."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.confirming import NotConfirmedError
from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, ActionDecision
from runbooks.actions.operations import OwnRequestError, WrongStatusError, break_glass, review_break_glass
from runbooks.actions.operations.drafting import BadActionError
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.actions.acting import carried_out, confirmed, done, drafted
from tests.factories import PASSWORD, add_member, make_affected, make_incident, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]
ClientOf = Callable[[User], Client]


@pytest.fixture
def reviewer() -> User:
    return make_user(Role.COORDINATOR)


@pytest.fixture
def room(asker: User, approver: User, reviewer: User) -> Incident:
    return make_incident(lead=approver, members=(asker, reviewer), is_exercise=True)


@pytest.fixture
def alone(room: Incident, asker: User, approver: User) -> Action:
    """The approver began it without a second person; the asker drafted it."""
    action = drafted(room, asker, accounts=[make_affected(room) for _ in range(2)])
    break_glass(
        action_id=action.pk,
        reason="They are exporting mail",
        confirmed=confirmed(approver),
        actor=actor_for(approver),
        at=timezone.now(),
    )
    return carried_out(action)


def review(action: Action, by: User, comment: str = "It was right") -> Action:
    proof = confirmed(by)
    return review_break_glass(
        action_id=action.pk, comment=comment, confirmed=proof, actor=actor_for(by), at=timezone.now()
    )


def reviews(action: Action) -> int:
    return ActionDecision.objects.filter(action=action, kind="reviewed").count()


def test_another_coordinator_says_what_they_found(alone: Action, reviewer: User) -> None:
    review(alone, reviewer)
    decision = ActionDecision.objects.get(action=alone, kind="reviewed")
    assert (decision.decided_by, decision.comment, decision.digest) == (reviewer, "It was right", alone.digest)
    entry = TimelineEvent.objects.get(kind="action.reviewed")
    assert f"{reviewer} reviewed what was begun without a second person. It was right" in entry.summary


def test_nobody_reviews_what_they_began_or_drafted(alone: Action, approver: User, asker: User) -> None:
    with pytest.raises(OwnRequestError):
        review(alone, approver)
    User.objects.filter(pk=asker.pk).update(role=Role.COORDINATOR)
    asker.refresh_from_db()
    with pytest.raises(OwnRequestError):
        review(alone, asker)
    assert reviews(alone) == 0


def test_the_database_takes_no_review_by_who_began_it(alone: Action, approver: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ActionDecision.objects.create(
            action=alone,
            kind="reviewed",
            digest="",
            requested_by=approver,
            decided_by=approver,
            decided_by_name="x",
            credential="password",
            at=timezone.now(),
        )


def test_a_responder_may_not_and_an_outsider_finds_nothing(alone: Action, outsider: User) -> None:
    responder = make_user(Role.RESPONDER)
    add_member(alone.incident, responder)
    with pytest.raises(NotAllowedError):
        review(alone, responder)
    with pytest.raises(NotFoundError):
        review(alone, outsider)


def test_it_needs_words_and_a_fresh_credential_of_ones_own(alone: Action, reviewer: User, approver: User) -> None:
    with pytest.raises(BadActionError):
        review(alone, reviewer, comment=" ")
    where = {"action_id": alone.pk, "comment": "x", "actor": actor_for(reviewer), "at": timezone.now()}
    for proof in (None, confirmed(approver), confirmed(reviewer, timezone.now() - timedelta(minutes=5))):
        with pytest.raises(NotConfirmedError):
            review_break_glass(**where, confirmed=proof)
    assert reviews(alone) == 0


def test_it_is_done_once(alone: Action, reviewer: User) -> None:
    review(alone, reviewer)
    with pytest.raises(WrongStatusError, match="reviewed already"):
        review(alone, reviewer)


def test_what_two_people_began_is_not_reviewed(room: Incident, asker: User, approver: User, reviewer: User) -> None:
    action = done(drafted(room, asker, accounts=[make_affected(room)]), asker, approver)
    with pytest.raises(WrongStatusError, match="not begun by one person"):
        review(action, reviewer)


def test_it_is_done_after_the_incident_too(alone: Action, reviewer: User) -> None:
    Incident.objects.filter(pk=alone.incident_id).update(status="closed", closed_at=timezone.now())
    review(alone, reviewer)
    assert reviews(alone) == 1


def test_the_page_asks_for_it_until_it_is_done(
    alone: Action, reviewer: User, approver: User, client_of: ClientOf
) -> None:
    page = reverse("action", args=[alone.incident.reference, alone.number])
    client = client_of(reviewer)
    assert "Record the review" in client.get(page).text
    own = client_of(approver).get(page).text
    assert "not reviewed yet" in own
    assert "Record the review" not in own
    address = reverse("action_do", args=[alone.incident.reference, alone.number, "review"])
    wrong = client.post(address, {"comment": "It was right", "password": "not mine at all"})
    assert wrong.status_code == 403
    assert "It was right" in wrong.text
    assert "not mine at all" not in wrong.text
    client.post(address, {"comment": "It was right", "password": PASSWORD})
    assert reviews(alone) == 1
    assert "not reviewed yet" not in client.get(page).text
