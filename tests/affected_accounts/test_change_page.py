"""One thing done to many accounts, from the table."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from runbooks.access.models import User
from runbooks.affected_accounts.models import AccountFact, AffectedAccount, ContactAttempt, State
from runbooks.incidents.models import Incident
from tests.affected_accounts.many import affected_of
from tests.factories import make_affected, make_incident

pytestmark = pytest.mark.django_db
Clients = Callable[[User], Client]


def address(incident: Incident, verb: str, query: str) -> str:
    return f"/incidents/{incident.reference}/accounts/change/{verb}/?{query}"


def ticked(rows: list[AffectedAccount]) -> str:
    return "&".join(f"id={row.pk}" for row in rows)


def test_the_page_says_how_many_and_which_before_anything_changes(
    incident: Incident, responder: User, client_of: Clients
) -> None:
    rows = [*affected_of(incident, 3, state=State.SUSPECTED), *affected_of(incident, 2, state=State.NOT_ASSESSED)]
    page = client_of(responder).get(address(incident, "tier", ticked(rows))).content.decode()
    assert "Set tier for 5 accounts" in page
    assert "3 suspected; 2 not assessed" in page
    assert rows[0].login in page
    assert not AffectedAccount.objects.exclude(tier="").exists()


def test_all_of_a_filter_means_every_page_of_it(incident: Incident, responder: User, client_of: Clients) -> None:
    affected_of(incident, 120, state=State.SUSPECTED)
    affected_of(incident, 5, state=State.TARGETED)
    client, there = client_of(responder), address(incident, "tier", "whole=1&group=suspected")
    assert "Set tier for 120 accounts" in client.get(there).content.decode()
    response = client.post(there, {"tier": "A", "reason": "", "expected": "120"})
    assert response.status_code == 302
    assert response["Location"] == f"/incidents/{incident.reference}/accounts/?group=suspected"
    assert AffectedAccount.objects.filter(tier="A", state=State.COMPROMISED).count() == 120
    assert "120 accounts set to tier A" in client.get(response["Location"]).content.decode()


def test_a_filter_that_lets_through_another_number_by_now_is_asked_again(
    incident: Incident, responder: User, client_of: Clients
) -> None:
    affected_of(incident, 4, state=State.SUSPECTED)
    there = address(incident, "tier", "whole=1&group=suspected")
    response = client_of(responder).post(there, {"tier": "A", "expected": "3"})
    assert response.status_code == 409
    assert "lets through 4 accounts now" in response.content.decode()
    assert not AffectedAccount.objects.filter(tier="A").exists()


def test_what_did_not_move_is_said_with_the_reason(incident: Incident, responder: User, client_of: Clients) -> None:
    ready, not_ready = make_affected(incident, state=State.WATCHED), make_affected(incident, state=State.CONTAINED)
    client = client_of(responder)
    response = client.post(
        address(incident, "state", ticked([ready, not_ready])), {"after": "closed", "expected": "2"}, follow=True
    )
    page = response.content.decode()
    assert f"{ready.login} is now “Closed”" in page
    assert f"1 account left as before ({not_ready.login})" in page


def test_a_refusal_keeps_what_was_typed(incident: Incident, responder: User, client_of: Clients) -> None:
    rows = affected_of(incident, 2, state=State.COMPROMISED)
    response = client_of(responder).post(
        address(incident, "fact", ticked(rows)),
        {
            "kind": "password_changed",
            "holds": "yes",
            "source": "Desk list",
            "when": "2016-01-01 10:00",
            "expected": "2",
        },
    )
    page = response.content.decode()
    assert response.status_code == 400
    assert "before the attack was noticed" in page
    assert 'value="Desk list"' in page
    assert not AccountFact.objects.exists()


@pytest.mark.parametrize(
    ("verb", "given", "said"),
    [
        ("owner", {"owner": "nobody"}, "stood like this already"),
        (
            "fact",
            {"kind": "rules_checked", "holds": "yes", "source": "Mail platform team"},
            "2 accounts: mailbox rules checked",
        ),
        ("contact", {"channel": "letter", "outcome": "sent"}, "Holders of 2 accounts: sent (letter)"),
        ("state", {"after": "false_positive", "reason": "The office's own address"}, "are now “Not affected”"),
    ],
)
def test_every_verb_works_from_the_table(
    incident: Incident, responder: User, client_of: Clients, verb: str, given: dict[str, str], said: str
) -> None:
    rows = affected_of(incident, 2, state=State.COMPROMISED)
    response = client_of(responder).post(address(incident, verb, ticked(rows)), {**given, "expected": "2"}, follow=True)
    assert said.replace("'", "&#x27;") in response.content.decode()


def test_a_moment_nobody_can_read_is_shown_at_the_field(
    incident: Incident, responder: User, client_of: Clients
) -> None:
    rows = affected_of(incident, 1, state=State.COMPROMISED)
    response = client_of(responder).post(
        address(incident, "contact", ticked(rows)),
        {"channel": "phone", "outcome": "no_answer", "when": "soonish", "expected": "1"},
    )
    assert response.status_code == 400
    assert "“soonish” names no moment" in response.content.decode()
    assert not ContactAttempt.objects.exists()


def test_nothing_ticked_leads_back_with_a_word(incident: Incident, responder: User, client_of: Clients) -> None:
    make_affected(incident)
    for query in ("", "id=0", "id=x", "whole=1&q=nobodylikethis"):
        response = client_of(responder).get(address(incident, "tier", query), follow=True)
        assert "No accounts are chosen" in response.content.decode()


def test_accounts_of_another_incident_are_refused(incident: Incident, coordinator: User, client_of: Clients) -> None:
    own, elsewhere = make_affected(incident), make_affected(make_incident(lead=coordinator))
    there = address(incident, "tier", ticked([own, elsewhere]))
    response = client_of(coordinator).post(there, {"tier": "A", "expected": "2"})
    assert response.status_code == 409
    assert "1 chosen account cannot be found in this incident" in response.text
    assert elsewhere.login not in response.text
    assert not AffectedAccount.objects.filter(tier="A").exists()


def test_roles_that_may_not_are_told_so(incident: Incident, auditor: User, desk: User, client_of: Clients) -> None:
    row = make_affected(incident)
    for verb in ("tier", "state", "fact", "contact", "owner"):
        assert client_of(auditor).get(address(incident, verb, ticked([row]))).status_code == 403
        assert client_of(auditor).post(address(incident, verb, ticked([row]))).status_code == 403
    assert client_of(desk).get(address(incident, "tier", ticked([row]))).status_code == 403
    assert client_of(desk).get(address(incident, "contact", ticked([row]))).status_code == 200


def test_an_unknown_verb_is_not_found(incident: Incident, coordinator: User, client_of: Clients) -> None:
    row = make_affected(incident)
    assert client_of(coordinator).get(address(incident, "delete", ticked([row]))).status_code == 404


def test_queries_of_the_question_do_not_grow_with_accounts(coordinator: User, client_of: Clients) -> None:
    counted = []
    for size in (10, 3000):
        incident = make_incident(lead=coordinator)
        affected_of(incident, size, stem=f"of{size}")
        client = client_of(coordinator)
        client.get(address(incident, "owner", "whole=1"))
        with CaptureQueriesContext(connection) as queries:
            client.get(address(incident, "owner", "whole=1"))
        counted.append(len(queries))
    assert counted[0] == counted[1] <= 14
