"""The incident's own copy of its runbook."""

from datetime import timedelta

import pytest
from django.db import transaction

from runbooks.catalog.loader import load
from runbooks.containment.models import Step
from runbooks.containment.operations import copy_runbook
from runbooks.incidents.models import Incident


@pytest.fixture
def copied(incident: Incident) -> list[Step]:
    return copy_runbook(incident, load("compromised-accounts"), incident.declared_at)


def test_every_step_of_the_runbook_is_copied_in_its_order(incident: Incident, copied: list[Step]) -> None:
    kept = list(Step.objects.filter(incident=incident).order_by("position"))
    runbook = load("compromised-accounts")
    assert [step.key for step in kept] == [step.id for step in runbook.steps]
    assert [step.number for step in kept] == [step.number for step in runbook.steps]
    assert len(copied) == len(runbook.steps) == 40


def test_due_times_count_from_the_declaration(incident: Incident, copied: list[Step]) -> None:
    due = dict(Step.objects.filter(incident=incident).values_list("key", "due_at"))
    assert due["declare-incident"] == incident.declared_at + timedelta(minutes=15)
    assert due["notify-regulator"] == incident.declared_at + timedelta(hours=72)
    assert due["disable-sign-in"] == incident.declared_at + timedelta(minutes=15)


def test_a_step_without_a_target_has_no_due_time(incident: Incident, copied: list[Step]) -> None:
    assert Step.objects.get(incident=incident, key="re-enable-accounts").due_at is None


def test_the_copy_keeps_what_the_author_asked_for(incident: Incident, copied: list[Step]) -> None:
    runbook = load("compromised-accounts")
    for step in Step.objects.filter(incident=incident):
        written = runbook.step(step.key)
        assert step.evidence_required == [{"key": rule.key, "label": rule.label} for rule in written.evidence]
        assert (step.depends_on, step.tiers) == (list(written.depends_on), list(written.tiers))
        assert (step.fact, step.counted, step.two_person) == (written.fact, written.counted, written.two_person)
        assert (step.instruction, step.role, step.scope) == (written.instruction, written.role, written.scope)
        assert step.deadline_label == written.deadline_label
        assert step.phase_title == runbook.phase_title(step.phase)
        assert step.status == Step.Status.PENDING


@pytest.mark.django_db(transaction=True)
def test_the_copy_is_refused_outside_the_declarations_transaction(incident: Incident) -> None:
    assert not transaction.get_connection().in_atomic_block
    with pytest.raises(RuntimeError, match="transaction"):
        copy_runbook(incident, load("compromised-accounts"), incident.declared_at)
    assert not Step.objects.filter(incident=incident).exists()
