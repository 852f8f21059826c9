"""One person alone, in an emergency: with a reason and their own credential, before everybody's eyes."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.confirming import NotConfirmedError
from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action
from runbooks.actions.operations import NotPreviewedError, WrongCountError, break_glass
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.containment.models import Step
from runbooks.errors import NotAllowedError
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from runbooks.timeline.models import TimelineEvent
from tests.actions.acting import confirmed, drafted, requested
from tests.factories import PASSWORD, make_affected, make_incident, make_step

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]
ClientOf = Callable[[User], Client]


@pytest.fixture
def room(asker: User, approver: User, desk: User, auditor: User) -> Incident:
    incident = make_incident(lead=approver, members=(asker, desk, auditor), is_exercise=True)
    make_step(incident, number="1.1")
    return incident


@pytest.fixture
def action(room: Incident, asker: User) -> Action:
    return drafted(room, asker, accounts=[make_affected(room, tier="A") for _ in range(3)])


def broken(action: Action, by: User, reason: str = "Mail is leaving now") -> Action:
    break_glass(action_id=action.pk, reason=reason, confirmed=confirmed(by), actor=actor_for(by), at=timezone.now())
    action.refresh_from_db()
    return action


def post(client: Client, action: Action, **given: Any) -> Any:
    there = reverse("action_do", args=[action.incident.reference, action.number, "break-glass"])
    response = client.post(there, given)
    action.refresh_from_db()
    return response


def test_it_begins_everybody_is_told_and_a_review_becomes_a_step(
    room: Incident, action: Action, asker: User, approver: User, desk: User
) -> None:
    broken(action, approver)
    assert (action.status, action.is_break_glass, action.approved_by) == ("approved", True, None)
    decision = action.decisions.get()
    assert (decision.kind, decision.credential, decision.digest) == ("break_glass", "password", action.digest)
    told = Notification.objects.filter(event="action.break_glass").values_list("recipient", flat=True)
    assert {asker.pk, approver.pk, desk.pk} <= set(told)
    assert "Mail is leaving now" in TimelineEvent.objects.get(incident=room, kind="action.break_glass_used").summary
    review = Step.objects.get(incident=room, title__startswith="Review action 1")
    assert review.due_at is not None
    assert review.due_at > timezone.now()


def test_a_request_that_nobody_decides_on_can_be_begun_alone(action: Action, asker: User, approver: User) -> None:
    assert broken(requested(action, asker), approver).status == "approved"


def test_without_reason_preview_or_credential_nothing_begins(action: Action, asker: User, approver: User) -> None:
    with pytest.raises(WrongCountError, match="cannot wait"):
        broken(action, approver, reason="  ")
    with pytest.raises(NotConfirmedError):
        break_glass(
            action_id=action.pk, reason="x", confirmed=confirmed(asker), actor=actor_for(approver), at=timezone.now()
        )
    Action.objects.update(previewed_at=None)
    with pytest.raises(NotPreviewedError):
        broken(action, approver)
    action.refresh_from_db()
    assert (action.status, action.is_break_glass) == ("draft", False)


def test_a_responder_may_not(action: Action, asker: User) -> None:
    with pytest.raises(NotAllowedError):
        broken(action, asker)


def test_what_needs_no_second_person_needs_no_emergency(room: Incident, asker: User, approver: User) -> None:
    action = drafted(room, asker, "end_sessions", accounts=[make_affected(room)])
    with pytest.raises(NotAllowedError, match="needs no second person"):
        broken(action, approver)


def test_the_page_asks_for_a_reason_and_ones_own_password(action: Action, approver: User, client_of: ClientOf) -> None:
    client = client_of(approver)
    there = reverse("action", args=[action.incident.reference, action.number])
    page = client.get(there).text
    assert "Begin alone for 3 accounts" in page
    assert "Everybody in the incident is told at once" in page
    refused = post(client, action, reason="Mail is leaving now", password="guessed")
    assert refused.status_code == 403
    assert "That is not your password" in refused.text
    assert "Mail is leaving now" in refused.text
    assert "guessed" not in refused.text
    assert 'id="do-break-glass" open' in refused.text
    assert post(client, action, reason="", password=PASSWORD).status_code == 400
    assert action.status == "draft"
    assert post(client, action, reason="Mail is leaving now", password=PASSWORD).status_code == 302
    assert (action.status, action.is_break_glass) == ("approved", True)


def test_only_who_cannot_approve_a_request_is_offered_to_begin_it_alone(
    room: Incident, action: Action, asker: User, approver: User, client_of: ClientOf
) -> None:
    requested(action, asker)
    there = reverse("action", args=[room.reference, action.number])
    assert "do/break-glass/" not in client_of(asker).get(there).text
    assert "do/break-glass/" not in client_of(approver).get(there).text
    own = requested(drafted(room, approver, accounts=list(AffectedAccount.objects.filter(incident=room))), approver)
    there = reverse("action", args=[room.reference, own.number])
    assert "do/break-glass/" in client_of(approver).get(there).text
