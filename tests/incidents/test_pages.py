"""The people page and the page of facts and status: what is typed is never lost."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from runbooks.access.models import Membership, User
from runbooks.incidents.models import Incident, IncidentRole

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


def facts(incident: Incident, **changes: object) -> dict[str, object]:
    return {
        "title": incident.title,
        "severity": incident.severity,
        "tlp": incident.tlp,
        "codename": incident.codename,
        "detected_at": "2026-06-23T08:51",
        "detected_by": incident.detected_by,
        "time_zone": incident.time_zone,
        "version": incident.version,
        **changes,
    }


def test_facts_are_saved_and_the_change_is_said(incident: Incident, coordinator: User, client_of: ClientOf) -> None:
    client = client_of(coordinator)
    address = reverse("incident_edit", args=[incident.reference])
    response = client.post(address, facts(incident, codename="Heron"), follow=True)
    assert "The change is in the timeline" in response.text
    incident.refresh_from_db()
    assert incident.codename == "Heron"


def test_a_stale_form_is_refused_with_both_versions_and_can_be_saved_then(
    incident: Incident, coordinator: User, client_of: ClientOf
) -> None:
    client, address = client_of(coordinator), reverse("incident_edit", args=[incident.reference])
    client.post(address, facts(incident, title="What the other wrote"))
    refused = client.post(address, facts(incident, title="What I wrote"))
    assert refused.status_code == 409
    assert "What the other wrote" in refused.text
    assert 'value="What I wrote"' in refused.text
    assert client.post(address, facts(incident, title="What I wrote", version=2)).status_code == 302
    incident.refresh_from_db()
    assert incident.title == "What I wrote"


def test_a_status_that_does_not_follow_is_refused_with_the_way_there(
    incident: Incident, coordinator: User, client_of: ClientOf
) -> None:
    address = reverse("incident_status", args=[incident.reference])
    response = client_of(coordinator).post(address, {"status": "closed", "reason": "All quiet"})
    assert response.status_code == 409
    assert "From there it can become contained or dismissed" in response.text
    assert "All quiet" in response.text


def test_the_header_leads_a_coordinator_to_the_facts_and_nobody_else(
    incident: Incident, coordinator: User, responder: User, client_of: ClientOf
) -> None:
    edit, people = (reverse(name, args=[incident.reference]) for name in ("incident_edit", "incident_people"))
    assert edit in client_of(coordinator).get(people).text
    assert edit not in client_of(responder).get(people).text
    assert client_of(responder).get(edit).status_code == 403


def test_a_coordinator_adds_and_removes_people(
    incident: Incident, coordinator: User, outsider: User, client_of: ClientOf
) -> None:
    client = client_of(coordinator)
    added = client.post(reverse("incident_people_add", args=[incident.reference]), {"user": outsider.pk}, follow=True)
    assert f"{outsider} is in the incident now." in added.text
    client.post(reverse("incident_people_end", args=[incident.reference, outsider.pk]))
    assert Membership.objects.get(user=outsider, incident=incident).ended_at is not None


def test_a_role_is_handed_over_with_its_note(
    incident: Incident, coordinator: User, approver: User, client_of: ClientOf
) -> None:
    address = reverse("incident_role_give", args=[incident.reference])
    answer = {"kind": "lead", "user": approver.pk, "note": "Night shift"}
    page = client_of(coordinator).post(address, answer, follow=True)
    assert f"{approver} is lead now." in page.text
    assert "Night shift" in client_of(coordinator).get(reverse("timeline", args=[incident.reference])).text


def test_what_cannot_be_is_said_on_the_page(incident: Incident, coordinator: User, client_of: ClientOf) -> None:
    client = client_of(coordinator)
    leaving = client.post(reverse("incident_people_end", args=[incident.reference, coordinator.pk]))
    assert (leaving.status_code, "Hand the lead over first" in leaving.text) == (409, True)
    role = IncidentRole.objects.get(incident=incident, kind="lead")
    ending = client.post(reverse("incident_role_end", args=[incident.reference, role.pk]))
    assert "always has a lead" in ending.text
    nobody = client.post(reverse("incident_role_give", args=[incident.reference]), {"kind": "scribe"})
    assert "Choose a role and a person." in nobody.text
