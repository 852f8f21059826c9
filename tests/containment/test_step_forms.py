"""What the forms about a step do when they are posted."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from runbooks.access.models import User
from runbooks.affected_accounts.models import State
from runbooks.containment.models import Evidence, Step
from runbooks.containment.operations import NewEvidence
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.containment.conftest import RULES
from tests.factories import make_affected, make_step

ClientOf = Callable[[User], Client]
Do = Callable[..., Any]
VERBS = ["claim", "start", "assign", "complete", "waive", "reopen", "evidence"]


def address(step: Step, verb: str, *more: object, query: dict[str, str] | None = None) -> str:
    return reverse(f"step_{verb}", args=[step.incident.reference, step.key, *more], query=query)


@pytest.mark.parametrize("verb", ["claim", "start"])
def test_claim_and_start_go_back_to_the_open_step_with_the_filter(
    step: Step, responder: User, client_of: ClientOf, verb: str
) -> None:
    response = client_of(responder).post(address(step, verb, query={"show": "mine"}))
    assert response.status_code == 302
    expected = reverse("steps", args=[step.incident.reference])
    assert response["Location"] == f"{expected}?show=mine&open={step.key}#step-{step.key}"
    step.refresh_from_db()
    assert step.owner == responder
    assert (step.status == Step.Status.RUNNING) == (verb == "start")


def test_reassigning_by_form(step: Step, coordinator: User, desk: User, client_of: ClientOf) -> None:
    client_of(coordinator).post(address(step, "assign"), {"version": step.version, "user": desk.pk})
    step.refresh_from_db()
    assert step.owner == desk


def test_the_form_offers_nobody_who_cannot_have_the_step(
    step: Step, coordinator: User, auditor: User, outsider: User, client_of: ClientOf
) -> None:
    client = client_of(coordinator)
    for user in (auditor, outsider):
        response = client.post(address(step, "assign"), {"version": step.version, "user": user.pk})
        assert response.status_code == 400
    assert Step.objects.get(pk=step.pk).owner is None


def test_a_blocked_step_is_refused_on_the_page_with_the_names(
    later_step: Step, responder: User, client_of: ClientOf
) -> None:
    response = client_of(responder).post(address(later_step, "complete"), {"version": later_step.version})
    assert response.status_code == 409
    body = response.content.decode()
    assert 'role="alert"' in body
    assert "Step 1.5 waits for 1.4 Preserve the logs." in body


def test_a_reason_that_was_typed_is_not_lost_when_the_form_is_stale(
    do: Do, step: Step, coordinator: User, responder: User, client_of: ClientOf
) -> None:
    shown = step.version
    do("start", step, responder)
    response = client_of(coordinator).post(
        address(step, "waive"), {"version": shown, "reason": "The archive keeps them anyway"}
    )
    assert response.status_code == 409
    body = response.content.decode()
    assert "The archive keeps them anyway</textarea>" in body
    assert "Somebody else changed step 1.4" in body
    assert "status <b>In progress</b>" in body
    assert f"owner <b>{responder.name}</b>" in body
    assert not Step.objects.get(pk=step.pk).is_closed


def test_a_stale_form_can_be_sent_again_once_its_sender_has_seen_what_stands_now(
    do: Do, step: Step, coordinator: User, responder: User, client_of: ClientOf
) -> None:
    shown = step.version
    do("start", step, responder)
    client = client_of(coordinator)
    body = client.post(address(step, "waive"), {"version": shown, "reason": "Not needed"}).content.decode()
    form = body[body.index('id="waive-box"') :]
    version = re.search(r'name="version" value="(\d+)"', form)
    assert version
    again = client.post(address(step, "waive"), {"version": version[1], "reason": "Not needed"})
    assert again.status_code == 302
    assert Step.objects.get(pk=step.pk).waived_reason == "Not needed"


def test_an_empty_reason_is_refused_at_its_field(step: Step, coordinator: User, client_of: ClientOf) -> None:
    response = client_of(coordinator).post(address(step, "waive"), {"version": step.version, "reason": ""})
    assert response.status_code == 400
    assert '<details class="act-form" id="waive-box" open>' in response.content.decode()


def test_waiving_and_reopening_by_form(step: Step, coordinator: User, client_of: ClientOf) -> None:
    client = client_of(coordinator)
    client.post(address(step, "waive"), {"version": step.version, "reason": "No logs"})
    step.refresh_from_db()
    assert step.status == Step.Status.SKIPPED
    client.post(address(step, "reopen"), {"version": step.version, "reason": "There are logs"})
    step.refresh_from_db()
    assert step.status == Step.Status.PENDING


def test_a_step_with_accounts_left_asks_for_the_reason(
    incident: Incident, responder: User, client_of: ClientOf
) -> None:
    make_affected(incident, state=State.COMPROMISED, tier="A")
    step = make_step(incident, scope="account", fact="rules_checked")
    client = client_of(responder)
    refused = client.post(address(step, "complete"), {"version": step.version, "reason": ""})
    assert refused.status_code == 409
    assert "not done for 1 of 1 accounts" in refused.content.decode()
    done = client.post(address(step, "complete"), {"version": step.version, "reason": "The mailbox is gone"})
    assert done.status_code == 302


def test_a_note_is_added_by_form(step: Step, desk: User, client_of: ClientOf) -> None:
    client_of(desk).post(address(step, "evidence"), {"note": "Copied at 14:02"})
    evidence = Evidence.objects.get(step=step)
    assert (evidence.kind, evidence.note) == ("note", "Copied at 14:02")


def test_a_file_is_added_by_form_with_its_hash(incident: Incident, responder: User, client_of: ClientOf) -> None:
    step = make_step(incident, evidence_required=RULES)
    upload = SimpleUploadedFile("../read-back.csv", b"account,enabled\n")
    response = client_of(responder).post(
        address(step, "evidence"), {"requirement": "read-back", "upload": upload, "note": "All of them"}
    )
    assert response.status_code == 302
    evidence = Evidence.objects.get(step=step)
    assert (evidence.kind, evidence.file_name, evidence.requirement) == ("file", "read-back.csv", "read-back")
    assert evidence.sha256 == hashlib.sha256(b"account,enabled\n").hexdigest()
    assert evidence.note == "All of them"


@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [
        ({"note": ""}, 400, "The note is empty"),
        ({"url": "javascript:alert(1)"}, 400, "whole web address"),
        ({"note": "x", "requirement": "no-such-rule"}, 400, "not one of the available choices"),
    ],
)
def test_evidence_that_says_nothing_is_refused_on_the_page(
    step: Step, responder: User, client_of: ClientOf, answers: dict[str, str], status: int, said: str
) -> None:
    response = client_of(responder).post(address(step, "evidence"), answers)
    assert response.status_code == status
    assert said in response.content.decode()
    assert '<details class="act-form" id="evidence-box" open>' in response.content.decode()


def test_a_file_over_the_cap_is_refused_on_the_page_and_the_note_stays(
    step: Step, responder: User, client_of: ClientOf, settings: Any
) -> None:
    settings.ATTACHMENT_MAX_BYTES = 100
    response = client_of(responder).post(
        address(step, "evidence"), {"upload": SimpleUploadedFile("dump.bin", b"x" * 101), "note": "The memory dump"}
    )
    assert response.status_code == 413
    body = response.content.decode()
    assert "the portal keeps up to 100 bytes" in body
    assert "The memory dump</textarea>" in body


def test_a_link_and_a_file_at_once_are_refused(step: Step, responder: User, client_of: ClientOf) -> None:
    answers = {"upload": SimpleUploadedFile("a.txt", b"x"), "url": "https://tickets.example/1"}
    response = client_of(responder).post(address(step, "evidence"), answers)
    assert response.status_code == 400
    assert not Evidence.objects.exists()


def test_evidence_is_withdrawn_by_form_and_stays_on_the_page(
    do: Do, step: Step, responder: User, client_of: ClientOf
) -> None:
    piece = do("add_evidence", step, responder, evidence=NewEvidence(Evidence.Kind.NOTE, note="Wrong list"))
    client = client_of(responder)
    refused = client.post(address(step, "evidence_withdraw", piece.pk), {"reason": ""})
    assert refused.status_code == 400
    response = client.post(address(step, "evidence_withdraw", piece.pk), {"reason": "Of another batch"}, follow=True)
    body = response.content.decode()
    assert "<del>Wrong list</del>" in body
    assert "Of another batch" in body


@pytest.mark.parametrize("verb", VERBS)
def test_an_auditor_changes_nothing(step: Step, auditor: User, client_of: ClientOf, verb: str) -> None:
    answers = {"version": step.version, "reason": "Because", "note": "Seen", "user": ""}
    response = client_of(auditor).post(address(step, verb), answers)
    assert response.status_code == 403
    assert not TimelineEvent.objects.filter(incident=step.incident).exists()


@pytest.mark.parametrize("verb", VERBS)
def test_to_an_outsider_there_is_nothing_to_post_to(step: Step, outsider: User, client_of: ClientOf, verb: str) -> None:
    client = client_of(outsider)
    assert client.get(address(step, verb)).status_code == 404
    assert client.post(address(step, verb), {"reason": "Because"}).status_code == 404


@pytest.mark.parametrize("verb", VERBS)
def test_a_form_address_that_is_only_read_leads_to_the_step(
    step: Step, responder: User, client_of: ClientOf, verb: str
) -> None:
    response = client_of(responder).get(address(step, verb))
    assert response.status_code == 302
    assert response["Location"].endswith(f"?open={step.key}#step-{step.key}")
    assert not TimelineEvent.objects.filter(incident=step.incident).exists()


def test_a_step_that_is_not_there_is_not_found(incident: Incident, responder: User, client_of: ClientOf) -> None:
    assert client_of(responder).post(reverse("step_claim", args=[incident.reference, "none"])).status_code == 404


def test_nobody_posts_without_the_token(step: Step, responder: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(responder)
    assert client.post(address(step, "claim")).status_code == 403
    assert Step.objects.get(pk=step.pk).owner is None
