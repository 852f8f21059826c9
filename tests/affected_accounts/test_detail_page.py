"""One account's whole story."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from runbooks.access.models import User
from runbooks.access.permissions import PORTAL, actor_for
from runbooks.affected_accounts.models import AffectedAccount, ContactAttempt, FactKind, State
from runbooks.affected_accounts.operations import Attempt, Finding, change_state, log_contact, record_fact, set_tier
from runbooks.affected_accounts.operations.record_fact import add_findings
from runbooks.affected_accounts.transitions import CONTAINMENT
from runbooks.incidents.models import Incident
from runbooks.timeline.operations import now
from tests.affected_accounts.many import holding
from tests.factories import make_account, make_affected, make_incident

pytestmark = pytest.mark.django_db
Clients = Callable[[User], Client]


def address(incident: Incident, row: AffectedAccount, rest: str = "") -> str:
    return f"/incidents/{incident.reference}/accounts/{row.pk}/{rest}"


def test_the_story_holds_facts_contacts_states_and_entries(
    incident: Incident, responder: User, client_of: Clients
) -> None:
    row = make_affected(incident, state=State.SUSPECTED, tier="D")
    work = {"incident_id": incident.pk, "account_ids": [row.pk], "actor": actor_for(responder), "at": now()}
    set_tier(tier="A", **work)
    record_fact(finding=Finding(FactKind.RULES_CHECKED, now(), "Mail platform team", note="2 rules removed"), **work)
    attempt = Attempt(
        ContactAttempt.Channel.PHONE, ContactAttempt.Outcome.REACHED, now(), identity_check="staff number given"
    )
    log_contact(attempt=attempt, **work)
    change_state(after=State.FALSE_POSITIVE, reason="Her own tablet", **work)
    page = client_of(responder).get(address(incident, row)).content.decode()
    for said in (
        "Mail platform team",
        "2 rules removed",
        "Reached, phone",
        "Recognised: staff number given",
        "was confirmed: Her own tablet",
        "set to tier A, had tier D",
        "Mailbox rules checked",
    ):
        assert said in page, said


def test_facts_that_complete_a_guard_offer_the_next_state_as_one_button(
    incident: Incident, responder: User, client_of: Clients
) -> None:
    facts = holding(*CONTAINMENT, at=incident.declared_at)
    ready = make_affected(incident, state=State.COMPROMISED, tier="A", **facts)
    lacking = make_affected(incident, state=State.COMPROMISED, tier="A", **{**facts, "sessions_revoked_at": None})
    client = client_of(responder)
    assert "Change state to “Contained”" in client.get(address(incident, ready)).content.decode()
    page = client.get(address(incident, lacking)).content.decode()
    assert "Change state to “Contained”" not in page
    assert "Needs first: sessions revoked." in page
    response = client.post(address(incident, ready, "state/"), {"after": "contained", "version": ready.version})
    assert response.status_code == 302
    ready.refresh_from_db()
    assert ready.state == State.CONTAINED


def test_containment_that_the_facts_no_longer_bear_out_is_said(
    incident: Incident, responder: User, client_of: Clients
) -> None:
    row = make_affected(incident, state=State.CONTAINED, tier="A")
    page = client_of(responder).get(address(incident, row)).content.decode()
    assert "Containment is not borne out by the facts." in page


def test_a_stale_form_is_refused_and_the_typed_text_kept(
    incident: Incident, responder: User, client_of: Clients
) -> None:
    row = make_affected(incident, state=State.COMPROMISED, tier="A", version=3)
    given = {"after": "suspected", "reason": "Looked again & again", "version": "2"}
    response = client_of(responder).post(address(incident, row, "state/"), given)
    page = response.content.decode()
    assert response.status_code == 409
    assert "Somebody else changed" in page
    assert "Looked again &amp; again" in page
    row.refresh_from_db()
    assert row.state == State.COMPROMISED


def test_a_missing_reason_and_the_affected_mailbox_are_refused_at_the_form(
    incident: Incident, responder: User, client_of: Clients
) -> None:
    row = make_affected(incident, state=State.COMPROMISED, tier="A")
    client = client_of(responder)
    response = client.post(address(incident, row, "state/"), {"after": "suspected", "version": "1"})
    assert (response.status_code, "Say why" in response.content.decode()) == (400, True)
    given = {"channel": "alternate", "outcome": "sent", "address": row.login, "version": "1"}
    response = client.post(address(incident, row, "contact/"), given)
    assert (response.status_code, "the affected mailbox" in response.content.decode()) == (400, True)
    assert not ContactAttempt.objects.exists()


def test_a_time_is_read_in_the_incidents_zone(incident: Incident, responder: User, client_of: Clients) -> None:
    Incident.objects.filter(pk=incident.pk).update(time_zone="Asia/Tokyo")
    row = make_affected(incident, state=State.COMPROMISED, tier="A")
    moment = incident.declared_at.replace(second=0, microsecond=0) + timedelta(hours=1)
    written = f"{(moment + timedelta(hours=9)):%Y-%m-%d %H:%M}"
    given = {"kind": "rules_checked", "holds": "yes", "source": "Mail team", "when": written, "version": "1"}
    assert client_of(responder).post(address(incident, row, "fact/"), given).status_code == 302
    row.refresh_from_db()
    assert row.rules_checked_at == moment


def test_what_was_read_back_says_when_and_where(incident: Incident, responder: User, client_of: Clients) -> None:
    row = make_affected(incident, state=State.COMPROMISED, tier="A")
    at = now()
    add_findings(
        [row],
        Finding(FactKind.SIGN_IN_DISABLED, at, "directory: pwdAccountLockedTime, read back"),
        actor=PORTAL,
        at=at,
    )
    page = client_of(responder).get(address(incident, row)).content.decode()
    moment = f"{at.astimezone(incident.zone):%H:%M}"
    assert f"since {moment}, checked {moment} by directory: pwdAccountLockedTime" in page


def test_the_auditor_reads_and_is_offered_nothing(incident: Incident, auditor: User, client_of: Clients) -> None:
    row = make_affected(incident)
    client = client_of(auditor)
    page = client.get(address(incident, row)).content.decode()
    assert "Your role reads accounts and does not change them" in page
    assert "accounts/" in page
    assert f"/{row.pk}/state/" not in page
    given = {"after": "compromised", "version": "1"}
    assert client.post(address(incident, row, "state/"), given).status_code == 403
    assert client.post(address(incident, row, "tier/"), {"tier": "A", "version": "1"}).status_code == 403


def test_numbers_of_the_directory_are_for_those_who_may_look_into_it(
    incident: Incident, auditor: User, desk: User, client_of: Clients
) -> None:
    row = make_affected(incident, make_account(mobile="+447700900123", alternate_mail="h@outside.example"))
    for number in ("+447700900123", "h@outside.example"):
        assert number in client_of(desk).get(address(incident, row)).text
        assert number not in client_of(auditor).get(address(incident, row)).text


def test_queries_do_not_grow_with_history(coordinator: User, client_of: Clients) -> None:
    counted = []
    for size in (2, 40):
        incident = make_incident(lead=coordinator)
        row = make_affected(incident, state=State.COMPROMISED, tier="A")
        for number in range(size):
            record_fact(
                incident_id=incident.pk,
                account_ids=[row.pk],
                finding=Finding(FactKind.RULES_CHECKED, now(), f"Check {number}"),
                actor=actor_for(coordinator),
                at=now(),
            )
        client = client_of(coordinator)
        client.get(address(incident, row))
        with CaptureQueriesContext(connection) as queries:
            client.get(address(incident, row))
        counted.append(len(queries))
    assert counted[0] == counted[1] <= 17  # one of them notes who reads it
