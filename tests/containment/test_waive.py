"""Deciding that a step is not needed."""

from collections.abc import Callable
from typing import Any

import pytest

from runbooks.access.models import User
from runbooks.containment.models import Step
from runbooks.containment.operations import BadStepError, ReasonMissingError, StepClosedError
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.timeline.models import TimelineEvent
from tests.containment.conftest import NOON

Do = Callable[..., Any]


def test_a_waived_step_says_why_and_is_a_decision(
    do: Do, step: Step, coordinator: User, newest_entry: Callable[[], TimelineEvent]
) -> None:
    do("waive", step, coordinator, reason=" No logs are kept here ")
    step.refresh_from_db()
    assert (step.status, step.closed_at, step.closed_by) == (Step.Status.SKIPPED, NOON, coordinator.name)
    assert step.waived_reason == "No logs are kept here"
    entry = newest_entry()
    assert (entry.kind, entry.lane) == ("step.waived", "decision")
    assert "No logs are kept here" in entry.summary


@pytest.mark.parametrize("reason", ["", "   \n"])
def test_a_step_is_not_waived_without_a_reason(do: Do, step: Step, coordinator: User, reason: str) -> None:
    with pytest.raises(ReasonMissingError, match="Say why"):
        do("waive", step, coordinator, reason=reason)
    assert not Step.objects.get(pk=step.pk).is_closed


def test_a_reason_that_the_database_cannot_keep_is_refused(do: Do, step: Step, coordinator: User) -> None:
    with pytest.raises(BadStepError, match="NUL"):
        do("waive", step, coordinator, reason="no\0logs")


def test_a_blocked_step_may_be_waived(do: Do, later_step: Step, coordinator: User) -> None:
    do("waive", later_step, coordinator, reason="Not this kind of attack")
    assert Step.objects.get(pk=later_step.pk).status == Step.Status.SKIPPED


def test_a_done_step_is_not_waived(do: Do, step: Step, coordinator: User) -> None:
    do("complete", step, coordinator)
    with pytest.raises(StepClosedError):
        do("waive", step, coordinator, reason="Too late")


@pytest.mark.parametrize("persona", ["responder", "desk", "communications", "auditor"])
def test_only_coordinators_waive(do: Do, step: Step, persona: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(NotAllowedError):
        do("waive", step, request.getfixturevalue(persona), reason="Not needed")


def test_to_an_outsider_there_is_no_incident(do: Do, step: Step, outsider: User) -> None:
    with pytest.raises(NotFoundError):
        do("waive", step, outsider, reason="Not needed")
