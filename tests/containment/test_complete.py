"""Closing a step as done."""

from collections.abc import Callable
from typing import Any

import pytest

from runbooks.access.models import User
from runbooks.affected_accounts.models import State
from runbooks.containment.models import Evidence, Step
from runbooks.containment.operations import (
    AccountsLeftError,
    BadStepError,
    BlockedStepError,
    EvidenceMissingError,
    NewEvidence,
    NotYourStepError,
    StepClosedError,
)
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import IncidentOverError, StaleFormError
from runbooks.timeline.models import TimelineEvent
from tests.containment.conftest import NOON, RULES
from tests.factories import make_affected, make_step

Do = Callable[..., Any]


def test_a_completed_step_is_done_with_who_and_when(
    do: Do, step: Step, responder: User, newest_entry: Callable[[], TimelineEvent]
) -> None:
    do("complete", step, responder)
    step.refresh_from_db()
    assert (step.status, step.closed_at, step.closed_by) == (Step.Status.SUCCEEDED, NOON, responder.name)
    entry = newest_entry()
    assert (entry.kind, entry.lane, entry.step_id) == ("step.completed", "action", step.pk)


def test_a_step_is_not_completed_before_what_it_depends_on(do: Do, later_step: Step, responder: User) -> None:
    with pytest.raises(BlockedStepError, match=r"1\.4 Preserve the logs"):
        do("complete", later_step, responder)


def test_a_step_is_not_completed_without_its_evidence(do: Do, step: Step, responder: User) -> None:
    Step.objects.filter(pk=step.pk).update(evidence_required=RULES)
    note = NewEvidence(Evidence.Kind.NOTE, "receipt", "Receipt 4711")
    do("add_evidence", step, responder, evidence=note)
    with pytest.raises(EvidenceMissingError, match="Add it: Read-back from the directory") as refusal:
        do("complete", step, responder)
    assert refusal.value.missing == ["Read-back from the directory"]
    assert not Step.objects.get(pk=step.pk).is_closed


def test_a_step_with_all_its_evidence_is_completed(do: Do, step: Step, responder: User) -> None:
    Step.objects.filter(pk=step.pk).update(evidence_required=RULES)
    for rule in RULES:
        do("add_evidence", step, responder, evidence=NewEvidence(Evidence.Kind.NOTE, rule["key"], "Seen"))
    do("complete", step, responder)
    assert Step.objects.get(pk=step.pk).status == Step.Status.SUCCEEDED


def test_withdrawn_evidence_and_evidence_for_nothing_in_particular_do_not_count(
    do: Do, step: Step, responder: User
) -> None:
    Step.objects.filter(pk=step.pk).update(evidence_required=RULES[:1])
    wrong = do("add_evidence", step, responder, evidence=NewEvidence(Evidence.Kind.NOTE, "read-back", "Wrong file"))
    do("add_evidence", step, responder, evidence=NewEvidence(Evidence.Kind.NOTE, "", "Only a remark"))
    do("withdraw_evidence", step, responder, evidence_id=wrong.pk, reason="Another directory")
    with pytest.raises(EvidenceMissingError):
        do("complete", step, responder)


@pytest.fixture
def account_step(incident: Incident) -> Step:
    """Three accounts concerned, one of them done; one only suspected, which does not count."""
    make_affected(incident, state=State.COMPROMISED, tier="A", sign_in_disabled_at=NOON)
    make_affected(incident, state=State.COMPROMISED, tier="A")
    make_affected(incident, state=State.CONTAINED, tier="B")
    make_affected(incident, state=State.SUSPECTED, tier="D")
    return make_step(incident, number="2.8", scope="account", fact="sign_in_disabled")


def test_a_step_for_each_account_is_not_completed_while_accounts_are_left(
    do: Do, account_step: Step, responder: User
) -> None:
    with pytest.raises(AccountsLeftError, match="not done for 2 of 3 accounts") as refusal:
        do("complete", account_step, responder)
    assert refusal.value.left == 2


def test_a_step_is_completed_without_the_accounts_left_when_there_is_a_reason(
    do: Do, account_step: Step, responder: User, newest_entry: Callable[[], TimelineEvent]
) -> None:
    do("complete", account_step, responder, reason="Two mailboxes no longer exist")
    entry = newest_entry()
    assert entry.lane == "decision"
    assert entry.details["accounts_done"] == 1
    assert entry.details["accounts"] == 3
    assert entry.details["reason"] == "Two mailboxes no longer exist"
    assert "without 2 of 3 accounts" in entry.summary


def test_the_reason_for_accounts_left_is_not_a_novel(do: Do, account_step: Step, responder: User) -> None:
    with pytest.raises(BadStepError, match="Keep it to 400"):
        do("complete", account_step, responder, reason="x" * 401)


def test_a_step_for_some_tiers_counts_only_those(do: Do, account_step: Step, responder: User) -> None:
    Step.objects.filter(pk=account_step.pk).update(tiers=["B"])
    with pytest.raises(AccountsLeftError, match="1 of 1 accounts"):
        do("complete", account_step, responder)


def test_a_step_for_each_account_is_completed_when_all_are_through(
    do: Do, account_step: Step, responder: User, incident: Incident
) -> None:
    incident.affected_accounts.update(sign_in_disabled_at=NOON)
    do("complete", account_step, responder)
    assert Step.objects.get(pk=account_step.pk).status == Step.Status.SUCCEEDED


def test_a_form_made_before_the_step_changed_is_refused(do: Do, step: Step, coordinator: User, responder: User) -> None:
    shown = step.version
    do("start", step, responder)
    with pytest.raises(StaleFormError) as refusal:
        do("complete", step, coordinator, version=shown)
    assert refusal.value.current["Status"] == "In progress"


def test_somebody_elses_step_is_theirs_to_complete(do: Do, step: Step, responder: User, desk: User) -> None:
    do("claim", step, responder)
    with pytest.raises(NotYourStepError):
        do("complete", step, desk)


def test_a_done_step_is_not_completed_again(do: Do, step: Step, responder: User) -> None:
    do("complete", step, responder)
    with pytest.raises(StepClosedError):
        do("complete", step, responder)


def test_a_refusal_leaves_no_entry(do: Do, later_step: Step, responder: User, incident: Incident) -> None:
    with pytest.raises(BlockedStepError):
        do("complete", later_step, responder)
    assert not TimelineEvent.objects.filter(incident=incident, kind="step.completed").exists()


def test_nothing_is_completed_in_a_closed_incident(do: Do, step: Step, responder: User, incident: Incident) -> None:
    Incident.objects.filter(pk=incident.pk).update(status="dismissed", closed_at=NOON)
    with pytest.raises(IncidentOverError):
        do("complete", step, responder)


def test_an_auditor_may_not_complete(do: Do, step: Step, auditor: User) -> None:
    with pytest.raises(NotAllowedError):
        do("complete", step, auditor)


def test_to_an_outsider_there_is_no_incident(do: Do, step: Step, outsider: User) -> None:
    with pytest.raises(NotFoundError):
        do("complete", step, outsider)
