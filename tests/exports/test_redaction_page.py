"""The pages of redactions: what is shown before anybody decides, who sees which form, and the list of all."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.exports.models import Redaction
from runbooks.exports.operations.redacting import withdraw_redaction
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.factories import PASSWORD, make_affected, make_entry

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
SECRET = "Ana Heronova was seen at the clinic"
GIVEN = {"legal_basis": "UK GDPR, Article 17", "reason": "Health data"}


@pytest.fixture
def entry(incident: Incident) -> TimelineEvent:
    event: TimelineEvent = make_entry(incident, SECRET, account_ids=[make_affected(incident).pk])
    return event


def address(entry: TimelineEvent, verb: str = "") -> str:
    name = f"redaction_{verb}" if verb else "redaction"
    return reverse(name, args=[entry.incident.reference, entry.sequence])


def asked(entry: TimelineEvent, client: Client) -> Redaction:
    assert client.post(address(entry, "ask"), GIVEN)["Location"] == address(entry)
    return Redaction.objects.get(status="requested")


def decision(redaction: Redaction, **changes: Any) -> dict[str, Any]:
    return {"redaction": redaction.pk, "note": "Agreed with the officer", "password": PASSWORD, **changes}


def test_the_whole_way_on_the_pages(
    entry: TimelineEvent, responder: User, coordinator: User, auditor: User, client_of: ClientOf
) -> None:
    page = client_of(responder).get(address(entry)).text
    assert SECRET in page
    assert "Ask a second person" in page
    assert "The record: number, kind" in page
    assert "about 1 account" in page
    redaction = asked(entry, client_of(responder))
    assert "Withdraw the request" in client_of(responder).get(address(entry)).text
    assert "Take it out for ever" in client_of(coordinator).get(address(entry)).text
    assert "Take it out for ever" not in client_of(auditor).get(address(entry)).text
    done = client_of(coordinator).post(address(entry, "approve"), decision(redaction), follow=True)
    assert "is gone" in done.text
    assert SECRET not in done.text
    listed = client_of(auditor).get(reverse("redactions", args=[entry.incident.reference])).text
    assert "Taken out" in listed
    assert "Agreed with the officer" in listed
    assert str(responder) in listed
    assert str(coordinator) in listed


def test_nothing_of_it_is_shown_anywhere_afterwards(
    entry: TimelineEvent, responder: User, coordinator: User, client_of: ClientOf
) -> None:
    client = client_of(coordinator)
    redaction = asked(entry, client_of(responder))
    client.post(address(entry, "approve"), decision(redaction))
    reference = entry.incident.reference
    affected = entry.account_ids[0]
    for name, args in (
        ("timeline", [reference]),
        ("timeline_entry", [reference, entry.sequence]),
        ("incident", [reference]),
        ("account_detail", [reference, affected]),
        ("notices", [reference]),
    ):
        text = client.get(reverse(name, args=args)).text
        assert "Heronova" not in text, name
        assert name == "notices" or "Content taken out" in text, name
    assert "Heronova" not in client.get(f"{reverse('search')}?q=clinic").text
    timeline = client.get(reverse("timeline", args=[reference])).text
    assert "Takes out" in timeline
    entry_page = client.get(reverse("timeline_entry", args=[reference, entry.sequence])).text
    assert f"{responder} asked, {coordinator} agreed" in entry_page


def test_the_entry_page_leads_there(entry: TimelineEvent, responder: User, auditor: User, client_of: ClientOf) -> None:
    page = reverse("timeline_entry", args=[entry.incident.reference, entry.sequence])
    assert client_of(responder).get(page).text.count("Ask to take out the content") == 1
    assert "Ask to take out the content" not in client_of(auditor).get(page).text
    asked(entry, client_of(responder))
    assert f"{responder} asked that this be taken out" in client_of(auditor).get(page).text


@pytest.mark.parametrize("verb", ["ask", "approve", "refuse", "withdraw"])
def test_an_auditor_may_nothing_and_an_outsider_finds_nothing(
    verb: str, entry: TimelineEvent, responder: User, auditor: User, outsider: User, client_of: ClientOf
) -> None:
    redaction = asked(entry, client_of(responder))
    given = {**GIVEN, **decision(redaction)}
    assert client_of(auditor).post(address(entry, verb), given).status_code == 403
    assert client_of(outsider).post(address(entry, verb), given).status_code == 404
    assert client_of(outsider).get(address(entry)).status_code == 404
    redaction.refresh_from_db()
    assert redaction.status == "requested"


@pytest.mark.parametrize("verb", ["approve", "refuse"])
def test_a_responder_may_not_decide(
    verb: str, entry: TimelineEvent, responder: User, coordinator: User, client_of: ClientOf
) -> None:
    redaction = asked(entry, client_of(coordinator))
    assert client_of(responder).post(address(entry, verb), decision(redaction)).status_code == 403


def test_who_asked_is_refused_on_the_page_as_well(entry: TimelineEvent, coordinator: User, client_of: ClientOf) -> None:
    client = client_of(coordinator)
    redaction = asked(entry, client)
    page = client.get(address(entry)).text
    assert "Take it out for ever" not in page
    refused = client.post(address(entry, "approve"), decision(redaction))
    assert refused.status_code == 403
    assert "somebody else decides" in refused.text
    assert TimelineEvent.objects.get(pk=entry.pk).summary == SECRET


@pytest.mark.parametrize(("password", "status"), [("", 400), ("wrong", 403)])
def test_a_wrong_password_decides_nothing_and_is_not_given_back(
    password: str, status: int, entry: TimelineEvent, responder: User, coordinator: User, client_of: ClientOf
) -> None:
    redaction = asked(entry, client_of(responder))
    refused = client_of(coordinator).post(address(entry, "approve"), decision(redaction, password=password))
    assert refused.status_code == status
    assert "Agreed with the officer" in refused.text
    assert 'value="wrong"' not in refused.text
    assert TimelineEvent.objects.get(pk=entry.pk).summary == SECRET


def test_what_is_missing_is_said_at_its_field(
    entry: TimelineEvent, responder: User, coordinator: User, client_of: ClientOf
) -> None:
    refused = client_of(responder).post(address(entry, "ask"), {"legal_basis": "Article 17"})
    assert refused.status_code == 400
    assert 'href="#ask_reason"' in refused.text
    redaction = asked(entry, client_of(responder))
    refused = client_of(coordinator).post(address(entry, "refuse"), {"redaction": redaction.pk, "note": ""})
    assert refused.status_code == 400
    assert 'href="#refuse_note"' in refused.text


def test_agreeing_to_one_request_does_not_settle_the_next(
    entry: TimelineEvent, responder: User, coordinator: User, client_of: ClientOf
) -> None:
    first = asked(entry, client_of(responder))
    withdraw_redaction(
        incident_id=entry.incident_id, redaction_id=first.pk, actor=actor_for(responder), at=timezone.now()
    )
    asked(entry, client_of(responder))
    refused = client_of(coordinator).post(address(entry, "approve"), decision(first))
    assert refused.status_code == 409
    assert "settled meanwhile" in refused.text
    assert TimelineEvent.objects.get(pk=entry.pk).summary == SECRET


@pytest.mark.parametrize("verb", ["withdraw", "refuse", "approve"])
def test_a_request_is_settled_at_the_entry_it_is_about_and_nowhere_else(
    verb: str, entry: TimelineEvent, responder: User, coordinator: User, client_of: ClientOf
) -> None:
    redaction = asked(entry, client_of(responder))
    other, client = make_entry(entry.incident, "Something else"), client_of(coordinator)
    for sequence in (other.sequence, 999):
        there = reverse(f"redaction_{verb}", args=[entry.incident.reference, sequence])
        assert client.post(there, decision(redaction)).status_code == 404
    redaction.refresh_from_db()
    assert redaction.status == "requested"


def test_an_entry_that_is_not_there_is_not_found(entry: TimelineEvent, responder: User, client_of: ClientOf) -> None:
    missing = reverse("redaction", args=[entry.incident.reference, 999])
    assert client_of(responder).get(missing).status_code == 404
    assert client_of(responder).post(f"{missing}ask/", GIVEN).status_code == 404


def test_what_people_wrote_is_text(entry: TimelineEvent, responder: User, client_of: ClientOf) -> None:
    client = client_of(responder)
    client.post(address(entry, "ask"), {"legal_basis": "<b>x</b>", "reason": "<script>1</script>"})
    for page in (address(entry), reverse("redactions", args=[entry.incident.reference])):
        text = client.get(page).text
        assert "<b>x</b>" not in text
        assert "<script>1" not in text


def test_the_list_is_empty_until_somebody_asks(incident: Incident, auditor: User, client_of: ClientOf) -> None:
    assert "Nothing was taken out" in client_of(auditor).get(reverse("redactions", args=[incident.reference])).text


@pytest.mark.parametrize("verb", ["ask", "approve", "refuse", "withdraw"])
def test_a_page_that_a_refused_form_left_is_the_entrys_when_it_is_fetched_again(
    verb: str, entry: TimelineEvent, coordinator: User, outsider: User, client_of: ClientOf
) -> None:
    assert client_of(coordinator).get(address(entry, verb))["Location"] == address(entry)
    assert client_of(outsider).get(address(entry, verb)).status_code == 404


def test_what_was_taken_out_is_corrected_with_words_of_its_own(
    entry: TimelineEvent, responder: User, coordinator: User, client_of: ClientOf
) -> None:
    client = client_of(coordinator)
    client.post(address(entry, "approve"), decision(asked(entry, client_of(responder))))
    page = client.get(reverse("timeline_entry", args=[entry.incident.reference, entry.sequence])).text
    assert "What you write stands in its place" in page
    assert "Content of #1 taken out" not in page.split('<form class="stack" id="correct"')[1]
    assert "notices of the same moment" not in client.get(address(entry)).text
