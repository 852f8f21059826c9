"""Giving a step to somebody."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from runbooks.access.models import User
from runbooks.containment.models import Step
from runbooks.containment.operations import CannotClaimError, StepClosedError
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import StaleFormError
from runbooks.notifications.models import Notification
from runbooks.timeline.models import TimelineEvent
from tests.containment.conftest import NOON

Do = Callable[..., Any]


def test_a_step_goes_from_one_person_to_another_with_an_entry(
    do: Do, step: Step, coordinator: User, responder: User, desk: User, newest_entry: Callable[[], TimelineEvent]
) -> None:
    do("claim", step, responder)
    do("assign", step, coordinator, user_id=desk.pk)
    step.refresh_from_db()
    assert step.owner == desk
    entry = newest_entry()
    assert entry.kind == "step.assigned"
    assert entry.details["owner"] == desk.username
    assert entry.details["before"] == responder.username
    assert desk.name in entry.summary
    assert responder.name in entry.summary


def test_the_new_owner_is_told(do: Do, step: Step, coordinator: User, responder: User) -> None:
    Step.objects.filter(pk=step.pk).update(due_at=NOON + timedelta(hours=1))
    do("assign", step, coordinator, user_id=responder.pk)
    notice = Notification.objects.get(event="step.assigned")
    assert notice.recipient == responder
    assert "1.4" in notice.subject
    assert "Preserve the logs" in notice.body
    assert "13:00" in notice.body


def test_whoever_gives_a_step_to_themselves_is_not_told(do: Do, step: Step, responder: User) -> None:
    do("assign", step, responder, user_id=responder.pk)
    assert Step.objects.get(pk=step.pk).owner == responder
    assert not Notification.objects.filter(event="step.assigned").exists()


def test_a_step_is_given_back_to_nobody(do: Do, step: Step, coordinator: User, responder: User) -> None:
    do("claim", step, responder)
    do("assign", step, coordinator, user_id=None)
    assert Step.objects.get(pk=step.pk).owner is None
    assert not Notification.objects.filter(event="step.assigned").exists()


def test_giving_a_step_to_whom_has_it_already_is_no_entry(
    do: Do, step: Step, coordinator: User, responder: User, incident: Incident
) -> None:
    do("claim", step, responder)
    do("assign", step, coordinator, user_id=responder.pk)
    assert not TimelineEvent.objects.filter(incident=incident, kind="step.assigned").exists()


def test_nobody_outside_the_incident_gets_a_step(do: Do, step: Step, coordinator: User, outsider: User) -> None:
    with pytest.raises(CannotClaimError, match="not in the incident"):
        do("assign", step, coordinator, user_id=outsider.pk)


def test_a_form_made_before_somebody_claimed_the_step_is_refused_with_what_stands_now(
    do: Do, step: Step, coordinator: User, responder: User, desk: User
) -> None:
    shown = step.version
    do("claim", step, responder)
    with pytest.raises(StaleFormError, match=r"changed step 1\.4") as refusal:
        do("assign", step, coordinator, user_id=desk.pk, version=shown)
    assert refusal.value.current == {"Status": "Not started", "Owner": responder.name}
    assert Step.objects.get(pk=step.pk).owner == responder


def test_a_closed_step_is_not_given_to_anybody(do: Do, step: Step, coordinator: User, responder: User) -> None:
    do("complete", step, coordinator)
    with pytest.raises(StepClosedError):
        do("assign", step, coordinator, user_id=responder.pk)


@pytest.mark.parametrize("persona", ["desk", "communications", "auditor"])
def test_only_coordinators_and_responders_give_steps(
    do: Do, step: Step, persona: str, request: pytest.FixtureRequest, responder: User
) -> None:
    with pytest.raises(NotAllowedError):
        do("assign", step, request.getfixturevalue(persona), user_id=responder.pk)


def test_to_an_outsider_there_is_no_incident(do: Do, step: Step, outsider: User) -> None:
    with pytest.raises(NotFoundError):
        do("assign", step, outsider, user_id=outsider.pk)
