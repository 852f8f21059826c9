"""The staff pages, page by page: what a holder is asked, told, and led to."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.core import signing
from django.test import Client
from django.utils import timezone

from runbooks.affected_accounts.models import AffectedAccount
from runbooks.confirmations.codes import shown
from runbooks.confirmations.models import Code, Confirmation
from runbooks.confirmations.operations import keeping
from runbooks.confirmations.questions import TEXT_MAX
from runbooks.confirmations.views.holder import ending, frame
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from runbooks.timeline.models import TimelineEvent
from tests.confirmations.holding import issue, make_coded, make_holder

pytestmark = pytest.mark.django_db
Coded = tuple[AffectedAccount, str]
CLAIM = {"changed": "changed"}


@pytest.fixture
def coded() -> Coded:
    return make_coded(detected_at=timezone.now() - timedelta(hours=3))


@pytest.fixture
def inside(client: Client, coded: Coded) -> Client:
    """A holder whose code was just opened."""
    response = client.post("/confirm/", {"account": coded[0].login, "code": coded[1]})
    assert response["Location"] == "/confirm/changed/"
    return client


def test_the_first_page_asks_for_name_and_code_and_can_be_filled_by_a_phone(client: Client) -> None:
    text = client.get("/confirm/").text
    assert 'autocomplete="one-time-code"' in text
    assert 'autocomplete="username"' in text
    assert "We will never ask for your password" in text
    assert 'type="password"' not in text
    assert "onpaste" not in text


@pytest.mark.parametrize("spelt", ["{a}-{b}", "{a}{b}", " {a} {b} ", "{a}–{b}", "{a}‑{b}", "{l}", "{o}", "{a}.{b}"])
def test_a_code_opens_however_it_is_written(spelt: str, client: Client) -> None:
    row, code = make_coded()
    wanted = {"a": code[:4], "b": code[4:], "l": code.lower(), "o": code.replace("0", "O").replace("1", "l")}
    response = client.post("/confirm/", {"account": row.login, "code": spelt.format(**wanted)})
    assert response.status_code == 302


@pytest.mark.parametrize("spelt", ["{}", "  {} ", "{}@parliament.example", "{}@elsewhere.example"])
def test_the_account_is_known_with_and_without_what_follows_the_at(spelt: str, client: Client, coded: Coded) -> None:
    name = coded[0].login.partition("@")[0].upper()
    assert client.post("/confirm/", {"account": spelt.format(name), "code": coded[1]}).status_code == 302


@pytest.mark.parametrize(
    ("account", "code", "said"),
    [
        ("", "7K2M9QTX", "Enter your account name"),
        ("ola.dahl", " - ", "Enter the code"),
        ("ola.dahl", "7K2M-9QT", "You entered 7"),
        ("ola.dahl", "7K2M-9QTUX", "You entered 9"),
        ("ola.dahl", "7K2M-9QTU", "never the letter U"),
        ("ola.dahl", "7K2M-9QTÄ", "only numbers and letters"),
    ],
)
def test_what_is_not_filled_in_is_said_at_the_field_and_above(
    account: str, code: str, said: str, client: Client
) -> None:
    response = client.post("/confirm/", {"account": account, "code": code})
    assert response.status_code == 400
    assert response.text.count(said) == 2
    assert 'role="alert"' in response.text
    assert "autofocus" in response.text
    assert "<title>Error: " in response.text
    assert 'aria-invalid="true"' in response.text
    assert f'value="{account}"' in response.text


def test_the_question_says_since_when_in_the_zone_of_the_house(client: Client, settings: Any) -> None:
    settings.INSTITUTION_TIME_ZONE = "Europe/London"
    row, code = make_coded()
    AffectedAccount.objects.update(contained_at="2017-06-23T09:47:00Z")
    client.post("/confirm/", {"account": row.login, "code": code})
    assert "since 10:47am on Friday 23 June 2017?" in client.get("/confirm/changed/").text
    assert "ers 10:47yb ddydd Gwener 23 Mehefin 2017?" in client.get("/cadarnhau/newid/").text


def test_the_account_is_shown_masked_and_nothing_of_the_mailbox_or_the_incident(inside: Client, coded: Coded) -> None:
    row = coded[0]
    incident = row.incident
    inside.post("/confirm/changed/", CLAIM)
    told = [row.login, "ferreira", row.display_name, row.department, incident.title, incident.reference, coded[1]]
    for page in ("changed", "how", "about", "check"):
        text = inside.get(f"/confirm/{page}/").text
        assert [word for word in told if word in text] == []
    text = inside.get("/confirm/changed/").text
    assert "m•••••-0412" in text
    assert "that begins with m and ends with -0412" in text


def test_nothing_is_chosen_beforehand_and_a_choice_is_needed(inside: Client) -> None:
    assert " checked" not in inside.get("/confirm/changed/").text
    response = inside.post("/confirm/changed/", {})
    assert response.status_code == 400
    assert response.text.count("Choose whether you have changed your password") == 2
    assert inside.post("/confirm/changed/", {"changed": "agrees"}).status_code == 400


def test_not_yet_shows_how_and_leaves_the_code_as_it_is(inside: Client, coded: Coded) -> None:
    assert inside.post("/confirm/changed/", {"changed": "not_yet"})["Location"] == "/confirm/how/"
    assert "three random words" in inside.get("/confirm/how/").text
    assert Code.objects.get().used_at is None
    assert Client().post("/confirm/", {"account": coded[0].login, "code": coded[1]}).status_code == 302


def test_not_me_is_kept_at_once_and_says_that_we_will_call(inside: Client, coded: Coded) -> None:
    assert inside.post("/confirm/changed/", {"changed": "not_me"})["Location"] == "/confirm/done/"
    text = inside.get("/confirm/done/").text
    assert "We will call you on a number we already hold" in text
    assert Confirmation.objects.get().answer == "not_me"
    row = coded[0]
    row.refresh_from_db()
    assert row.tier == "A"
    assert Notification.objects.filter(event="holder.not_me").exists()


ABOUT = {"abroad": "no", "reused": "yes", "others": "My assistant", "odd": "A call on Monday, “the desk”"}


@pytest.mark.parametrize("said", ["changed", "with_help"])
def test_a_claim_is_checked_before_it_is_kept(said: str, inside: Client) -> None:
    assert inside.post("/confirm/changed/", {"changed": said})["Location"] == "/confirm/about/"
    assert inside.post("/confirm/about/", ABOUT)["Location"] == "/confirm/check/"
    text = inside.get("/confirm/check/").text
    assert all(word in text for word in ("My assistant", "A call on Monday, “the desk”", "Check your answers"))
    assert Code.objects.get().used_at is None
    assert inside.post("/confirm/check/")["Location"] == "/confirm/done/"
    kept = Confirmation.objects.get()
    assert (kept.answer, kept.questions, kept.language) == (said, ABOUT, "en-gb")
    done = inside.get("/confirm/done/").text
    assert kept.receipt in done
    assert "Within 10 minutes we check the staff directory" in done


def test_every_question_may_be_left_out(inside: Client) -> None:
    inside.post("/confirm/changed/", CLAIM)
    assert inside.post("/confirm/about/", {})["Location"] == "/confirm/check/"
    assert inside.get("/confirm/check/").text.count("Left out") == 4
    inside.post("/confirm/check/")
    assert Confirmation.objects.get().questions == {}


def test_the_way_back_keeps_what_was_said(inside: Client) -> None:
    inside.post("/confirm/changed/", {"changed": "with_help"})
    inside.post("/confirm/about/", ABOUT)
    changed, about = inside.get("/confirm/changed/").text, inside.get("/confirm/about/").text
    assert 'value="with_help" checked' in changed
    assert re.findall(r'name="(\w+)" value="(\w+)"(?: id="\w+")? checked', about) == [
        ("abroad", "no"),
        ("reused", "yes"),
    ]
    assert ">My assistant</textarea>" in about


def test_a_long_answer_is_refused_at_its_field_and_kept_to_be_shortened(inside: Client) -> None:
    inside.post("/confirm/changed/", CLAIM)
    long = "x" * (TEXT_MAX + 1)
    response = inside.post("/confirm/about/", {**ABOUT, "odd": long})
    assert response.status_code == 400
    assert f"Your answer has {TEXT_MAX + 1} characters. Shorten it to {TEXT_MAX}" in response.text
    assert long in response.text
    assert ">My assistant</textarea>" in response.text


def test_the_longest_answers_of_any_script_fit_into_the_cookie(inside: Client) -> None:
    inside.post("/confirm/changed/", CLAIM)
    texts = {key: "".join(chr(0x20000 + (n * 7919 + at) % 40000) for n in range(TEXT_MAX)) for at, key in
             enumerate(("others", "odd"))}  # fmt: skip
    assert inside.post("/confirm/about/", texts)["Location"] == "/confirm/check/"
    assert len(inside.cookies["confirm"].value) < 4000


def test_answers_that_do_not_fit_are_asked_to_be_shortened(inside: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    inside.post("/confirm/changed/", CLAIM)
    monkeypatch.setattr(frame, "COOKIE_MAX_BYTES", 100)
    response = inside.post("/confirm/about/", ABOUT)
    assert response.status_code == 400
    assert "Your answers together are too long" in response.text


def test_an_answer_that_was_never_offered_is_left_out(inside: Client) -> None:
    inside.post("/confirm/changed/", CLAIM)
    inside.post("/confirm/about/", {"abroad": "maybe", "others": "a\0b\n c", "extra": "x"})
    inside.post("/confirm/check/")
    assert Confirmation.objects.get().questions == {"others": "ab c"}


def test_the_claim_comes_before_the_questions(inside: Client) -> None:
    for page in ("about", "check"):
        assert inside.get(f"/confirm/{page}/")["Location"] == "/confirm/changed/"
        assert inside.post(f"/confirm/{page}/", ABOUT)["Location"] == "/confirm/changed/"
    assert not Confirmation.objects.exists()


def test_pressing_twice_shows_the_same_receipt(inside: Client) -> None:
    inside.post("/confirm/changed/", CLAIM)
    inside.post("/confirm/about/", ABOUT)
    before = inside.cookies["confirm"].value
    inside.post("/confirm/check/")
    entries = TimelineEvent.objects.count()
    inside.cookies["confirm"] = before
    assert inside.post("/confirm/check/")["Location"] == "/confirm/done/"
    assert Confirmation.objects.get().receipt in inside.get("/confirm/done/").text
    for page in ("changed", "how", "about", "check"):
        assert inside.get(f"/confirm/{page}/")["Location"] == "/confirm/done/"
    assert inside.post("/confirm/changed/", {"changed": "not_me"})["Location"] == "/confirm/done/"
    assert TimelineEvent.objects.count() == entries


@pytest.fixture
def in_vain(coded: Coded, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somebody leads the line and does not come through it."""
    incident_id = coded[0].incident_id
    monkeypatch.setattr(keeping, "LONGEST_SECONDS", 0.01)
    keeping._led.add(incident_id)
    yield
    keeping._led.discard(incident_id)
    keeping._waiting.pop(incident_id, None)


