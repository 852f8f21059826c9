"""Every address of the portal, walked by people who must see nothing."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from runbooks.access.models import User
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.timeline.models import TimelineEvent
from tests.access.routes import BY_NAME, NAMES
from tests.factories import make_action, make_affected, make_entry, make_step

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]

# Open to anybody: health, the ways to sign in and out, where systems answer, by their own signature, the public keys,
# and the pages on which holders confirm with a code (tests/confirmations).
OPEN = {"healthz", "account_login", "account_logout", "connector_answers", "signers"}
OPEN |= {"notice_call_back", "mail_call_back"}
OPEN |= {name for name in NAMES if name.startswith("holder_")}
# An auditor may have the chain verified: the request itself writes nothing.
ASKED_OF_A_WORKER = {"seal_verify"}


def arguments(pattern: URLPattern, incident: Incident) -> dict[str, Any]:
    """Real objects of the incident for whatever the address names."""
    affected = incident.affected_accounts.get()
    known: dict[str, Any] = {
        "reference": incident.reference,
        "incident_id": incident.pk,
        "pk": affected.pk,
        "key": incident.steps.get().key,
        "sequence": 1,
        "user_id": incident.lead_id,
        "role_id": IncidentRole.objects.get(incident=incident).pk,
        "slug": "compromised-accounts",
        "number": incident.actions.get().number,
    }
    fillers = {"IntConverter": 1, "UUIDConverter": uuid4()}
    converters = pattern.pattern.converters
    return {name: known.get(name, fillers.get(type(kind).__name__, "none")) for name, kind in converters.items()}


@pytest.fixture
def room(incident: Incident) -> Incident:
    make_action(incident, make_affected(incident), reason="The heron has landed")
    make_step(incident)
    make_entry(incident, "Only for members: the heron has landed")
    return incident


def in_incident(pattern: URLPattern) -> bool:
    return bool({"reference", "incident_id"} & set(pattern.pattern.converters))


INCIDENT_NAMES = [name for name in NAMES if in_incident(BY_NAME[name])]


def test_the_walk_finds_the_pages_of_an_incident() -> None:
    assert {"incident", "steps", "accounts", "timeline", "live", "incident_people", "notices"} <= set(INCIDENT_NAMES)


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", INCIDENT_NAMES)
def test_an_outsider_finds_no_page_of_an_incident(
    name: str, method: str, room: Incident, outsider: User, client_of: ClientOf
) -> None:
    address = reverse(name, kwargs=arguments(BY_NAME[name], room))
    before = TimelineEvent.objects.count()
    response = getattr(client_of(outsider), method)(address)
    assert response.status_code in {404, 405}
    assert "heron" not in response.content.decode()
    assert TimelineEvent.objects.count() == before


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OPEN])
def test_somebody_not_signed_in_is_sent_to_sign_in(name: str, room: Incident) -> None:
    address = reverse(name, kwargs=arguments(BY_NAME[name], room))
    for response in (Client().get(address), Client().post(address)):
        if name.startswith("api_"):
            assert response.status_code == 403
            continue
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("name", INCIDENT_NAMES)
def test_an_auditor_changes_nothing_anywhere(name: str, room: Incident, auditor: User, client_of: ClientOf) -> None:
    address = reverse(name, kwargs=arguments(BY_NAME[name], room))
    before = TimelineEvent.objects.count()
    response = client_of(auditor).post(address, {"reason": "x", "status": "contained", "summary": "x", "lane": "note"})
    assert response.status_code in {400, 403, 404, 405, 409} or name in ASKED_OF_A_WORKER
    assert TimelineEvent.objects.count() == before


def test_an_incident_that_is_not_there_looks_like_one_that_is_somebody_elses(
    room: Incident, outsider: User, client_of: ClientOf
) -> None:
    client = client_of(outsider)
    hidden = client.get(reverse("incident", args=[room.reference]))
    absent = client.get(reverse("incident", args=["IR-2001-0001"]))
    assert (hidden.status_code, absent.status_code) == (404, 404)
    token = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]+"')  # masked anew in every answer
    assert token.sub(b"", hidden.content) == token.sub(b"", absent.content)


def test_the_list_and_the_search_hold_only_ones_own(room: Incident, outsider: User, client_of: ClientOf) -> None:
    client = client_of(outsider)
    for address in (
        reverse("incident_list"),
        f"{reverse('search')}?q=heron",
        f"{reverse('search')}?q={room.reference}",
    ):
        text = client.get(address).text
        assert room.title not in text
        assert "has landed" not in text
