"""The auditor's desk: the chain at a glance, exports, commands that work, and who decided what."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE, actor_for
from runbooks.actions.models import ActionDecision
from runbooks.exports.models import Redaction, SigningKey
from runbooks.exports.operations.checkpoints import make_checkpoint
from runbooks.exports.queries.decisions import PAGE
from runbooks.incidents.models import Incident
from runbooks.room.operations.entries import correct_entry
from runbooks.timeline.models import Lane
from tests.exports.exporting import exported
from tests.exports.tampering import remove
from tests.factories import make_action, make_affected, make_entry

pytestmark = pytest.mark.django_db
AT = datetime(2026, 6, 23, 9, 0, tzinfo=UTC)


def read(client: Client, incident: Incident, name: str = "audit", **query: str) -> str:
    response = client.get(reverse(name, args=[incident.reference]), query)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def decide(incident: Incident, asker: User, decider: User, count: int = 1) -> None:
    action = make_action(incident, make_affected(incident))
    for number in range(count):
        ActionDecision.objects.create(
            action=action, kind="approved", digest="0" * 64, requested_by=asker, decided_by=decider,
            decided_by_name=str(decider), credential="password", comment=f"Word {number}.",
            at=AT + timedelta(minutes=number),
        )  # fmt: skip


def test_an_auditor_sees_that_it_is_read_only_and_how_the_chain_stands(
    incident: Incident, auditor: User, client_of: Callable[[User], Client], key: SigningKey
) -> None:
    make_entry(incident, "Seen", at=AT, occurred_at=AT - timedelta(minutes=30))
    first = make_entry(incident, "Fifteen networks", at=AT)
    correct_entry(
        incident_id=incident.pk, sequence=first.sequence, summary="Fourteen networks", occurred_at=AT,
        precision="second", reason="Counted again", actor=COMMAND_LINE,
        at=AT,
    )  # fmt: skip
    make_checkpoint(incident_id=incident.pk, reason="asked", at=timezone.now())
    make_entry(incident, "One more", at=AT)
    page = read(client_of(auditor), incident)
    incident.refresh_from_db()
    for expected in (
        "Read only",
        "You cannot change this incident",
        "<b>#1 to #3</b>",
        "1 entry waits",
        "<dt>Gaps in numbering</dt><dd>0</dd>",
        "<dt>Recorded over 10 min late</dt><dd>1</dd>",
        ">1</a>, first text kept",
        f"<b>{incident.head_hash[:8]}</b>",
        key.fingerprint[:15],
        "1 time in this incident",
    ):
        assert expected in page


def test_whoever_works_in_the_incident_is_not_told_that_it_is_read_only(
    incident: Incident, responder: User, client_of: Callable[[User], Client]
) -> None:
    page = read(client_of(responder), incident)
    assert "Read only" not in page
    assert "Who read what" not in page


def test_the_newest_exports_stand_there_with_hash_and_signer_and_the_commands_name_the_bundle(
    incident: Incident, auditor: User, client_of: Callable[[User], Client], key: SigningKey
) -> None:
    make_entry(incident, "Seen")
    bundle = exported(incident, "bundle", actor_for(auditor), purpose="For the regulator")
    exported(incident, "csv", actor_for(auditor))
    page = read(client_of(auditor), incident)
    assert page.index("EX-02") < page.index("EX-01")
    assert f"<b>{bundle.sha256[:8]}</b>" in page
    assert "For the regulator" in page
    assert f"sha256sum {bundle.file_name}" in page
    assert f"python3 verify_export.py {bundle.file_name}" in page
    assert "Not signed" in page
    assert key.fingerprint[7:15] in page


def test_those_who_may_not_export_see_no_export(
    incident: Incident, desk: User, auditor: User, client_of: Callable[[User], Client], key: SigningKey
) -> None:
    make_entry(incident, "Seen")
    exported(incident, "csv", actor_for(auditor))
    assert "EX-01" not in read(client_of(desk), incident)


def test_a_number_that_no_entry_has_is_a_gap(
    incident: Incident, auditor: User, client_of: Callable[[User], Client]
) -> None:
    for number in range(5):
        make_entry(incident, f"Entry {number}")
    remove(incident, 3)
    assert '<dt>Gaps in numbering</dt><dd class="bad">1</dd>' in read(client_of(auditor), incident)


def test_approvals_name_both_people_and_what_they_proved_themselves_with(
    incident: Incident, responder: User, coordinator: User, auditor: User, client_of: Callable[[User], Client]
) -> None:
    decide(incident, responder, coordinator)
    page = read(client_of(auditor), incident, "decisions")
    row = page.partition("<tbody>")[2]
    for expected in ("Approved: Disable sign-in, 1 account", str(responder), str(coordinator), "with password"):
        assert expected in row


def test_decisions_of_many_accounts_are_one_line_and_corrections_keep_the_first_text(
    incident: Incident, coordinator: User, auditor: User, client_of: Callable[[User], Client]
) -> None:
    make_entry(incident, "We lock everyone out", lane=Lane.DECISION)
    first = make_entry(incident, "Fifteen networks")
    correct_entry(
        incident_id=incident.pk, sequence=first.sequence, summary="Fourteen networks", occurred_at=first.occurred_at,
        precision="second", reason="Counted again", actor=actor_for(coordinator), at=timezone.now(),
    )  # fmt: skip
    client = client_of(auditor)
    page = read(client, incident, "decisions", kind="decisions")
    assert "We lock everyone out" in page
    assert "Fifteen" not in page
    page = read(client, incident, "decisions", kind="corrections")
    assert "Fourteen networks" in page
    assert f"#{first.sequence} said: Fifteen networks" in page


def test_redactions_name_both_people_the_reason_and_the_legal_basis(
    incident: Incident, responder: User, coordinator: User, auditor: User, client_of: Callable[[User], Client]
) -> None:
    event = make_entry(incident, "A name")
    Redaction.objects.create(
        incident=incident, event=event, reason="Health data", legal_basis="UK GDPR, Article 17", status="refused",
        requester=responder, requested_at=AT, decider=coordinator, decided_at=AT, decision_note="Still needed",
    )  # fmt: skip
    page = read(client_of(auditor), incident, "decisions", kind="redactions")
    row = page.partition("<tbody>")[2]
    for expected in ("Refused: Health data", "UK GDPR, Article 17. Still needed", str(responder), str(coordinator)):
        assert expected in row


@pytest.mark.parametrize("kind", ["approvals", "decisions", "corrections"])
def test_each_list_is_paged_without_a_gap(
    incident: Incident, kind: str, responder: User, coordinator: User, auditor: User,
    client_of: Callable[[User], Client],
) -> None:  # fmt: skip
    total = PAGE + 7
    if kind == "approvals":
        decide(incident, responder, coordinator, total)
    else:
        first = make_entry(incident, "First")
        for number in range(total):
            corrects = first.sequence if kind == "corrections" else None
            make_entry(incident, f"Word {number}.", lane=Lane.DECISION, corrects=corrects, kind="entry.corrected")
    client = client_of(auditor)
    page = read(client, incident, "decisions", kind=kind)
    following = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    response = client.get(reverse("decisions", args=[incident.reference]) + following)
    both = page + response.content.decode()
    assert [both.count(f"Word {number}.") for number in range(total)] == [1] * total
    assert 'rel="next"' not in response.content.decode()


@pytest.mark.parametrize("before", ["x", "9" * 40, "2026-01-01T00:00:00_5", "2026-01-01T00:00:00+00:00_x", "_", "٣"])
@pytest.mark.parametrize("kind", ["approvals", "decisions", "corrections", "redactions", "nothing"])
def test_a_place_that_cannot_be_is_the_beginning(
    incident: Incident, kind: str, before: str, responder: User, coordinator: User, auditor: User,
    client_of: Callable[[User], Client],
) -> None:  # fmt: skip
    decide(incident, responder, coordinator)
    first = make_entry(incident, "Word 0.", lane=Lane.DECISION)
    make_entry(incident, "Word 0.", corrects=first.sequence, kind="entry.corrected")
    Redaction.objects.create(
        incident=incident, event=first, reason="Word 0.", legal_basis="UK GDPR, Article 17", status="refused",
        requester=responder, requested_at=AT, decider=coordinator, decided_at=AT, decision_note="Still needed",
    )  # fmt: skip
    page = read(client_of(auditor), incident, "decisions", kind=kind, before=before)
    assert "Word 0." in page.partition("<tbody>")[2]


@pytest.mark.parametrize("name", ["audit", "decisions"])
def test_pages_make_the_same_queries_whatever_the_incident_holds(
    incident: Incident, name: str, responder: User, coordinator: User, client_of: Callable[[User], Client],
    key: SigningKey,
) -> None:  # fmt: skip
    client = client_of(coordinator)

    def queries() -> int:
        read(client, incident, name)
        with CaptureQueriesContext(connection) as captured:
            read(client, incident, name)
        return len(captured)

    def fill(times: int) -> None:
        for _ in range(times):
            make_entry(incident, "Decided", lane=Lane.DECISION)
            make_checkpoint(incident_id=incident.pk, reason="asked", at=timezone.now())
            exported(incident, "csv", actor_for(coordinator))
            decide(incident, responder, coordinator)

    fill(1)
    few = queries()
    fill(4)
    assert queries() == few


def test_nothing_of_an_entry_is_markup(incident: Incident, auditor: User, client_of: Callable[[User], Client]) -> None:
    make_entry(incident, "<script>alert(1)</script> decided", lane=Lane.DECISION)
    assert "<script>alert" not in read(client_of(auditor), incident, "decisions", kind="decisions")
