"""Attacks by what the portal shows and takes: text of strangers on every page, odd values in every form, guessing."""

import csv
import io
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.signals import got_request_exception
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.views.debug import ExceptionReporter
from django.views.decorators.debug import sensitive_variables

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations import exclude, request_approval
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.connectors.base import failure
from runbooks.incidents.models import Incident
from tests.actions.acting import approved, carried_out, drafted, requested
from tests.actions.rogue import Rogue, rogue_connection
from tests.factories import PASSWORD, make_account, make_affected, make_incident

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
LOGIN = "<script>alert(1)</script>\"'>@x"


@pytest.fixture
def rogue(settings: Any) -> Iterator[Rogue]:
    with rogue_connection(settings) as made:
        yield made


@pytest.fixture
def room(asker: User, approver: User) -> Incident:
    return make_incident(lead=approver, members=(asker,), is_exercise=True)


@pytest.fixture
def hostile(room: Incident) -> AffectedAccount:
    account = make_account(login=LOGIN, display_name=SCRIPT, department=SCRIPT, mail=LOGIN)
    return make_affected(room, account, display_name=SCRIPT, department=SCRIPT)


@pytest.fixture
def run_(rogue: Rogue, room: Incident, hostile: AffectedAccount, asker: User, approver: User) -> Action:
    rogue.answers = lambda results: [failure(one.account, SCRIPT, permanent=True) for one in results]
    return carried_out(approved(requested(drafted(room, asker, accounts=[hostile], reason=SCRIPT), asker), approver))


def verb(action: Action, name: str) -> str:
    return reverse("action_do", args=[action.incident.reference, action.number, name])


def pages(action: Action, hostile: AffectedAccount) -> list[str]:
    at = [action.incident.reference]
    one = [*at, action.number]
    return [
        reverse("action", args=one),
        reverse("action_work_list", args=one),
        reverse("actions", args=at),
        reverse("incident", args=at),
        reverse("timeline", args=at),
        reverse("accounts", args=at),
        reverse("account_detail", args=[*at, hostile.pk]),
        reverse("notices", args=at),
        reverse("my_work"),
        reverse("connections"),
    ]


def test_no_page_runs_what_a_directory_or_a_receiver_wrote(
    run_: Action, hostile: AffectedAccount, approver: User, client_of: ClientOf
) -> None:
    client = client_of(approver)
    for address in pages(run_, hostile):
        text = client.get(address).text
        assert "<script>alert" not in text, address
        assert "<img src=x" not in text, address


@pytest.mark.parametrize("status", ["draft", "awaiting_approval"])
def test_nor_does_the_page_on_which_it_is_decided(
    status: str,
    rogue: Rogue,
    room: Incident,
    hostile: AffectedAccount,
    asker: User,
    approver: User,
    client_of: ClientOf,
) -> None:
    action = drafted(room, asker, accounts=[hostile, make_affected(room)], reason=SCRIPT)
    exclude(action_id=action.pk, logins=[LOGIN], reason=SCRIPT, actor=actor_for(asker), at=timezone.now())
    if status == "awaiting_approval":
        Action.objects.filter(pk=action.pk).update(previewed_at=timezone.now(), preview_problem=SCRIPT)
        request_approval(action_id=action.pk, actor=actor_for(asker), at=timezone.now())
    text = client_of(approver).get(reverse("action", args=[room.reference, action.number])).text
    assert "&lt;script&gt;alert" in text
    assert "<script>alert" not in text
    assert "<img src=x" not in text


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", " =", "\u00a0="])
def test_no_cell_of_the_file_is_a_formula(
    first: str, rogue: Rogue, room: Incident, asker: User, approver: User, client_of: ClientOf
) -> None:
    account = make_account(display_name=f"{first}HYPERLINK(1)")
    action = drafted(room, asker, accounts=[make_affected(room, account)])
    ActionAccount.objects.filter(action=action).update(message=f"{first}cmd|' /C calc'!A0")
    response = client_of(approver).get(reverse("action_accounts_csv", args=[room.reference, action.number]))
    cells = [cell for row in csv.reader(io.StringIO(response.text)) for cell in row]
    assert not [cell for cell in cells if cell.strip()[:1] in {"=", "+", "-", "@", "＝", "＋", "－", "＠"}]