def test_who_waited_too_long_loses_nothing_and_presses_again(inside: Client, in_vain: None) -> None:
    inside.post("/confirm/changed/", CLAIM)
    inside.post("/confirm/about/", {"odd": "A strange message"})
    late = inside.post("/confirm/check/")
    assert (late.status_code, late["Retry-After"]) == (503, "15")
    assert "Nothing that you typed is lost" in late.text
    assert 'action="/confirm/check/"' in late.text
    assert "/cadarnhau/gwirio/" in late.text
    assert not Confirmation.objects.exists()
    keeping._led.clear()
    assert inside.post("/confirm/check/")["Location"] == "/confirm/done/"
    assert Confirmation.objects.get().questions == {"odd": "A strange message"}


def test_who_waited_too_long_with_a_doubt_sends_the_same_again(inside: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(ending, "answer", Mock(side_effect=keeping.NotKeptError))
        late = inside.post("/confirm/changed/", {"changed": "not_me"})
    assert late.status_code == 503
    assert 'action="/confirm/changed/"' in late.text
    assert '<input type="hidden" name="changed" value="not_me">' in late.text
    assert inside.post("/confirm/changed/", {"changed": "not_me"})["Location"] == "/confirm/done/"


def test_nothing_of_the_answers_stays_in_the_browser(inside: Client) -> None:
    inside.post("/confirm/changed/", CLAIM)
    inside.post("/confirm/about/", ABOUT)
    inside.post("/confirm/check/")
    kept = signing.loads(inside.cookies["confirm"].value, salt=frame.SALT, serializer=frame.Compact)
    assert (kept["s"], kept["q"]) == ("", {})


@pytest.mark.parametrize("page", ["changed", "how", "about", "check", "done"])
def test_without_a_code_every_page_says_to_begin_again(page: str, client: Client) -> None:
    for cookie in ("", "x", "1:2:3", json.dumps({"c": 1})):
        client.cookies["confirm"] = cookie
        response = client.get(f"/confirm/{page}/")
        assert response.status_code == 200
        assert "Type your code again" in response.text
        assert 'href="/confirm/"' in response.text


def test_after_half_an_hour_the_pages_forget_but_the_code_does_not(
    inside: Client, coded: Coded, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = signing.time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + 31 * 60)
    assert "Type your code again" in inside.post("/confirm/changed/", CLAIM).text
    assert inside.post("/confirm/", {"account": coded[0].login, "code": coded[1]}).status_code == 302


@pytest.mark.parametrize("page", ["changed", "about", "check"])
def test_a_code_that_ran_out_on_the_way_is_said_so(page: str, inside: Client) -> None:
    inside.post("/confirm/changed/", CLAIM)
    past = timezone.now() - timedelta(days=20)
    Code.objects.update(issued_at=past, expires_at=past + timedelta(days=14))
    response = inside.post(f"/confirm/{page}/", {"changed": "not_me"})
    assert "Type your code again" in response.text
    assert not Confirmation.objects.exists()


def test_a_code_that_was_superseded_on_the_way_confirms_nothing(inside: Client, coded: Coded) -> None:
    inside.post("/confirm/changed/", CLAIM)
    (newer,) = issue(coded[0])
    assert "Type your code again" in inside.post("/confirm/check/").text
    assert not Confirmation.objects.exists()
    assert inside.post("/confirm/", {"account": coded[0].login, "code": shown(newer.code)}).status_code == 302


def test_the_codes_of_a_closed_incident_open_nothing(client: Client, coded: Coded) -> None:
    Incident.objects.update(status="closed")
    assert client.post("/confirm/", {"account": coded[0].login, "code": coded[1]}).status_code == 400


def test_a_cookie_of_one_holder_is_nothing_for_another(inside: Client, coded: Coded) -> None:
    other = make_holder(coded[0].incident, "else@parliament.example")
    forged = signing.dumps({"c": issue(other)[0].code_id, "s": "", "q": {}}, salt="guessed", key="x" * 50)
    inside.cookies["confirm"] = forged
    assert "Type your code again" in inside.get("/confirm/changed/").text


def test_the_cookie_is_for_these_pages_alone(inside: Client) -> None:
    assert {name for name in inside.cookies if name != "csrftoken"} == {"confirm", "cadarnhau"}
    for name, path in (("confirm", "/confirm/"), ("cadarnhau", "/cadarnhau/")):
        cookie = inside.cookies[name]
        assert (cookie["path"], cookie["samesite"], cookie["httponly"], cookie["max-age"]) == (
            path,
            "Strict",
            True,
            1800,
        )


def test_behind_tls_the_cookie_never_travels_without_it(client: Client, coded: Coded, settings: Any) -> None:
    settings.HTTPS = True
    client.post("/confirm/", {"account": coded[0].login, "code": coded[1]})
    assert client.cookies["__Secure-confirm"]["secure"] is True


def test_a_form_needs_the_token_of_its_page(coded: Coded) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post("/confirm/", {"account": coded[0].login, "code": coded[1]}).status_code == 403


def test_no_session_is_begun(inside: Client, coded: Coded) -> None:
    inside.post("/confirm/changed/", {"changed": "not_me"})
    assert "session" not in inside.cookies


@pytest.mark.parametrize("page", ["", "changed/", "how/", "about/", "check/", "done/", "call/"])
def test_no_page_takes_another_method(page: str, client: Client) -> None:
    for method in ("put", "delete", "patch", "options", "trace"):
        assert getattr(client, method)(f"/confirm/{page}").status_code == 405
    for page in ("how", "done"):
        assert client.post(f"/confirm/{page}/").status_code == 405


def test_the_foot_says_where_one_is_and_how_to_reach_the_desk(client: Client, settings: Any) -> None:
    settings.HOLDER_URL = "https://help.parliament.example"
    assert "starts with <b>help.parliament.example</b>" in client.get("/confirm/").text
    assert "the number printed on the back of your pass" in client.get("/confirm/").text
    settings.DESK_TELEPHONE = "020 7946 0001 <b>"
    text = client.get("/confirm/").text
    assert "020 7946 0001 &lt;b&gt;</b>. Compare it with the number on the back of your pass" in text
