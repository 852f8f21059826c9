"""The form that adds a step."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.containment.models import Step
from runbooks.incidents.models import Incident

ClientOf = Callable[[User], Client]


def address(incident: Incident) -> str:
    return reverse("step_add", args=[incident.reference])


def test_a_step_is_added_and_shown_open(incident: Incident, step: Step, coordinator: User, client_of: ClientOf) -> None:
    due = timezone.now().astimezone(incident.zone) + timedelta(hours=2)
    answers = {
        "title": "Check the break-glass accounts",
        "after": step.key,
        "role": "identity",
        "due_at": f"{due:%Y-%m-%dT%H:%M}",
        "evidence": "List of accounts\r\nResult of each\r\n",
        "depends_on": [step.key],
        "instruction": "Sign in with each.",
    }
    response = client_of(coordinator).post(address(incident), answers)
    added = Step.objects.get(incident=incident, is_added=True)
    assert response["Location"].endswith(f"?open={added.key}#step-{added.key}")
    assert added.due_at == due.replace(second=0, microsecond=0)
    assert [rule["label"] for rule in added.evidence_required] == ["List of accounts", "Result of each"]
    assert added.depends_on == [step.key]


def test_a_refused_form_keeps_what_was_typed(
    incident: Incident, step: Step, coordinator: User, client_of: ClientOf
) -> None:
    answers = {"title": "Check them", "after": step.key, "role": "identity", "due_at": "2020-01-01T10:00"}
    response = client_of(coordinator).post(address(incident), answers)
    assert response.status_code == 400
    body = response.content.decode()
    assert "has passed already" in body
    assert 'value="Check them"' in body
    assert 'value="2020-01-01T10:00"' in body


def test_an_empty_form_says_what_is_missing(
    incident: Incident, step: Step, coordinator: User, client_of: ClientOf
) -> None:
    response = client_of(coordinator).post(address(incident), {})
    assert response.status_code == 400
    assert "There is a problem" in response.content.decode()
    assert not Step.objects.filter(incident=incident, is_added=True).exists()


@pytest.mark.parametrize("persona", ["responder", "desk", "auditor"])
def test_only_coordinators_see_the_form(
    incident: Incident, step: Step, persona: str, client_of: ClientOf, request: pytest.FixtureRequest
) -> None:
    client = client_of(request.getfixturevalue(persona))
    assert client.get(address(incident)).status_code == 403
    assert client.post(address(incident), {"title": "x"}).status_code == 403


def test_to_an_outsider_there_is_no_form(incident: Incident, outsider: User, client_of: ClientOf) -> None:
    client = client_of(outsider)
    assert client.get(address(incident)).status_code == 404
    assert client.post(address(incident), {"title": "x"}).status_code == 404
