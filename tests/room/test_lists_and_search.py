"""The list of incidents, my work and the search: only what somebody is in."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.incidents.models import Incident, IncidentRole
from tests.factories import make_affected, make_entry, make_incident, make_step

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


def listed(client: Client, query: str = "") -> str:
    return client.get(f"{reverse('incident_list')}{query}").text


def test_running_incidents_stand_most_severe_first(coordinator: User, client_of: ClientOf) -> None:
    mild = make_incident(lead=coordinator, severity=3, title="Mild")
    grave = make_incident(lead=coordinator, severity=1, title="Grave")
    text = listed(client_of(coordinator))
    assert text.index(grave.title) < text.index(mild.title)
    assert "2 active, 0 closed" in text


def test_closed_ones_follow_by_keyset_page(coordinator: User, client_of: ClientOf) -> None:
    at = timezone.now()
    for number in range(30):
        declared = at - timedelta(days=number + 1)
        make_incident(
            lead=coordinator, status="closed", closed_at=at, declared_at=declared, title=f"Old case {number:02d}"
        )
    client = client_of(coordinator)
    first = listed(client)
    assert ("Old case 24" in first, "Old case 25" in first) == (True, False)
    last_shown = Incident.objects.get(title="Old case 24").reference
    second = listed(client, f"?show=over&before={last_shown}")
    assert ("Old case 24" in second, "Old case 25" in second, "Old case 29" in second) == (False, True, True)


@pytest.mark.parametrize("query", ["?q=heron", "?severity=2", "?show=exercises", "?runbook=mailbox-fraud"])
def test_filters_narrow_the_list(query: str, coordinator: User, client_of: ClientOf) -> None:
    changes = {"title": "Heron", "severity": 2, "is_exercise": True, "runbook_slug": "mailbox-fraud"}
    make_incident(lead=coordinator, **changes)
    make_incident(lead=coordinator, title="Another matter")
    text = listed(client_of(coordinator), query)
    assert "Heron" in text
    assert "Another matter" not in text


def test_an_incident_is_found_by_an_account_of_its_list(coordinator: User, client_of: ClientOf) -> None:
    incident = make_incident(lead=coordinator, title="With the account")
    make_affected(incident, login="ana.berg@parliament.example")
    make_incident(lead=coordinator, title="Without it")
    text = listed(client_of(coordinator), "?q=ana.berg")
    assert ("With the account" in text, "Without it" in text) == (True, False)


def test_empty_lists_say_why_and_what_next(coordinator: User, desk: User, client_of: ClientOf) -> None:
    assert "No incidents yet" in listed(client_of(coordinator))
    assert "You are not in any incident" in listed(client_of(desk))
    make_incident(lead=coordinator)
    assert "No incidents match these filters" in listed(client_of(coordinator), "?q=nothing-like-it")


@pytest.mark.parametrize("query", ["?severity=x", "?show=x", "?before=IR-1-1"])
def test_nonsense_in_the_address_is_no_error(query: str, coordinator: User, client_of: ClientOf) -> None:
    make_incident(lead=coordinator)
    assert client_of(coordinator).get(f"{reverse('incident_list')}{query}").status_code == 200


def test_my_work_is_what_i_own_or_my_role_should_take(
    incident: Incident, responder: User, coordinator: User, client_of: ClientOf
) -> None:
    IncidentRole.objects.create(incident=incident, kind="forensics", user=responder, since=timezone.now())
    make_step(incident, title="Owned by me", owner=responder, role="lead")
    make_step(incident, title="For my role", role="forensics")
    make_step(incident, title="Owned by another", owner=coordinator, role="forensics")
    make_step(incident, title="For another role", role="network")
    text = client_of(responder).get(reverse("my_work")).text
    assert all(title in text for title in ("Owned by me", "For my role"))
    assert not any(title in text for title in ("Owned by another", "For another role"))
    assert "Owned by another" in client_of(coordinator).get(reverse("my_work")).text


def test_my_work_ends_with_the_incident_and_with_membership(
    incident: Incident, responder: User, client_of: ClientOf
) -> None:
    make_step(incident, title="Owned by me", owner=responder)
    client = client_of(responder)
    assert "Owned by me" in client.get(reverse("my_work")).text
    incident.memberships.filter(user=responder).update(ended_at=timezone.now())
    assert "Owned by me" not in client.get(reverse("my_work")).text


def test_search_finds_incidents_accounts_and_entries(
    incident: Incident, coordinator: User, client_of: ClientOf
) -> None:
    make_affected(incident, login="heron@parliament.example")
    make_entry(incident, "A heron was seen at the gate")
    text = client_of(coordinator).get(reverse("search"), {"q": "heron"}).text
    assert "2 results" in text
    assert reverse("timeline_entry", args=[incident.reference, 1]) in text
    assert incident.reference in client_of(coordinator).get(reverse("search"), {"q": incident.reference}).text


@pytest.mark.parametrize("text", ["", "a", "'; --", '"', "a & | !", "%"])
def test_search_takes_anything(text: str, incident: Incident, coordinator: User, client_of: ClientOf) -> None:
    assert client_of(coordinator).get(reverse("search"), {"q": text}).status_code == 200
