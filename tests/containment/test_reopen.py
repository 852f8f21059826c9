"""Taking up a closed step again."""

from collections.abc import Callable
from typing import Any

import pytest

from runbooks.access.models import User
from runbooks.containment.models import Step
from runbooks.containment.operations import BlockedStepError, ReasonMissingError, StepOpenError
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.operations import StaleFormError
from runbooks.timeline.models import TimelineEvent

Do = Callable[..., Any]


def test_a_step_that_was_in_progress_is_in_progress_again(
    do: Do, step: Step, responder: User, newest_entry: Callable[[], TimelineEvent]
) -> None:
    do("start", step, responder)
    do("complete", step, responder)
    do("reopen", step, responder, reason="One log was forgotten")
    step.refresh_from_db()
    assert (step.status, step.closed_at, step.closed_by) == (Step.Status.RUNNING, None, "")
    entry = newest_entry()
    assert (entry.kind, entry.lane) == ("step.reopened", "decision")
    assert "One log was forgotten" in entry.summary


def test_a_waived_step_that_nobody_began_is_not_started_and_its_reason_is_gone(
    do: Do, step: Step, coordinator: User
) -> None:
    do("waive", step, coordinator, reason="No logs")
    do("reopen", step, coordinator, reason="There are logs after all")
    step.refresh_from_db()
    assert (step.status, step.waived_reason) == (Step.Status.PENDING, "")


def test_what_depends_on_a_reopened_step_is_blocked_again(
    do: Do, step: Step, later_step: Step, responder: User
) -> None:
    do("complete", step, responder)
    do("reopen", step, responder, reason="One log was forgotten")
    with pytest.raises(BlockedStepError):
        do("start", later_step, responder)


def test_a_step_is_not_reopened_without_a_reason(do: Do, step: Step, responder: User) -> None:
    do("complete", step, responder)
    with pytest.raises(ReasonMissingError):
        do("reopen", step, responder, reason=" ")
    assert Step.objects.get(pk=step.pk).is_closed


def test_an_open_step_is_not_reopened(do: Do, step: Step, responder: User) -> None:
    with pytest.raises(StepOpenError, match="is open"):
        do("reopen", step, responder, reason="Why not")


def test_of_two_forms_made_from_the_same_state_the_second_is_refused(
    do: Do, step: Step, responder: User, coordinator: User
) -> None:
    do("complete", step, responder)
    shown = Step.objects.get(pk=step.pk).version
    do("reopen", step, responder, reason="One log was forgotten", version=shown)
    do("complete", step, responder)
    with pytest.raises(StaleFormError):
        do("reopen", step, coordinator, reason="The other log too", version=shown)


@pytest.mark.parametrize("persona", ["desk", "communications", "auditor"])
def test_only_coordinators_and_responders_reopen(
    do: Do, step: Step, persona: str, coordinator: User, request: pytest.FixtureRequest
) -> None:
    do("complete", step, coordinator)
    with pytest.raises(NotAllowedError):
        do("reopen", step, request.getfixturevalue(persona), reason="Not done")


def test_to_an_outsider_there_is_no_incident(do: Do, step: Step, outsider: User, coordinator: User) -> None:
    do("complete", step, coordinator)
    with pytest.raises(NotFoundError):
        do("reopen", step, outsider, reason="Not done")