def test_nothing_is_done_by_looking(run_: Action, asker: User, client_of: ClientOf) -> None:
    client = client_of(asker)
    before = Action.objects.values().get(pk=run_.pk)
    for name in ("retry", "cancel", "withdraw", "rollback", "pause", "resume", "begin", "request", "resolve"):
        for method in ("GET", "HEAD"):
            assert client.generic(method, verb(run_, name)).status_code == 302
        for method in ("PUT", "DELETE", "PATCH"):
            assert client.generic(method, verb(run_, name)).status_code == 405
    assert Action.objects.values().get(pk=run_.pk) == before


def test_another_site_has_nothing_done(run_: Action, asker: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(asker)
    assert client.post(verb(run_, "retry")).status_code == 403
    api = reverse("api_action_decisions", args=[run_.incident.reference, run_.number])
    assert client.post(api, {"decision": "refused"}, content_type="application/json").status_code == 403


@pytest.mark.parametrize("value", ["9" * 18, "9" * 5000, "-1", "0", "1e9", "²", "٣", "\0", "1;2", ""])
@pytest.mark.parametrize("name", ["settle", "rollback"])
def test_odd_rows_are_refused_and_nothing_breaks(
    name: str, value: str, run_: Action, asker: User, client_of: ClientOf
) -> None:
    response = client_of(asker).post(
        verb(run_, name), {"row": [value], "reason": "x", "status": "done", "evidence": "x"}
    )
    assert 400 <= response.status_code < 500


@pytest.mark.parametrize("next_", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_no_form_leads_to_another_site(next_: str, run_: Action, asker: User, client_of: ClientOf) -> None:
    client = client_of(asker)
    address = verb(run_, "retry")
    response = client.post(f"{address}?next={next_}", {"next": next_, "back": next_}, headers={"referer": next_})
    assert response.status_code == 302
    assert response["Location"].startswith("/incidents/")
    new = reverse("action_new", args=[run_.incident.reference])
    assert "evil.example" not in client.get(f"{new}?back={next_}&next={next_}").text


# Guessing a password from a stolen session


def guess(client: Client, action: Action, password: str) -> int:
    return client.post(
        verb(action, "decide"),
        {"choice": "approved", "digest": action.digest, "number": "1", "has_read": "on", "password": password},
    ).status_code


def guess_by_api(client: Client, action: Action, password: str) -> int:
    address = reverse("api_action_decisions", args=[action.incident.reference, action.number])
    said = {"decision": "approved", "digest": action.digest, "accounts": 1, "password": password}
    return client.post(address, said, content_type="application/json").status_code


def test_guesses_on_the_page_and_over_the_api_are_counted_together_whatever_the_session(
    rogue: Rogue, room: Incident, asker: User, approver: User, client_of: ClientOf
) -> None:
    action = requested(drafted(room, asker, accounts=[make_affected(room)]), asker)
    for number in range(5):
        assert guess(client_of(approver), action, f"guess {number}") == 403
        assert guess_by_api(client_of(approver), action, f"guess {number}") == 403
    assert guess(client_of(approver), action, PASSWORD) == 429
    assert guess_by_api(client_of(approver), action, PASSWORD) == 429
    action.refresh_from_db()
    assert action.status == Action.Status.AWAITING_APPROVAL


@pytest.fixture
def reports() -> Iterator[list[str]]:
    """What Django would write of every error of ours, with the variables of each frame."""
    written: list[str] = []

    def write(request: Any, **more: object) -> None:
        kind, error, trace = sys.exc_info()
        reporter = ExceptionReporter(request, kind, error, trace)
        written.extend([reporter.get_traceback_html(), reporter.get_traceback_text()])

    got_request_exception.connect(write)
    yield written
    got_request_exception.disconnect(write)


@pytest.mark.parametrize("broken", ["decide", "confirm", "check_password"])
@pytest.mark.parametrize("way", ["page", "api"])
def test_a_password_is_in_no_page_no_log_and_no_report(
    way: str, broken: str, rogue: Rogue, room: Incident, asker: User, approver: User, client_of: ClientOf, caplog: Any,
    monkeypatch: Any, reports: list[str],
) -> None:  # fmt: skip
    action = requested(drafted(room, asker, accounts=[make_affected(room)]), asker)

    @sensitive_variables()
    def fail(*given: object, **more: object) -> None:
        raise RuntimeError("broken")

    if broken == "check_password":
        monkeypatch.setattr(User, "check_password", fail)
    elif broken == "confirm":
        monkeypatch.setattr("allauth.core.ratelimit.consume", fail)
    else:
        monkeypatch.setattr(
            "runbooks.actions.operations.decide" if way == "page" else "runbooks.actions.api.decide", fail
        )
    client = client_of(approver)
    client.raise_request_exception = False
    with caplog.at_level(logging.DEBUG):
        assert (guess if way == "page" else guess_by_api)(client, action, PASSWORD) == 500
    assert len(reports) == 2
    assert "broken" in reports[0]
    assert not [text for text in [*reports, caplog.text] if PASSWORD in text]


@pytest.mark.parametrize("number", ["0", "2147483648", "9" * 40])
def test_numbers_that_no_action_has_are_not_found(
    number: str, room: Incident, asker: User, client_of: ClientOf
) -> None:
    client = client_of(asker)
    for address in (
        f"/incidents/{room.reference}/actions/{number}/",
        f"/api/incidents/{room.reference}/actions/{number}/",
    ):
        assert client.get(address).status_code == 404


@pytest.mark.parametrize("body", ["[]", '"x"', "null", "{", '{"decision": {"a": 1}}', '{"digest": 5}', "[" * 5000])
def test_nonsense_over_the_api_is_refused(
    body: str, rogue: Rogue, room: Incident, asker: User, approver: User, client_of: ClientOf
) -> None:
    action = requested(drafted(room, asker, accounts=[make_affected(room)]), asker)
    address = reverse("api_action_decisions", args=[room.reference, action.number])
    assert client_of(approver).post(address, body, content_type="application/json").status_code == 400


def test_what_is_of_another_incident_is_not_reached_by_a_number_of_ours(
    run_: Action, room: Incident, outsider: User, client_of: ClientOf
) -> None:
    theirs = make_incident(lead=outsider, is_exercise=True)
    client = client_of(outsider)
    for name in ("action", "action_work_list", "action_accounts_csv", "api_action"):
        assert client.get(reverse(name, args=[theirs.reference, run_.number])).status_code == 404
        assert client.get(reverse(name, args=[room.reference, run_.number])).status_code == 404
    for name in ("retry", "cancel", "rollback", "settle", "decide"):
        assert client.post(verb(run_, name), {"reason": "x", "all_accounts": "1"}).status_code == 404
    assert room.reference not in client.get(reverse("my_work")).text
    assert client.get(reverse("live", args=[room.pk])).status_code == 404


def test_the_list_of_the_api_asks_no_more_for_more_actions(
    rogue: Rogue, room: Incident, asker: User, client_of: ClientOf
) -> None:
    client, address = client_of(asker), reverse("api_actions", args=[room.reference])

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200
        return len(captured)

    drafted(room, asker, accounts=[make_affected(room)])
    queries()
    few = queries()
    for _ in range(5):
        drafted(room, asker, accounts=[make_affected(room)])
    assert queries() == few
    assert client.get(address).json()["results"][0]["accounts"] == {"waiting": 1}
