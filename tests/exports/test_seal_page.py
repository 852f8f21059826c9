"""The seal's pages: the badge on every page, the page of checkpoints, the witnesses, and what waits on the overview."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.background import NoBrokerError
from runbooks.exports import tasks
from runbooks.exports.models import Checkpoint, SigningKey, Verification, Witness, WitnessCopy
from runbooks.exports.operations.checkpoints import make_checkpoint
from runbooks.exports.operations.redacting import ask_redaction
from runbooks.exports.operations.witnessing import add_witness
from runbooks.exports.queries import seal
from runbooks.exports.queries.seal import badge, head_code, head_statement, head_words
from runbooks.incidents.models import Incident
from tests.access.writes import writes, written
from tests.exports.tampering import change
from tests.factories import add_member, make_entry, make_user

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
Handed = list[tuple[str, dict[str, Any]]]


def signed(incident: Incident) -> Checkpoint:
    make_entry(incident)
    made = make_checkpoint(incident_id=incident.pk, reason="periodic", at=timezone.now())
    assert made is not None
    incident.refresh_from_db()
    return made


def address(incident: Incident, name: str = "seal", *more: Any) -> str:
    return reverse(name, args=[incident.reference, *more])


# The badge


def test_the_badge_says_how_far_it_was_verified_and_turns_red_where_it_is_broken(incident: Incident) -> None:
    now = timezone.now()
    assert badge(incident, now).tone == "wait"
    incident.head_sequence = incident.chain_checked_sequence = 1284
    incident.chain_checked_at = now
    found = badge(incident, now)
    assert found.tone == "good"
    assert found.words.startswith("Verified to #1,284, ")
    incident.chain_broken_at = 812
    assert (badge(incident, now).words, badge(incident, now).tone) == ("Chain broken at #812", "bad")


def test_the_badge_does_not_stay_green_while_nothing_verifies(incident: Incident) -> None:
    now = timezone.now()
    incident.head_sequence, incident.chain_checked_sequence = 10, 9
    incident.chain_checked_at = now - timedelta(minutes=40)
    assert badge(incident, now).tone == "good"
    assert badge(incident, now + timedelta(hours=1)).tone == "wait"
    incident.chain_checked_sequence = 10
    assert badge(incident, now + timedelta(hours=1)).tone == "good"
    assert badge(incident, now + timedelta(days=2)).tone == "wait"
    incident.status = "closed"
    assert badge(incident, now + timedelta(days=2)).tone == "good"


@pytest.mark.parametrize("name", ["incident", "steps", "accounts", "timeline", "incident_people", "notices", "seal"])
def test_the_badge_is_on_every_page_of_the_room(
    name: str, incident: Incident, coordinator: User, client_of: ClientOf
) -> None:
    make_entry(incident)
    Incident.objects.filter(pk=incident.pk).update(chain_broken_at=812)
    text = client_of(coordinator).get(address(incident, name)).text
    assert 'class="badge-chain" data-tone="bad"' in text
    assert "Chain broken at #812" in text


# The head in print


def test_the_head_is_said_in_groups_of_four(incident: Incident) -> None:
    incident.head_hash, incident.head_sequence = "a5c57efec7eda3ac" + "0" * 48, 1284
    assert head_words(incident) == "a5c5 7efe c7ed a3ac"
    assert head_statement(incident) == f"{incident.reference} #1284 {incident.head_hash}"
    assert head_code(incident).startswith("<svg ")
    assert "style" not in head_code(incident)


# The page


def test_the_page_shows_what_was_signed_and_with_what(
    incident: Incident, key: SigningKey, auditor: User, client_of: ClientOf
) -> None:
    first, second = signed(incident), signed(incident)
    make_entry(incident)
    text = client_of(auditor).get(address(incident)).text
    assert "#1" in text
    assert second.hash[:8] in text
    assert first.hash[:8] in text
    assert "1 entry waits" in text
    assert key.fingerprint[:15] in text
    assert "2 times in this incident" in text
    assert "ir-portal-signers" in text
    assert "Verify now" in text
    assert "Choose witnesses" not in text


def test_a_checkpoint_that_is_not_well_signed_is_red(
    incident: Incident, key: SigningKey, auditor: User, client_of: ClientOf
) -> None:
    made = signed(incident)
    Checkpoint.objects.bulk_create(
        [
            Checkpoint(
                incident=incident, sequence=9, hash="f" * 64, signed_at=made.signed_at, key=key,
                signature=made.signature, reason="asked",
            )
        ]
    )  # fmt: skip
    assert "The signature is not good" in client_of(auditor).get(address(incident)).text


def test_without_a_key_the_page_says_so_and_the_mend_to_who_can(
    incident: Incident, coordinator: User, auditor: User, client_of: ClientOf
) -> None:
    make_entry(incident)
    assert "SIGNING_KEY_FILE" in client_of(coordinator).get(address(incident)).text
    text = client_of(auditor).get(address(incident)).text
    assert "SIGNING_KEY_FILE" not in text
    assert "Tell an administrator" in text


def test_checkpoints_are_paged_and_the_queries_stay_the_same(
    incident: Incident, key: SigningKey, coordinator: User, client_of: ClientOf, administrator: User
) -> None:
    client = client_of(coordinator)
    add_witness(name="W", channel="mail", address="w@x.example", actor=actor_for(administrator), at=timezone.now())
    signed(incident)
    client.get(address(incident))
    with CaptureQueriesContext(connection) as few:
        client.get(address(incident))
    for _ in range(60):
        signed(incident)
    with CaptureQueriesContext(connection) as many:
        page = client.get(address(incident)).text
    assert len(many) == len(few)
    assert page.count('<span class="hash"><b>') == seal.PAGE + 3
    assert "?before=37" in page
    older = client.get(f"{address(incident)}?before=37").text
    assert "#36" in older
    assert "#37<" not in older
    assert client.get(f"{address(incident)}?before=0").status_code == 200
    assert client.get(f"{address(incident)}?before=x").status_code == 200


def test_a_verification_is_asked_for_and_its_progress_shown(
    incident: Incident, key: SigningKey, auditor: User, coordinator: User, client_of: ClientOf, handed: Handed
) -> None:
    signed(incident)
    client = client_of(auditor)
    before = writes()
    response = client.post(address(incident, "seal_verify"))
    assert written(before) == set()
    assert response["Location"] == address(incident)
    text = client.get(address(incident)).text
    assert "Waits for a worker" in text
    assert f"for {auditor}" in text
    assert "Verify now" not in text
    assert f"for {auditor}" in client_of(coordinator).post(address(incident, "seal_verify"), follow=True).text
    assert handed == [("exports.verify", {"incident_id": str(incident.pk), "asked_by": str(auditor)})]
    assert not Verification.objects.exists()
    tasks.verify(str(incident.pk), str(auditor))
    part = client.get(address(incident, "seal_progress")).text
    assert "Sound: 1 entry from the beginning" in part
    assert "hx-get" not in part
    assert "Verify now" in part


def test_without_a_broker_nothing_is_verified_and_the_way_on_is_said(
    incident: Incident, key: SigningKey, auditor: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(task: str, **arguments: Any) -> None:
        raise NoBrokerError(task)

    monkeypatch.setattr("runbooks.exports.operations.handing.hand_over", away)
    signed(incident)
    client = client_of(auditor)
    answer = client.post(address(incident, "seal_verify"))
    assert answer.status_code == 503
    assert "its broker does not answer" in answer.text
    assert "Verify now" in client.get(address(incident)).text


def test_what_was_found_is_on_the_page(incident: Incident, key: SigningKey, auditor: User, client_of: ClientOf) -> None:
    signed(incident)
    change(incident, 1, summary="Nothing happened")
    tasks.verify(str(incident.pk), str(auditor))
    text = client_of(auditor).get(address(incident)).text
    assert "Broken at #1" in text
    assert "its content is not what was sealed" in text
    assert "Chain broken at #1" in text


@pytest.mark.parametrize("name", ["seal", "seal_progress", "redactions"])
def test_an_outsider_finds_no_page_of_the_seal(
    name: str, incident: Incident, outsider: User, client_of: ClientOf
) -> None:
    assert client_of(outsider).get(address(incident, name)).status_code == 404
    assert client_of(outsider).post(address(incident, "seal_verify")).status_code == 404


# What waits on the overview


def test_the_overview_tells_who_can_mend_what_no_witness_got(
    incident: Incident, key: SigningKey, administrator: User, coordinator: User, responder: User, client_of: ClientOf
) -> None:
    add_witness(name="W", channel="mail", address="w@x.example", actor=actor_for(administrator), at=timezone.now())
    made = make_entry(incident)
    make_checkpoint(incident_id=incident.pk, reason="periodic", at=timezone.now() - timedelta(minutes=61))
    said = "1 checkpoint reached no witness for an hour"
    add_member(incident, administrator)
    for user in (coordinator, administrator):
        text = client_of(user).get(address(incident, "incident")).text
        assert said in text
        assert "Nothing waits for you" not in text
    assert said not in client_of(responder).get(address(incident, "incident")).text
    WitnessCopy.objects.update(status="sent", sent_at=timezone.now())
    assert said not in client_of(coordinator).get(address(incident, "incident")).text
    assert made.sequence == 1


def test_the_overview_asks_a_second_person(
    incident: Incident, coordinator: User, approver: User, auditor: User, client_of: ClientOf
) -> None:
    event = make_entry(incident)
    ask_redaction(
        incident_id=incident.pk, sequence=event.sequence, reason="x", legal_basis="x", actor=actor_for(coordinator),
        at=timezone.now(),
    )  # fmt: skip
    said = "Take out the content of #1: decide"
    assert said in client_of(approver).get(address(incident, "incident")).text
    for user in (coordinator, auditor):
        assert said not in client_of(user).get(address(incident, "incident")).text


# The page of witnesses


@pytest.mark.parametrize("role", set(Role) - {Role.ADMINISTRATOR, Role.COORDINATOR})
def test_others_do_not_see_who_the_witnesses_are(role: Role, client_of: ClientOf) -> None:
    client = client_of(make_user(role))
    assert client.get(reverse("witnesses")).status_code == 403
    for name, args in (("witness_add", []), ("witness_end", [1]), ("witness_try_again", [1])):
        assert client.post(reverse(name, args=args)).status_code == 403
    assert not Witness.objects.exists()


def test_a_witness_is_added_tried_again_and_ended_on_the_page(
    incident: Incident, key: SigningKey, administrator: User, client_of: ClientOf
) -> None:
    signed(incident)
    client = client_of(administrator)
    given = {"name": "Records <b>office</b>", "channel": "mail", "address": "records@auditors.example"}
    assert "gets each checkpoint" in client.post(reverse("witness_add"), given, follow=True).text
    witness = Witness.objects.get()
    WitnessCopy.objects.update(status="failed", reason="The mailbox is <full>")
    page = client.get(reverse("witnesses")).text
    assert "1 given up" in page
    assert "&lt;full&gt;" in page
    assert "<b>office" not in page
    assert "sent again" in client.post(reverse("witness_try_again", args=[witness.pk]), follow=True).text
    assert "gets no more" in client.post(reverse("witness_end", args=[witness.pk]), follow=True).text
    assert client.post(reverse("witness_end", args=[witness.pk])).status_code == 404


def test_an_address_inside_the_institution_is_taken_with_a_warning(administrator: User, client_of: ClientOf) -> None:
    given = {"name": "Us", "channel": "mail", "address": "records@mail.parliament.example"}
    assert "can take the copies back" in client_of(administrator).post(reverse("witness_add"), given, follow=True).text
    bad = client_of(administrator).post(reverse("witness_add"), {**given, "address": "nobody"})
    assert bad.status_code == 400
    assert "That is no mail address" in bad.text


def test_the_strip_shows_which_checkpoint_covers_the_break(
    incident: Incident, key: SigningKey, auditor: User, client_of: ClientOf
) -> None:
    for _ in range(3):
        signed(incident)
    Incident.objects.filter(pk=incident.pk).update(chain_broken_at=2)
    text = client_of(auditor).get(address(incident)).text
    assert text.count('<li data-tone="bad">') == 1
    assert "broken at #2" in text
