"""Beginning a step."""

from collections.abc import Callable
from typing import Any

import pytest

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE
from runbooks.containment.models import Step
from runbooks.containment.operations import (
    BlockedStepError,
    NotYourStepError,
    StepClosedError,
    StepRunningError,
    start,
)
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.containment.conftest import NOON
from tests.factories import make_affected, make_step

Do = Callable[..., Any]


def test_a_started_step_is_in_progress_and_belongs_to_whoever_started_it(
    do: Do, step: Step, responder: User, newest_entry: Callable[[], TimelineEvent]
) -> None:
    do("start", step, responder)
    step.refresh_from_db()
    assert (step.status, step.started_at, step.owner) == (Step.Status.RUNNING, NOON, responder)
    assert newest_entry().kind == "step.started"


def test_a_step_that_depends_on_an_open_one_is_blocked_and_says_by_which(
    do: Do, later_step: Step, responder: User
) -> None:
    with pytest.raises(BlockedStepError, match=r"waits for 1\.4 Preserve the logs\. Complete or waive it") as refusal:
        do("start", later_step, responder)
    assert refusal.value.numbers == ["1.4"]
    assert Step.objects.get(pk=later_step.pk).status == Step.Status.PENDING


@pytest.mark.parametrize(("verb", "reason"), [("complete", ""), ("waive", "No logs are kept")])
def test_a_blocked_step_can_start_once_the_other_is_done_or_waived(
    do: Do, step: Step, later_step: Step, coordinator: User, verb: str, reason: str
) -> None:
    do(verb, step, coordinator, reason=reason)
    do("start", later_step, coordinator)
    assert Step.objects.get(pk=later_step.pk).status == Step.Status.RUNNING


def test_a_step_for_each_account_follows_another_one_that_was_started(
    do: Do, incident: Incident, responder: User
) -> None:
    first = make_step(incident, scope="account", fact="sign_in_disabled")
    second = make_step(incident, scope="account", fact="sessions_revoked", depends_on=[first.key])
    with pytest.raises(BlockedStepError):
        do("start", second, responder)
    do("start", first, responder)
    do("start", second, responder)
    with pytest.raises(BlockedStepError):
        do("complete", second, responder)


def test_a_step_of_the_incident_waits_for_one_of_each_account_only_until_that_is_under_way(
    do: Do, incident: Incident, responder: User
) -> None:
    assessing = make_step(incident, scope="account", fact="data_loss_assessed")
    telling = make_step(incident, depends_on=[assessing.key])
    make_affected(incident, state="compromised", tier="A")
    with pytest.raises(BlockedStepError):
        do("start", telling, responder)
    do("start", assessing, responder)
    do("complete", telling, responder)
    assert Step.objects.get(pk=telling.pk).status == Step.Status.SUCCEEDED


def test_a_step_in_progress_is_not_started_again(do: Do, step: Step, responder: User) -> None:
    do("start", step, responder)
    with pytest.raises(StepRunningError, match="in progress already"):
        do("start", step, responder)


def test_a_closed_step_is_not_started(do: Do, step: Step, responder: User) -> None:
    do("complete", step, responder)
    with pytest.raises(StepClosedError):
        do("start", step, responder)


def test_somebody_elses_step_is_theirs_to_start(do: Do, step: Step, responder: User, desk: User) -> None:
    do("claim", step, responder)
    with pytest.raises(NotYourStepError, match=responder.name):
        do("start", step, desk)


def test_a_coordinator_starts_a_step_for_somebody_who_keeps_it(
    do: Do, step: Step, responder: User, coordinator: User
) -> None:
    do("claim", step, responder)
    do("start", step, coordinator)
    step.refresh_from_db()
    assert (step.status, step.owner) == (Step.Status.RUNNING, responder)


def test_the_command_line_starts_a_step_that_stays_nobodys(incident: Incident, step: Step) -> None:
    start(incident_id=incident.pk, key=step.key, actor=COMMAND_LINE, at=NOON)
    step.refresh_from_db()
    assert (step.status, step.owner) == (Step.Status.RUNNING, None)


def test_an_auditor_may_not_start(do: Do, step: Step, auditor: User) -> None:
    with pytest.raises(NotAllowedError):
        do("start", step, auditor)


def test_to_an_outsider_there_is_no_incident(do: Do, step: Step, outsider: User) -> None:
    with pytest.raises(NotFoundError):
        do("start", step, outsider)
