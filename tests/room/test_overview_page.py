"""The overview: what needs somebody, how the accounts stand, what was just done."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.room.operations.declare import Declaration, declare
from tests.factories import make_affected, make_entry, make_incident, make_step

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


def overview(client: Client, incident: Incident) -> str:
    response = client.get(reverse("incident", args=[incident.reference]))
    assert response.status_code == 200
    return response.text


def test_a_new_incident_says_what_to_do_first(incident: Incident, coordinator: User, client_of: ClientOf) -> None:
    text = overview(client_of(coordinator), incident)
    assert "Load the analysts’ list" in text
    assert "Nothing waits for you in this incident." in text
    assert "No access restrictions." in text


def test_an_incident_without_a_lead_asks_for_one_first_of_all(coordinator: User, client_of: ClientOf) -> None:
    declaration = Declaration("compromised-accounts", "Spray", 1, timezone.now())
    incident = declare(declaration=declaration, actor=COMMAND_LINE, at=timezone.now())
    text = overview(client_of(coordinator), incident)
    assert "Nobody leads this incident" in text
    assert "nobody yet, name one" in text


def test_a_late_step_of_my_role_is_mine_to_see_and_not_my_colleagues(
    incident: Incident, coordinator: User, responder: User, client_of: ClientOf
) -> None:
    make_step(incident, title="Preserve the logs", role="scribe", due_at=timezone.now() - timedelta(minutes=22))
    IncidentRole.objects.create(incident=incident, kind="scribe", user=responder, since=timezone.now())
    mine, theirs = (overview(client_of(user), incident).split('id="affected"')[0] for user in (responder, coordinator))
    assert "Preserve the logs" in mine
    assert "22 min late" in mine
    assert "Preserve the logs" not in theirs
    assert "overdue (1)" in theirs


def test_accounts_are_counted_from_rows_and_lead_to_their_list(
    incident: Incident, coordinator: User, client_of: ClientOf
) -> None:
    for state, tier in (("compromised", "A"), ("compromised", "B"), ("contained", "A"), ("suspected", "D")):
        make_affected(incident, state=state, tier=tier)
    text = overview(client_of(coordinator), incident)
    assert "1 of 3 compromised accounts contained, 0 restored." in text
    assert f"{reverse('accounts', args=[incident.reference])}?group=confirmed" in text
    assert "4 on the list" in text


def test_a_lock_down_that_stands_is_in_the_banner_until_it_is_undone(
    incident: Incident, coordinator: User, client_of: ClientOf
) -> None:
    at = timezone.now() - timedelta(hours=1)
    undo = make_step(incident, key="restore")
    make_step(
        incident,
        number="2.3",
        automation="restrict_remote_access",
        reversible_by="restore",
        status="succeeded",
        closed_at=at,
    )
    client = client_of(coordinator)
    assert "Remote access is restricted since" in overview(client, incident)
    undo.status, undo.closed_at = "succeeded", timezone.now()
    undo.save()
    make_entry(incident, "Remote access is back")
    assert "Remote access is restricted since" not in overview(client, incident)


def test_the_newest_entries_are_shown_with_their_authors(
    incident: Incident, coordinator: User, client_of: ClientOf
) -> None:
    for number in range(12):
        make_entry(incident, f"Entry number {number}")
    text = overview(client_of(coordinator), incident)
    assert "Entry number 11" in text
    assert "Entry number 2<" not in text
    assert "Command line" in text


def test_an_auditor_sees_it_all_and_has_no_form(incident: Incident, auditor: User, client_of: ClientOf) -> None:
    text = overview(client_of(auditor), incident)
    assert "Add to timeline" not in text
    assert "Coordinators and responders load the analysts’ list." in text


def test_times_are_in_the_zone_of_the_incident(coordinator: User, client_of: ClientOf) -> None:
    incident = make_incident(lead=coordinator, time_zone="Asia/Tokyo")
    assert "JST (UTC+09:00), Asia/Tokyo" in overview(client_of(coordinator), incident)
