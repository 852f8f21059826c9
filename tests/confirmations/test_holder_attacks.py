"""Attacks on the staff pages: fetchers of links, guessers, and who looks for differences between answers."""

import secrets
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ir_portal.cache import client_of
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.confirmations.codes import ALPHABET, LENGTH, digest_of, shown
from runbooks.confirmations.models import Code, Confirmation, DeskCall, Probe
from runbooks.confirmations.operations.probing import look
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.access.routes import NAMES
from tests.access.traces import differences, rows
from tests.confirmations.holding import body, issue, make_coded, make_holder
from tests.factories import make_incident, make_user

pytestmark = pytest.mark.django_db
WRONG = "0000-0000"


class Links(HTMLParser):
    """Every address of a page that a client could fetch, forms included."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {value for name, value in attrs if name in {"href", "src", "action"} and value}


def walk(client: Client, *starts: str) -> Iterator[str]:
    """Fetch every page there is a way to, by GET and HEAD, with and without what a form would send."""
    waiting, seen = list(starts), set(starts)
    while waiting:
        address = waiting.pop()
        for method in ("get", "head"):
            for fields in ({}, {"changed": "not_me", "account": "x", "code": WRONG}):
                response = getattr(client, method)(address, fields)
                assert response.status_code in {200, 302}, address
        yield address
        found = Links(client.get(address, follow=True).text).found
        new = {link.partition("#")[0] for link in found if link.startswith(("/confirm", "/cadarnhau"))} - seen - {""}
        waiting += new
        seen |= new


def heads() -> list[tuple[object, ...]]:
    return list(Incident.objects.order_by("pk").values_list("head_sequence", "head_hash"))


ADDRESSES = [f"{start}{page}" for start, pages in {
    "/confirm/": ("", "changed/", "how/", "about/", "check/", "done/", "call/"),
    "/cadarnhau/": ("", "newid/", "sut/", "cwestiynau/", "gwirio/", "derbynneb/", "galwad/"),
}.items() for page in pages]  # fmt: skip


@pytest.mark.parametrize("how_far", ["nothing", "opened", "claimed", "done"])
def test_a_client_that_runs_every_link_changes_no_row(how_far: str, client: Client) -> None:
    row, code = make_coded()
    if how_far != "nothing":
        client.post("/confirm/", {"account": row.login, "code": code})
    if how_far in {"claimed", "done"}:
        client.post("/confirm/changed/", {"changed": "changed"})
    if how_far == "done":
        client.post("/confirm/check/")
    before, before_heads = rows(), heads()
    assert set(walk(client, *ADDRESSES)) == set(ADDRESSES)
    assert (differences(before), heads()) == ([], before_heads)
    assert Code.objects.filter(used_at=None).exists() == (how_far != "done")


def test_a_client_that_runs_every_link_costs_no_try(client: Client) -> None:
    list(walk(client, *ADDRESSES))
    assert tries() == []


def tries() -> list[bytes]:
    """What Valkey keeps of wrong tries."""
    return list(client_of(settings.REDIS_URL).scan_iter("tries:*"))


def test_the_walk_knows_every_address_of_the_staff_pages() -> None:
    assert sum(name.startswith("holder_") for name in NAMES) == len(ADDRESSES)


class Asked:
    """An answer as an attacker sees it, and what it cost."""

    def __init__(self, account: str, code: str, address: str = "203.0.113.9", page: str = "/confirm/") -> None:
        field = "code" if page == "/confirm/" else "reference"
        with CaptureQueriesContext(connection) as captured:
            response = Client(REMOTE_ADDR=address).post(page, {"account": account, field: code})
        self.status, self.queries = response.status_code, [one["sql"].split("WHERE")[0] for one in captured]
        self.body = body(response).replace(account, "ACCOUNT").replace(code, "CODE")
        self.headers = dict(response.items())
        self.cookies = set(response.cookies)


@pytest.fixture
def others() -> dict[str, tuple[str, str]]:
    """{what is wrong: (account, code)}, all as long: what was typed is shown again, and an answer says its length."""
    incident, now = make_incident(), timezone.now()
    known, used, expired, replaced = (
        make_holder(incident, f"{name}@parliament.example") for name in ("known.ab", "gone.by.", "expired.", "replaced")
    )
    codes = {
        row.pk: shown(one.code)
        for row, one in zip((known, used, expired, replaced), issue(known, used, expired, replaced), strict=True)
    }
    issue(replaced)
    Code.objects.filter(affected_account=used).update(used_at=now)
    past = {"issued_at": now - timedelta(days=20), "expires_at": now - timedelta(days=6)}
    Code.objects.filter(affected_account=expired).update(**past)
    return {
        "unknown account": ("nobody.x", WRONG),
        "wrong code": ("known.ab", WRONG),
        "another's code": ("expired.", codes[known.pk]),
        "used": ("gone.by.", codes[used.pk]),
        "expired": ("expired.", codes[expired.pk]),
        "superseded": ("replaced", codes[replaced.pk]),
    }


def test_everything_that_is_wrong_gets_the_same_answer_at_the_same_cost(others: dict[str, tuple[str, str]]) -> None:
    asked = [Asked(account, code, f"203.0.{number}.9") for number, (account, code) in enumerate(others.values())]
    first = asked[0]
    assert first.status == 400
    assert len(first.queries) == 1
    assert "did not work" in first.body
    for one, name in zip(asked, others, strict=True):
        seen = (one.status, one.body, one.headers, one.queries, one.cookies)
        assert seen == (first.status, first.body, first.headers, first.queries, first.cookies), name


def test_who_tries_too_often_reads_the_same_and_is_not_looked_at(others: dict[str, tuple[str, str]]) -> None:
    asked = [Asked(*others["wrong code"]) for _ in range(5)]
    assert [len(one.queries) for one in asked] == [1, 1, 1, 0, 0]
    assert {one.body for one in asked} == {asked[0].body}
    assert {one.status for one in asked} == {400}


def random_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def test_guesses_from_everywhere_open_nothing_raise_the_alarm_and_lock_nobody_out() -> None:
    incident = make_incident(members=(make_user(),))
    holders = [make_holder(incident, f"holder{number}@parliament.example") for number in range(9)]
    codes = {row.login: one.code for row, one in zip(holders, issue(*holders), strict=True)}
    clients = [Client(REMOTE_ADDR=f"198.{18 + number // 250}.{number % 250}.7") for number in range(60)]
    for number in range(600):
        guessed = clients[number % 60].post("/confirm/", {"account": f"holder{number % 9}", "code": random_code()})
        assert guessed.status_code == 400
    assert look(at=timezone.now()) == 1
    assert Probe.objects.get().wrong >= 300
    assert TimelineEvent.objects.filter(incident=incident, kind="holder.probed").exists()
    assert not Confirmation.objects.exists()
    for login, code in codes.items():
        right = Client(REMOTE_ADDR="192.0.2.44")
        assert right.post("/confirm/", {"account": login, "code": code}).status_code == 302
        assert right.post("/confirm/changed/", {"changed": "not_me"})["Location"] == "/confirm/done/"
    assert Confirmation.objects.count() == 9


def test_nine_thousand_who_mistype_at_one_address_of_the_house_keep_nobody_out(settings: Any) -> None:
    settings.OWN_NETWORKS = ["192.0.2.0/24"]
    row, code = make_coded()
    house = Client(REMOTE_ADDR="192.0.2.10")
    for number in range(80):
        house.post("/confirm/", {"account": f"colleague{number}", "code": WRONG})
    assert house.post("/confirm/", {"account": row.login, "code": code}).status_code == 302


# Is this call genuine?


@pytest.fixture
def called() -> tuple[AffectedAccount, str]:
    """A holder whom the desk is calling now, and the reference the desk gave."""
    row, _ = make_coded("m.ferreira@parliament.example")
    now = timezone.now()
    DeskCall.objects.create(
        incident=row.incident, affected_account=row, taken_by=make_user(), taken_at=now,
        held_until=now + timedelta(minutes=20), reference_digest=digest_of("desk_call", row.login, "K7QM42XT"),
        reference_until=now + timedelta(minutes=15),
    )  # fmt: skip
    return row, "K7QM42XT"


@pytest.mark.parametrize("spelt", ["K7QM42XT", "k7qm-42xt", " K7QM 42XT "])
def test_a_call_that_is_open_is_said_to_be_ours(
    spelt: str, client: Client, called: tuple[AffectedAccount, str]
) -> None:
    before = rows()
    text = client.post("/confirm/call/", {"account": "M.Ferreira", "reference": spelt}).text
    assert "A call from the service desk to you is open now." in text
    assert "Hang up" not in text
    assert called[0].display_name not in text
    assert differences(before) == []
    assert tries() == []


def test_any_other_call_is_none_of_ours_in_the_same_words(called: tuple[AffectedAccount, str]) -> None:
    _, reference = called
    asked = [
        Asked("nobody.here", reference, "203.0.1.9", "/confirm/call/"),
        Asked("m.ferreira", WRONG, "203.0.2.9", "/confirm/call/"),
    ]
    DeskCall.objects.update(reference_until=timezone.now())
    asked.append(Asked("m.ferreira", reference, "203.0.3.9", "/confirm/call/"))
    DeskCall.objects.update(
        reference_until=timezone.now() + timedelta(minutes=9), ended_at=timezone.now(), outcome="no_answer"
    )
    asked.append(Asked("m.ferreira", reference, "203.0.4.9", "/confirm/call/"))
    assert {(one.status, one.body, len(one.queries)) for one in asked} == {(200, asked[0].body, 1)}
    assert "No call from the service desk to you is open now" in asked[0].body
    assert "Hang up" in asked[0].body


def test_references_are_guessed_no_more_often_than_codes(called: tuple[AffectedAccount, str]) -> None:
    for _ in range(4):
        Asked("m.ferreira", WRONG, page="/confirm/call/")
    kept_waiting = Asked("m.ferreira", called[1], page="/confirm/call/")
    assert "Hang up" in kept_waiting.body
    assert Asked("m.ferreira", WRONG).queries == []


def test_a_reference_is_no_code_and_a_code_no_reference(client: Client, called: tuple[AffectedAccount, str]) -> None:
    assert client.post("/confirm/", {"account": "m.ferreira", "code": called[1]}).status_code == 400
    (one,) = issue(called[0])
    assert "Hang up" in client.post("/confirm/call/", {"account": "m.ferreira", "reference": one.code}).text


def test_the_call_page_asks_for_both(client: Client) -> None:
    response = client.post("/confirm/call/", {"account": "", "reference": " "})
    assert response.status_code == 400
    assert response.text.count("Enter the reference that the caller gave you") == 2
    assert response.text.count("Enter your account name") == 2


def test_a_browser_that_keeps_no_cookies_is_told_so_in_both_languages() -> None:
    row, code = make_coded()
    strict = Client(enforce_csrf_checks=True)
    refused = strict.post("/cadarnhau/", {"account": row.login, "code": code})
    assert refused.status_code == 403
    assert "This form is too old" in refused.text
    assert "Mae’r ffurflen hon yn rhy hen" in refused.text
    assert code not in refused.text
