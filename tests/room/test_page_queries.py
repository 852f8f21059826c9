"""How many queries the pages of an incident make: always the same, however much the incident holds."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bench.seeding import large_incident
from bench.visit import addresses
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent

# Queries of the first visit after a change, when what is kept is counted anew, and of every further one until the next
# change. The header is counted with the first page.
QUERIES = {
    "overview": (25, 8),
    "steps": (6, 4),
    "accounts": (9, 4),
    "actions": (4, 4),
    "timeline": (11, 5),
    "people": (8, 8),
    "notices": (9, 9),
}
NAMES = {"overview": "incident", "people": "incident_people"}


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def visits(incident: Incident) -> dict[str, tuple[int, int]]:
    """Each page twice, by its lead."""
    lead = incident.lead
    assert lead is not None
    client = Client()
    client.force_login(lead)
    client.get(reverse("incident_list"))
    found = {}
    for page in QUERIES:
        address = reverse(NAMES.get(page, page), args=[incident.reference])
        found[page] = (queries(client, address), queries(client, address))
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("accounts", "entries"), [(10, 100), (9_000, 100_000)])
def test_a_page_makes_the_same_queries_whatever_the_incident_holds(accounts: int, entries: int) -> None:
    incident = large_incident(accounts=accounts, entries=entries)
    assert AffectedAccount.objects.filter(incident=incident).count() == accounts
    assert TimelineEvent.objects.filter(incident=incident).count() > entries
    assert visits(incident) == QUERIES


@pytest.mark.django_db(transaction=True)
def test_the_deepest_pages_make_the_queries_of_the_first() -> None:
    incident = large_incident(accounts=300, entries=500)
    lead = incident.lead
    assert lead is not None
    client = Client()
    client.force_login(lead)
    counted = {}
    for page, address in addresses(incident).pages.items():
        client.get(address)
        counted[page] = queries(client, address)
    assert counted["accounts, deepest page"] == counted["accounts, first page"]
    assert counted["timeline, deepest page"] == counted["timeline, first page"]
