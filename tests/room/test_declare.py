"""Declaring: the row, its frozen runbook, its people and entry #1, all or nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from runbooks.access.models import Membership, User
from runbooks.access.permissions import COMMAND_LINE, actor_for
from runbooks.catalog.loader import UnknownRunbookError, load
from runbooks.containment.models import Step
from runbooks.errors import NotAllowedError
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.room.operations.declare import CannotDeclareError, Declaration, declare
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.verify import verify_chain

pytestmark = pytest.mark.django_db


def declaration(**changes: object) -> Declaration:
    known = Declaration("compromised-accounts", "Password guessing", 1, timezone.now(), "Gateway alarm")
    return replace(known, **changes)  # type: ignore[arg-type]  # a test names fields freely


def test_the_first_entry_says_what_was_declared_and_names_the_exact_runbook(coordinator: User) -> None:
    incident = declare(declaration=declaration(lead_id=coordinator.pk), actor=actor_for(coordinator), at=timezone.now())
    first = TimelineEvent.objects.get(incident=incident, sequence=1)
    runbook = load("compromised-accounts")
    assert first.kind == "incident.declared"
    assert first.details["runbook"] == {"slug": runbook.slug, "version": runbook.version, "digest": runbook.digest}
    assert first.actor_user == coordinator
    verdict = verify_chain(incident.pk)
    assert (verdict.broken_at, verdict.entries) == (None, incident.head_sequence)


def test_the_incident_gets_its_own_copy_of_every_step_with_due_times(coordinator: User) -> None:
    at = timezone.now()
    incident = declare(declaration=declaration(), actor=actor_for(coordinator), at=at)
    copies = {step.key: step for step in Step.objects.filter(incident=incident)}
    runbook = load("compromised-accounts")
    assert list(copies) == [step.id for step in runbook.steps]
    assert all(copies[step.id].due_at == (at + step.target if step.target else None) for step in runbook.steps)


def test_declaring_is_itself_the_first_step_and_is_done_with_its_evidence(coordinator: User) -> None:
    incident = declare(declaration=declaration(), actor=actor_for(coordinator), at=timezone.now())
    step = Step.objects.get(incident=incident, key="declare-incident")
    assert step.status == Step.Status.SUCCEEDED
    assert "Gateway alarm" in step.evidence.get().note


def test_the_declarer_the_lead_and_all_coordinators_are_in_and_nobody_else(
    coordinator: User, approver: User, responder: User, auditor: User, desk: User
) -> None:
    incident = declare(declaration=declaration(lead_id=responder.pk), actor=actor_for(coordinator), at=timezone.now())
    members = set(Membership.objects.filter(incident=incident).values_list("user_id", flat=True))
    assert members == {coordinator.pk, approver.pk, responder.pk}
    assert IncidentRole.objects.get(incident=incident, kind="lead").user == responder


def test_a_refused_declaration_leaves_nothing_and_takes_no_number(coordinator: User) -> None:
    actor, at = actor_for(coordinator), timezone.now()
    wrong = [
        declaration(title="  "),
        declaration(severity=5),
        declaration(detected_at=at + timedelta(hours=1)),
        declaration(lead_id=0),
    ]
    for one in wrong:
        with pytest.raises(CannotDeclareError):
            declare(declaration=one, actor=actor, at=at)
    with pytest.raises(UnknownRunbookError):
        declare(declaration=declaration(runbook_slug="no-such"), actor=actor, at=at)
    assert not Incident.objects.exists()
    assert declare(declaration=declaration(), actor=actor, at=at).number == 1


def test_a_responder_may_not_declare(responder: User) -> None:
    with pytest.raises(NotAllowedError):
        declare(declaration=declaration(), actor=actor_for(responder), at=timezone.now())


def test_the_command_line_may_declare_before_there_are_people(db: None) -> None:
    incident = declare(declaration=declaration(), actor=COMMAND_LINE, at=timezone.now())
    assert incident.lead is None
    assert TimelineEvent.objects.get(incident=incident, sequence=1).actor == "Command line"
