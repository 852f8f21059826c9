"""Taking a step."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE, actor_for
from runbooks.containment.models import Step
from runbooks.containment.operations import CannotClaimError, NotYourStepError, StepClosedError, claim
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import IncidentOverError
from runbooks.timeline.models import TimelineEvent
from tests.containment.conftest import NOON

Do = Callable[..., Any]


def test_whoever_claims_a_step_has_it_and_the_timeline_says_so(
    do: Do, step: Step, responder: User, newest_entry: Callable[[], TimelineEvent]
) -> None:
    do("claim", step, responder)
    step.refresh_from_db()
    assert step.owner == responder
    entry = newest_entry()
    assert (entry.kind, entry.lane, entry.step_id, entry.actor) == ("step.claimed", "action", step.pk, responder.name)
    assert entry.details["number"] == "1.4"
    assert entry.details["title"] == "Preserve the logs"
    assert entry.occurred_at == NOON


def test_a_step_somebody_has_is_not_claimed_from_them(do: Do, step: Step, responder: User, desk: User) -> None:
    do("claim", step, responder)
    with pytest.raises(NotYourStepError, match=f"{responder.name} has claimed step 1.4 already. Reassign it"):
        do("claim", step, desk)
    step.refresh_from_db()
    assert step.owner == responder


def test_claiming_twice_changes_nothing(do: Do, step: Step, responder: User, incident: Incident) -> None:
    do("claim", step, responder)
    version = Step.objects.get(pk=step.pk).version
    do("claim", step, responder)
    assert Step.objects.get(pk=step.pk).version == version
    assert TimelineEvent.objects.filter(incident=incident, kind="step.claimed").count() == 1


def test_the_service_desk_may_claim(do: Do, step: Step, desk: User) -> None:
    do("claim", step, desk)
    assert Step.objects.get(pk=step.pk).owner == desk


def test_an_auditor_may_not_claim(do: Do, step: Step, auditor: User) -> None:
    with pytest.raises(NotAllowedError):
        do("claim", step, auditor)


def test_to_an_outsider_there_is_no_incident(do: Do, step: Step, outsider: User) -> None:
    with pytest.raises(NotFoundError):
        do("claim", step, outsider)


def test_the_command_line_cannot_have_a_step(incident: Incident, step: Step) -> None:
    with pytest.raises(CannotClaimError):
        claim(incident_id=incident.pk, key=step.key, actor=COMMAND_LINE, at=NOON)


def test_a_closed_step_is_not_claimed(do: Do, step: Step, responder: User, coordinator: User) -> None:
    do("waive", step, coordinator, reason="Logs are gone")
    with pytest.raises(StepClosedError, match=r"Step 1\.4 is waived already\. Reopen it"):
        do("claim", step, responder)


def test_nothing_is_claimed_in_a_closed_incident(do: Do, step: Step, responder: User, incident: Incident) -> None:
    Incident.objects.filter(pk=incident.pk).update(status="closed", closed_at=NOON)
    with pytest.raises(IncidentOverError, match="closed"):
        do("claim", step, responder)


def test_a_step_of_another_incident_is_not_found(incident: Incident, step: Step, responder: User) -> None:
    with pytest.raises(NotFoundError):
        claim(incident_id=incident.pk, key="no-such-step", actor=actor_for(responder), at=NOON)


@pytest.mark.django_db(transaction=True)
def test_of_two_claims_at_the_same_moment_one_wins(do: Do, step: Step, responder: User, desk: User) -> None:
    together = threading.Barrier(2)
    won: list[str] = []
    refused: list[str] = []

    def try_to_claim(user: User) -> None:
        try:
            together.wait(10)
            do("claim", step, user)
            won.append(user.name)
        except DomainError as error:
            refused.append(str(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=try_to_claim, args=(user,)) for user in (responder, desk)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    step.refresh_from_db()
    assert step.owner is not None
    assert won == [step.owner.name]
    assert len(refused) == 1
    assert won[0] in refused[0]
    assert TimelineEvent.objects.filter(kind="step.claimed").count() == 1
