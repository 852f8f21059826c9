"""The table of accounts."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from runbooks.access.models import User
from runbooks.affected_accounts.models import ContactAttempt, FactKind, State
from runbooks.incidents.models import Incident
from tests.affected_accounts.many import affected_of, holding
from tests.factories import make_account, make_affected, make_incident

pytestmark = pytest.mark.django_db
Clients = Callable[[User], Client]


def text_of(client: Client, incident: Incident, query: str = "", *, status: int = 200) -> str:
    response = client.get(f"/incidents/{incident.reference}/accounts/{query}")
    assert response.status_code == status
    return response.content.decode()


def test_a_row_says_state_checks_contact_and_owner(
    incident: Incident, responder: User, desk: User, client_of: Clients
) -> None:
    row = make_affected(
        incident,
        make_account(login="ann.o'neill@parliament.example", display_name="O'Neill <Ann>", department="Library & co"),
        state=State.CONTAINED,
        tier="A",
        owner=desk,
        is_privileged=True,
        contact_attempts=2,
        last_contact_at=incident.declared_at,
        last_contact_channel=ContactAttempt.Channel.PHONE,
        last_contact_outcome=ContactAttempt.Outcome.NO_ANSWER,
        **holding(FactKind.SIGN_IN_DISABLED, FactKind.SESSIONS_REVOKED, at=incident.declared_at),
    )
    page = text_of(client_of(responder), incident)
    assert "ann.o&#x27;neill" in page
    assert "O&#x27;Neill &lt;Ann&gt;" in page
    assert "Library &amp; co" in page
    assert "<Ann>" not in page
    assert "Contained" in page
    assert "privileged" in page
    assert "No answer ×2, " in page
    assert desk.name in page
    assert page.count('class="done"') == 2
    assert page.count('class="none"') == 4
    assert f'value="{row.pk}"' in page


def test_the_segments_count_and_lead_to_what_they_say(incident: Incident, responder: User, client_of: Clients) -> None:
    for state, size in ((State.COMPROMISED, 3), (State.SUSPECTED, 2), (State.TARGETED, 4)):
        affected_of(incident, size, state=state)
    client = client_of(responder)
    page = text_of(client, incident)
    for said in ("All 9", "Suspected 2", "Compromised 3", "Not affected 4"):
        assert said in page
    for group, size in (("compromised", 3), ("suspected", 2), ("cleared", 4)):
        assert f"accounts/?group={group}" in page
        assert text_of(client, incident, f"?group={group}").count("<tr>") == size + 1


def test_pages_follow_each_other_and_keep_the_filter(incident: Incident, responder: User, client_of: Clients) -> None:
    affected_of(incident, 60, state=State.SUSPECTED)
    client = client_of(responder)
    page = text_of(client, incident, "?group=suspected&sort=login")
    assert page.count("<tr>") == 51
    address = page.split('">Next 50')[0].rpartition('href="')[2].replace("&amp;", "&")
    assert "group=suspected" in address
    assert "sort=login" in address
    second = client.get(address).content.decode()
    assert second.count("<tr>") == 11
    assert "First page" in second
    assert "Next 50" not in second


def test_no_account_yet_says_why_and_what_to_do_next(
    incident: Incident, responder: User, auditor: User, client_of: Clients
) -> None:
    page = text_of(client_of(responder), incident)
    assert "No accounts yet" in page
    assert "Load the analysts’ list" in page
    assert "accounts/import/" not in text_of(client_of(auditor), incident)


def test_a_filter_that_lets_nothing_through_can_be_cleared(
    incident: Incident, responder: User, client_of: Clients
) -> None:
    make_affected(incident)
    page = text_of(client_of(responder), incident, "?q=<zzz>")
    assert "No accounts match" in page
    assert "&lt;zzz&gt;" in page
    assert "Clear filters" in page


def test_who_may_not_act_sees_no_boxes_and_no_bar(
    incident: Incident, auditor: User, desk: User, client_of: Clients
) -> None:
    make_affected(incident)
    assert 'name="id"' not in text_of(client_of(auditor), incident)
    assert 'id="bulk"' not in text_of(client_of(auditor), incident)
    bar = text_of(client_of(desk), incident)
    assert "Log a contact attempt" in bar
    assert "Assign owner" in bar
    assert "Set tier" not in bar


def test_a_closed_incident_shows_its_accounts_and_no_actions(coordinator: User, client_of: Clients) -> None:
    closed = make_incident(lead=coordinator, status=Incident.Status.CLOSED)
    make_affected(closed)
    assert 'name="id"' not in text_of(client_of(coordinator), closed)


def test_nonsense_in_the_address_shows_the_first_page(incident: Incident, responder: User, client_of: Clients) -> None:
    make_affected(incident)
    page = text_of(client_of(responder), incident, "?group=x&sort=x&after=%7F&before=x&owner=9%C2%B2&state=x")
    assert page.count("<tr>") == 2


def test_queries_do_not_grow_with_accounts(coordinator: User, client_of: Clients) -> None:
    counted = []
    for size in (10, 9000):
        incident = make_incident(lead=coordinator)
        affected_of(incident, size, state=State.COMPROMISED, stem=f"of{size}", owner=coordinator)
        client = client_of(coordinator)
        text_of(client, incident)
        with CaptureQueriesContext(connection) as queries:
            text_of(client, incident)
        counted.append(len(queries))
    assert counted[0] == counted[1]
    assert counted[0] <= 14
