"""The page of exports: the list, the form, what is filtered, and who sees what."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.background import NoBrokerError
from runbooks.exports import tasks
from runbooks.exports.models import Export, SigningKey
from runbooks.exports.operations.requesting import Wish, request_export
from runbooks.exports.views import wishes as wishes_page
from runbooks.incidents.models import Incident
from runbooks.timeline.models import Lane
from tests.access.writes import writes, written
from tests.exports.exporting import exported
from tests.factories import make_entry

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
Handed = list[tuple[str, dict[str, Any]]]


def address(incident: Incident, rest: str = "") -> str:
    return f"/incidents/{incident.reference}/exports/{rest}"


def page(client: Client, incident: Incident, rest: str = "") -> str:
    answer = client.get(address(incident, rest))
    assert answer.status_code == 200
    return answer.content.decode()


def ask(client: Client, incident: Incident, **fields: Any) -> Any:
    return client.post(address(incident, "ask/"), {"format": "csv", "order": "sequence", **fields}, follow=True)


def test_a_small_export_is_said_to_come_and_then_is_there(
    incident: Incident, auditor: User, client_of: ClientOf, handed: Handed
) -> None:
    make_entry(incident, "Seen")
    client = client_of(auditor)
    said = ask(client, incident, purpose="The board").content.decode()
    assert "CSV: asked for, and will appear here." in said
    assert 'hx-trigger="every 1s"' in said
    assert "No exports yet" in said
    tasks.ask(**handed[0][1])
    said = page(client, incident, "part/")
    export = Export.objects.get()
    assert f"EX-01 is ready: {incident.reference}-EX-01.csv" in said
    assert "The board" in said
    assert export.sha256[:8] in said
    assert export.options["bom"] is False
    assert f'href="{address(incident, "1/download/")}"' in said
    assert "hx-trigger" not in said
    assert "is ready" not in page(client_of(incident.lead), incident)
    ask(client, incident)
    tasks.ask(**handed[1][1])
    said = page(client, incident)
    assert "EX-02 is ready" in said
    assert "EX-01 is ready" not in said
    Export.objects.update(ended_at=timezone.now() - timedelta(minutes=2))
    assert "is ready" not in page(client, incident)


def test_asking_writes_nothing_in_the_session_neither(
    incident: Incident, auditor: User, client_of: ClientOf, handed: Handed
) -> None:
    make_entry(incident)
    client = client_of(auditor)
    before = writes()
    assert client.post(address(incident, "ask/"), {"format": "csv"}).status_code == 302
    assert written(before) == set()
    assert len(handed) == 1


def test_a_worker_that_does_not_come_and_a_refusal_are_said(
    incident: Incident, responder: User, client_of: ClientOf, handed: Handed
) -> None:
    make_entry(incident)
    client = client_of(responder)
    ask(client, incident)
    with patch.object(wishes_page, "SLOW", timedelta(0)):
        said = page(client, incident, "part/")
    assert "no worker has taken it yet" in said
    assert "tell an administrator" in said
    responder.memberships.update(ended_at=timezone.now())
    tasks.ask(**handed[0][1])
    responder.memberships.update(ended_at=None)
    said = page(client, incident, "part/")
    assert "CSV: nothing was exported. There is no such incident, or you are not in it." in said
    assert "hx-trigger" not in said


def test_without_a_broker_the_form_stays_filled_in_and_the_way_on_is_said(
    incident: Incident, auditor: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(task: str, **arguments: Any) -> None:
        raise NoBrokerError(task)

    monkeypatch.setattr("runbooks.exports.operations.handing.hand_over", away)
    make_entry(incident)
    answer = ask(client_of(auditor), incident, purpose="Kept as typed")
    said = answer.content.decode()
    assert answer.status_code == 503
    assert "Kept as typed" in said
    assert "its broker does not answer. Nothing was asked for." in said
    assert "will appear here" not in said


def test_a_large_one_shows_how_far_it_is(incident: Incident, responder: User, client_of: ClientOf) -> None:
    make_entry(incident, "Seen")
    client = client_of(responder)
    exported(incident, "csv")
    Export.objects.update(status="running", done=1, lease_until=timezone.now())
    said = page(client, incident, "part/")
    assert "1 of 1 entry" in said
    assert 'hx-trigger="every 1s"' in said
    assert "<html" not in said
    Export.objects.update(status="failed", reason="The disk is full.")
    said = page(client, incident, "part/")
    assert "The disk is full." in said
    assert "hx-trigger" not in said
    assert "Try again" in said


@pytest.mark.usefixtures("at_work")
def test_the_timeline_leads_here_with_what_it_shows(incident: Incident, responder: User, client_of: ClientOf) -> None:
    make_entry(incident, "needle", lane=Lane.DECISION)
    make_entry(incident, "straw")
    client = client_of(responder)
    shown = client.get(f"/incidents/{incident.reference}/timeline/?lane=decision&order=oldest&fold=0").content.decode()
    link = f"/incidents/{incident.reference}/exports/?lane=decision&amp;order=oldest&amp;fold=0#ask"
    assert f'href="{link}">Export what is shown' in shown
    said = page(client, incident, "?lane=decision&order=oldest&fold=0")
    assert "<b>1 entry</b> of 2: kind Decision." in said
    assert 'name="query" value="lane=decision"' in said
    said = ask(client, incident, query="lane=decision").content.decode()
    assert "Filter: kind Decision (1 left out)" in said


def test_a_filter_that_means_nothing_says_so_and_exports_nothing(
    incident: Incident, responder: User, client_of: ClientOf
) -> None:
    make_entry(incident)
    client = client_of(responder)
    assert "This incident has no step 9.9." in page(client, incident, "?step=9.9")
    answer = ask(client, incident, query="step=9.9", purpose="Kept as typed")
    assert answer.status_code == 400
    assert "Kept as typed" in answer.content.decode()
    assert not Export.objects.exists()


def test_without_a_key_the_bundle_cannot_be_chosen_and_the_mend_is_said(
    incident: Incident, responder: User, client_of: ClientOf
) -> None:
    make_entry(incident)
    client = client_of(responder)
    assert "signing_key create" in page(client, incident)
    assert ask(client, incident, format="bundle").status_code == 409


def test_the_seal_of_each_is_shown(incident: Incident, responder: User, client_of: ClientOf, key: SigningKey) -> None:
    make_entry(incident)
    exported(incident, "bundle")
    exported(incident, "csv")
    said = page(client_of(responder), incident)
    assert key.fingerprint in said
    assert "The file is not signed" in said


def test_the_desk_reads_the_list_and_takes_nothing_away(incident: Incident, desk: User, client_of: ClientOf) -> None:
    make_entry(incident)
    exported(incident, "csv")
    client = client_of(desk)
    said = page(client, incident)
    assert "EX-01" in said
    assert "Download" not in said.partition("<tbody>")[2]
    assert 'id="ask"' not in said
    assert ask(client, incident).status_code == 403
    assert client.get(address(incident, "1/download/")).status_code == 403
    assert client.post(address(incident, "1/cancel/")).status_code == 403


@pytest.mark.usefixtures("at_work")
def test_auditors_export_and_outsiders_find_nothing(
    incident: Incident, auditor: User, outsider: User, client_of: ClientOf
) -> None:
    make_entry(incident)
    assert "Read only" in page(client_of(auditor), incident)
    assert "EX-01 is ready" in ask(client_of(auditor), incident).content.decode()
    stranger = client_of(outsider)
    for rest in ("", "part/", "ask/", "1/download/"):
        assert stranger.get(address(incident, rest)).status_code == 404
    for rest in ("ask/", "1/cancel/", "1/retry/"):
        assert stranger.post(address(incident, rest), {"format": "csv"}).status_code == 404
    assert Export.objects.count() == 1


def test_cancel_and_try_again_are_buttons_of_those_who_may(
    incident: Incident, responder: User, communications: User, auditor: User, client_of: ClientOf
) -> None:
    make_entry(incident)
    for user in (responder, auditor):
        request_export(incident_id=incident.pk, wish=Wish("csv"), actor=actor_for(user), at=timezone.now())
    assert "Cancel<" not in page(client_of(communications), incident)
    assert "Cancel<" not in page(client_of(auditor), incident)
    assert page(client_of(responder), incident).count("Cancel<") == 1
    said = client_of(responder).post(address(incident, "1/cancel/"), follow=True).content.decode()
    assert "EX-01 is cancelled." in said
    Export.objects.filter(number=2).update(status="failed", reason="The disk is full.")
    assert "Try again<" not in page(client_of(auditor), incident)
    for rest in ("2/cancel/", "2/retry/"):
        assert client_of(auditor).post(address(incident, rest)).status_code == 403
    said = client_of(responder).post(address(incident, "1/retry/"), follow=True).content.decode()
    assert "EX-01 is being made again." in said


def test_older_exports_are_pages_back_and_queries_do_not_grow(
    incident: Incident, responder: User, client_of: ClientOf
) -> None:
    make_entry(incident)
    at, client = timezone.now(), client_of(responder)

    def add(numbers: range) -> None:
        Export.objects.bulk_create(
            Export(incident=incident, number=number, format="csv", requested_by="x", requested_at=at, filter={"q": "x"},
                   options={"said": f"words {number}"}, head_sequence=1, head_hash="0" * 64, status="failed")
            for number in numbers
        )  # fmt: skip

    add(range(1, 3))
    page(client, incident)
    with CaptureQueriesContext(
        connection,
    ) as few:
        page(client, incident)
    add(range(3, 61))
    with CaptureQueriesContext(connection) as many:
        said = page(client, incident)
    assert len(many) <= len(few)
    assert "EX-60" in said
    assert "EX-35" not in said
    assert "?older=36" in said
    said = page(client, incident, "?older=36")
    assert "EX-35" in said
    assert "EX-36" not in said
    for odd in ("0", "x", "99999999999999999999", "2147483648"):
        page(client, incident, f"?older={odd}")


def test_a_refused_form_that_fetches_itself_is_led_to_the_list(
    incident: Incident, responder: User, client_of: ClientOf
) -> None:
    answer = client_of(responder).get(address(incident, "ask/?q=x"))
    assert (answer.status_code, answer.headers["Location"]) == (302, address(incident, "?q=x"))
