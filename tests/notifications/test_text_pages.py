"""The pages of texts: who sees them, saving, preview with and without a script, comparing, going back and undoing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runbooks.access.models import User
from runbooks.notifications.events import events
from runbooks.notifications.models import EscalationPolicy, NoticeText
from tests.notifications.test_edit_text import AT, edited

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
EVENT = "role.given"
PAGE, LIST = f"/notices/texts/{EVENT}/", "/notices/texts/"


def typed(language: str = "en-gb", **changes: Any) -> dict[str, str]:
    given = {"version": "0", "subject": "{{ who }} leads", "body": "Ask {{ who }}.", "note": "Shorter", **changes}
    return {f"text-{language}-{name}": str(value) for name, value in given.items()}


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as found:
        assert client.get(address).status_code == 200
    return len(found)


def test_administrators_change_them_and_coordinators_read_them(
    administrator: User, coordinator: User, client_of: ClientOf
) -> None:
    for user, may in ((administrator, True), (coordinator, False)):
        client = client_of(user)
        assert "Somebody was given a role" in client.get(LIST).text
        page = client.get(PAGE).text
        assert ("Save as version 1" in page) is may
        assert "How it reads" in page
        assert "Amina Rahman is now deputy lead" in page
    for address in (f"{PAGE}en-gb/", f"{PAGE}en-gb/restore/", f"{PAGE}en-gb/shipped/"):
        for form in ({**typed(), "do": "look"}, typed(), {"version": "0", "number": "1"}):
            assert client.post(address, form).status_code == 403
    assert not NoticeText.objects.exists()


def test_nobody_else_sees_them(
    responder: User, desk: User, communications: User, auditor: User, client_of: ClientOf
) -> None:
    for user in (responder, desk, communications, auditor):
        for address in (LIST, PAGE):
            assert client_of(user).get(address).status_code == 403


def test_a_text_is_saved_with_its_reason_and_shown_in_the_list(administrator: User, client_of: ClientOf) -> None:
    client = client_of(administrator)
    answer = client.post(f"{PAGE}en-gb/", {**typed(), "do": "save"}, follow=True)
    assert "English: version 1 counts from now on" in answer.text
    assert "Amina Rahman leads" in answer.text
    assert "Shorter" in answer.text
    edited_ones = client.get(LIST, {"show": "edited"}).text
    assert "version 1" in edited_ones
    assert "An incident was declared" not in edited_ones
    assert "No text was edited" not in edited_ones


def test_where_none_is_edited_the_list_of_them_says_so(coordinator: User, client_of: ClientOf) -> None:
    assert "No text was edited" in client_of(coordinator).get(LIST, {"show": "edited"}).text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"subject": ""}, "This field is required"),
        ({"note": ""}, "This field is required"),
        ({"note": "  "}, "This field is required"),
        ({"subject": "x" * 301}, "at most 300 characters"),
        ({"body": "x" * 4001}, "Shorten it to 4,000"),
        ({"body": "{% include 'x' %}"}, "{% include %} cannot be used here"),
        ({"body": "{{ whom }}"}, "{{ whom }} is nothing this notice knows"),
        ({"body": "evil.example"}, "would be a link"),
        ({"version": "x"}, "Enter a whole number"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(
    changes: dict[str, str], said: str, administrator: User, client_of: ClientOf
) -> None:
    answer = client_of(administrator).post(f"{PAGE}cy/", typed("cy", **{"note": "A note of mine", **changes}))
    assert answer.status_code == 400
    assert said in answer.text.replace("&#x27;", "'")
    assert ("A note of mine" in answer.text) is ("note" not in changes)
    assert "There is a problem" in answer.text
    assert not NoticeText.objects.exists()


def test_a_preview_without_a_script_saves_nothing_and_keeps_what_was_typed(
    administrator: User, client_of: ClientOf
) -> None:
    answer = client_of(administrator).post(f"{PAGE}en-gb/", {**typed(note="Not yet"), "do": "look"})
    assert answer.status_code == 200
    assert "TLP:GREEN IR-2026-0001: Amina Rahman leads" in answer.text
    assert "not saved yet" in answer.text
    assert 'value="Not yet"' in answer.text
    assert not NoticeText.objects.exists()


def test_a_preview_by_script_is_the_preview_alone(administrator: User, client_of: ClientOf) -> None:
    client, headers = client_of(administrator), {"HX-Request": "true"}
    answer = client.post(f"{PAGE}en-gb/", {**typed(), "do": "look"}, headers=headers)
    assert "<html" not in answer.text
    assert "Under TLP:CLEAR and TLP:GREEN" in answer.text
    assert "Under TLP:AMBER, TLP:AMBER+STRICT and TLP:RED" in answer.text
    assert "TLP:AMBER IR-2026-0001: look in IR Portal." in answer.text
    wrong = client.post(f"{PAGE}en-gb/", {**typed(body="<b>{{ x }}</b>"), "do": "look"}, headers=headers)
    assert wrong.status_code == 200
    assert "Text: {{ x }} is nothing this notice knows" in wrong.text
    cut_short = client.post(f"{PAGE}en-gb/", {"do": "look"}, headers=headers)
    assert "Write something" in cut_short.text


def test_under_amber_a_preview_says_no_more_than_leaves(administrator: User, client_of: ClientOf) -> None:
    answer = client_of(administrator).post(
        f"{PAGE}en-gb/", {**typed(body="Heron {{ who }}"), "do": "look"}, headers={"HX-Request": "true"}
    )
    _, _, amber = answer.text.partition("Under TLP:AMBER")
    assert "Heron" not in amber
    assert "Amina" not in amber
    assert "look in IR Portal" in amber


def test_what_somebody_types_is_text_and_no_markup(administrator: User, client_of: ClientOf) -> None:
    evil = "<script>alert(1)</script>"
    client = client_of(administrator)
    answer = client.post(f"{PAGE}en-gb/", typed(subject=evil, body=evil, note=evil), follow=True)
    assert answer.status_code == 200
    assert evil not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_of_two_editors_the_second_compares_and_may_save_then(administrator: User, client_of: ClientOf) -> None:
    edited(administrator, subject="Theirs {{ role }}")
    client = client_of(administrator)
    answer = client.post(f"{PAGE}en-gb/", typed(subject="Mine"))
    assert answer.status_code == 409
    assert "What it says now" in answer.text
    assert "Theirs {{ role }}" in answer.text
    assert 'value="Mine"' in answer.text
    assert 'name="text-en-gb-version" value="1"' in answer.text
    assert client.post(f"{PAGE}en-gb/", typed(subject="Mine", version="1")).status_code == 302
    assert NoticeText.objects.get(version=2).subject == "Mine"


def test_going_back_is_undone_by_a_button_of_the_page(administrator: User, client_of: ClientOf) -> None:
    edited(administrator)
    client = client_of(administrator)
    page = client.post(f"{PAGE}en-gb/shipped/", {"version": "1"}, follow=True).text
    assert "English: as shipped from now on" in page
    assert "Undo: say version 1 again" in page
    page = client.post(f"{PAGE}en-gb/restore/", {"version": "2", "number": "1"}, follow=True).text
    assert "English: version 1 again, as version 3." in page
    assert "Amina Rahman takes over" in page
    assert "Undo" not in page


def test_a_button_of_an_older_page_changes_nothing(administrator: User, client_of: ClientOf) -> None:
    edited(administrator)
    edited(administrator, subject="Second", version=1)
    client = client_of(administrator)
    for address, form in (("shipped", {"version": "1"}), ("restore", {"version": "1", "number": "1"})):
        answer = client.post(f"{PAGE}en-gb/{address}/", form)
        assert answer.status_code == 409
        assert "Nothing was changed" in answer.text
    for form in ({}, {"version": "x"}, {"version": "-1"}, {"version": "9" * 30}):
        for address in ("shipped", "restore"):
            assert client.post(f"{PAGE}en-gb/{address}/", form).status_code == 400
    assert client.post(f"{PAGE}en-gb/restore/", {"version": "2", "number": "77"}).status_code == 404
    assert NoticeText.objects.count() == 2


def test_versions_are_compared_and_older_ones_are_a_page_further(administrator: User, client_of: ClientOf) -> None:
    for version in range(12):
        edited(administrator, subject=f"Heron {version}", version=version)
    client = client_of(administrator)
    page = client.get(PAGE).text
    assert "Put in: </span>11</ins>" in page
    assert "Taken out: </span>10</del>" in page
    assert "?older-en-gb=3" in page
    older = client.get(PAGE, {"older-en-gb": "3"}).text
    assert "<b>Version 2</b>" in older
    assert "<b>Version 3</b>" not in older
    for odd in ("", "x", "-1", "9" * 30, "0"):
        assert client.get(PAGE, {"older-en-gb": odd}).status_code == 200


def test_what_warns_of_administrators_has_no_form(administrator: User, client_of: ClientOf) -> None:
    client = client_of(administrator)
    page = client.get("/notices/texts/contact.added/").text
    assert "Always as shipped" in page
    assert "<textarea" not in page
    assert client.post("/notices/texts/contact.added/cy/", typed("cy")).status_code == 400


@pytest.mark.parametrize("name", sorted(events()))
def test_every_event_has_its_page(name: str, administrator: User, client_of: ClientOf) -> None:
    page = client_of(administrator).get(reverse("notice_text", args=[name])).text
    assert "error-text" not in page
    assert events()[name].says.replace("'", "&#x27;") in page


def test_a_chain_that_was_switched_off_is_not_said_to_call(coordinator: User, client_of: ClientOf) -> None:
    client, address = client_of(coordinator), reverse("notice_text", args=["action.paused"])
    assert "Others are called while nobody answers" in client.get(address).text
    EscalationPolicy.objects.create(
        event="action.paused", version=1, is_active=False, steps=[], edited_by="A test", edited_at=AT
    )
    assert "Its chain is switched off" in client.get(address).text
    assert "switched off" in client.get(LIST).text


def test_what_is_not_there_is_not_found(administrator: User, client_of: ClientOf) -> None:
    client = client_of(administrator)
    assert client.get("/notices/texts/nothing.happened/").status_code == 404
    for language in ("fr", "EN-GB", "en"):
        assert client.post(f"{PAGE}{language}/", typed()).status_code == 404
    assert client.get(f"{PAGE}cy/").status_code == 302


def test_the_queries_do_not_grow_with_versions_or_edited_texts(administrator: User, client_of: ClientOf) -> None:
    client = client_of(administrator)
    queries(client, LIST)
    before = queries(client, LIST), queries(client, PAGE)
    for version in range(8):
        edited(administrator, subject=f"Heron {version}", version=version)
        edited(administrator, language="cy", subject=f"Crëyr {version}", version=version)
    edited(administrator, event="member.added", subject="x", body="y")
    assert (queries(client, LIST), queries(client, PAGE)) == before
    assert NoticeText.objects.filter(edited_at=AT).count() == 17


@pytest.mark.parametrize(
    "odd", ["\0", "a\0b", "x" * 10_000, "\U0010ffff\u2028\ufeff", "{% " * 500, "9" * 5000, "²", "[["]
)
def test_no_odd_value_of_a_field_is_an_error_of_ours(odd: str, administrator: User, client_of: ClientOf) -> None:
    edited(administrator)
    client = client_of(administrator)
    for name in ("version", "subject", "body", "note"):
        for do in ("save", "look", odd):
            for headers in ({}, {"HX-Request": "true"}):
                form = {**typed(**{"version": "1", name: odd}), "do": do}
                assert client.post(f"{PAGE}en-gb/", form, headers=headers).status_code in {200, 302, 400, 409}
    NoticeText.objects.filter(version__gt=1).delete()
    for name in ("version", "number"):
        for verb in ("restore", "shipped"):
            form = {"version": "1", "number": "1", name: odd}
            assert client.post(f"{PAGE}en-gb/{verb}/", form).status_code in {302, 400, 409}
