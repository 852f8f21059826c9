"""The declaration's form: five answers, nothing typed is lost."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from runbooks.access.models import User
from runbooks.incidents.models import Incident

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


def answers(lead: User, **changes: str) -> dict[str, str]:
    return {
        "title": "Password guessing on staff mail",
        "severity": "1",
        "runbook": "compromised-accounts",
        "detected_at": "2026-06-23T08:51",
        "detected_by": "Gateway alarm",
        "lead": str(lead.pk),
        "tlp": "AMBER",
        "codename": "",
        "time_zone": "Europe/London",
        **changes,
    }


def test_a_coordinator_declares_and_lands_in_the_room(coordinator: User, client_of: ClientOf) -> None:
    client = client_of(coordinator)
    response = client.post(reverse("incident_declare"), answers(coordinator))
    incident = Incident.objects.get()
    assert response.status_code == 302
    assert response["Location"] == reverse("incident", args=[incident.reference])
    assert incident.detected_at.isoformat() == "2026-06-23T07:51:00+00:00"
    assert "is declared" in client.get(response["Location"]).text


def test_an_error_says_the_mend_and_keeps_what_was_typed(coordinator: User, client_of: ClientOf) -> None:
    response = client_of(coordinator).post(
        reverse("incident_declare"), answers(coordinator, severity="", detected_at="yesterday")
    )
    assert response.status_code == 400
    assert "Write date and time as" in response.text
    assert "Password guessing on staff mail" in response.text
    assert not Incident.objects.exists()


def test_an_exercise_is_marked_on_its_pages(coordinator: User, client_of: ClientOf) -> None:
    client = client_of(coordinator)
    client.post(reverse("incident_declare"), answers(coordinator, is_exercise="on"))
    page = client.get(reverse("incident", args=[Incident.objects.get().reference]))
    assert "Exercise. Nothing here is real." in page.text


def test_a_responder_is_told_that_they_may_not(responder: User, client_of: ClientOf) -> None:
    response = client_of(responder).get(reverse("incident_declare"))
    assert response.status_code == 403
    assert "may not declare" in response.text
