"""The checklist on paper."""

from collections.abc import Callable

from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from runbooks.access.models import User
from runbooks.catalog.loader import load
from runbooks.containment.models import Step
from runbooks.containment.operations import copy_runbook
from runbooks.incidents.models import Incident

ClientOf = Callable[[User], Client]


def address(incident: Incident) -> str:
    return reverse("steps_print", args=[incident.reference])


def test_the_paper_has_every_step_with_its_instruction_and_evidence(
    incident: Incident, auditor: User, client_of: ClientOf
) -> None:
    copy_runbook(incident, load("compromised-accounts"), incident.declared_at)
    body = client_of(auditor).get(address(incident)).content.decode()
    for step in Step.objects.filter(incident=incident):
        assert f'<span class="no">{step.number}</span>' in body
        for rule in step.evidence_required:
            assert rule["label"].replace("'", "&#x27;") in body
    assert "take the higher one" in body
    assert "After 1.4." in body


def test_a_closed_step_takes_one_line(incident: Incident, step: Step, auditor: User, client_of: ClientOf) -> None:
    Step.objects.filter(pk=step.pk).update(
        status="succeeded", closed_at=timezone.now(), instruction="Never printed again"
    )
    body = client_of(auditor).get(address(incident)).content.decode()
    assert "Never printed again" not in body
    assert "Preserve the logs" in body


def test_the_queries_are_as_many_for_one_step_as_for_forty(
    incident: Incident,
    step: Step,
    auditor: User,
    client_of: ClientOf,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    client = client_of(auditor)
    client.get(address(incident))
    step.delete()
    copy_runbook(incident, load("compromised-accounts"), incident.declared_at)
    with django_assert_max_num_queries(11):
        client.get(address(incident))


def test_to_an_outsider_there_is_no_paper(incident: Incident, outsider: User, client_of: ClientOf) -> None:
    assert client_of(outsider).get(address(incident)).status_code == 404
