"""The pages by which codes are sent: who gets what, letters, and a code for one holder."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.confirmations.letters import SettingError
from runbooks.confirmations.models import Code, LetterRun, TextOrder
from runbooks.directory.models import Account
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.verify import verify_chain
from tests.confirmations.conftest import Texts
from tests.confirmations.holders import days_ago, make_holder
from tests.factories import PASSWORD
from tests.pdf import read, words

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
CODE = re.compile(r"(?<!IR-)\b[0-9A-Z]{4}-[0-9A-Z]{4}\b")
SEEN = re.compile(r'name="seen" value="([0-9a-f]+)"')
SHOWN = re.compile(r'id="code">([0-9A-Z]{4}-[0-9A-Z]{4})<')


def address(incident: Incident, *rows: AffectedAccount, more: str = "") -> str:
    ids = "&".join(f"id={row.pk}" for row in rows)
    return f"{reverse('codes_new', args=[incident.reference])}?{ids}{more}"


def seen(client: Client, there: str) -> str:
    (found,) = SEEN.findall(client.get(there).text)
    return str(found)


def chosen(ways: Mapping[AffectedAccount, str]) -> dict[str, str]:
    """What a form posts: the choice of each row."""
    return {f"way-{row.pk}": way for row, way in ways.items()}


def offered(page: str, row: AffectedAccount) -> dict[str, bool]:
    """{what a row offers: whether it is chosen}, where "" is nothing now."""
    found = re.findall(rf'name="way-{row.pk}" value="(\w*)"( checked)?', page)
    return {way: bool(checked) for way, checked in found}


def said_by(page: str) -> str:
    """The line that sums up what is chosen."""
    (line,) = re.findall(r"<p>(<b>\d+</b> by text message.*?\.)", page)
    return re.sub(r"</?b>", "", str(line))


def test_the_preview_says_who_gets_what_and_who_has_none(
    incident: Incident, desk: User, client_of: ClientOf, texts: Texts
) -> None:
    by_text = make_holder(incident)
    by_letter = make_holder(incident, on_file={"mobile": ""})
    fresh = make_holder(incident, on_file={"contact_changed_at": days_ago(12)})
    nothing = make_holder(incident, on_file={"mobile": "", "office": "", "department": ""}, department="")
    page = client_of(desk).get(address(incident, by_text, by_letter, fresh, nothing)).text
    assert said_by(page) == "1 by text message, 1 by letter, 1 nothing now, 1 for the desk."
    assert "changed 12 days ago" in page
    assert offered(page, by_text) == {"text": True, "letter": False, "": False}
    assert offered(page, by_letter) == {"letter": True, "": False}
    assert offered(page, fresh) == {"text": False, "letter": False, "": True}
    assert offered(page, nothing) == {}
    assert nothing.login in page
    assert "07700 900123" in page
    assert "Room 412, Library" in page
    assert not Code.objects.exists()


def test_letters_for_all_is_another_preselection_of_the_same_rows(
    incident: Incident, desk: User, client_of: ClientOf, texts: Texts
) -> None:
    both, no_office = make_holder(incident), make_holder(incident, on_file={"office": "", "department": ""})
    client, there = client_of(desk), address(incident, both, no_office)
    assert "by=letter" in client.get(there).text
    page = client.get(f"{there}&by=letter").text
    assert said_by(page) == "0 by text message, 1 by letter, 1 nothing now, 0 for the desk."
    assert offered(page, both) == {"text": False, "letter": True, "": False}
    assert offered(page, no_office) == {"text": False, "": True}
    assert seen(client, there) == seen(client, f"{there}&by=letter")


def test_each_button_acts_on_the_rows_chosen_for_it(
    incident: Incident, desk: User, client_of: ClientOf, texts: Texts
) -> None:
    text, letter, nothing = (make_holder(incident) for _ in range(3))
    client, there = client_of(desk), address(incident, text, letter, nothing)
    rows = chosen({text: "text", letter: "letter", nothing: ""})
    response = client.post(there, {"seen": seen(client, there), "do": "letters", **rows})
    assert response["Content-Type"] == "application/pdf"
    assert [code.affected_account for code in Code.objects.all()] == [letter]
    # The file leaves the page where it is: the same form sends the texts.
    sent = client.post(there, {"seen": seen(client, there), "do": "texts", **rows})
    assert sent.status_code == 302
    assert [order.affected_account for order in TextOrder.objects.all()] == [text]


def test_letters_chosen_beside_texts_are_still_chosen_when_the_texts_have_gone(
    incident: Incident, desk: User, client_of: ClientOf, texts: Texts
) -> None:
    text, letter, nothing = (make_holder(incident) for _ in range(3))
    client, there = client_of(desk), address(incident, text, letter, nothing)
    rows = chosen({text: "text", letter: "letter", nothing: ""})
    page = client.post(there, {"seen": seen(client, there), "do": "texts", "language": "cy", **rows}).text
    assert said_by(page) == "0 by text message, 1 by letter, 1 nothing now, 0 for the desk, 1 need none now."
    assert "1 text message ordered" in page
    assert "1 letter you chose can be printed now" in page
    assert offered(page, text) == {}
    assert offered(page, letter) == {"text": False, "letter": True, "": False}
    assert offered(page, nothing) == {"text": False, "letter": False, "": True}
    assert '<option value="cy" selected>' in page
    (digest,) = SEEN.findall(page)
    rows = chosen({letter: "letter", nothing: ""})
    assert client.post(there, {"seen": digest, "do": "letters", **rows})["Content-Type"] == "application/pdf"


@pytest.mark.parametrize(("way", "do"), [("letter", "letters"), ("text", "texts"), ("mail", "texts")])
def test_what_a_row_does_not_offer_is_refused(
    incident: Incident, desk: User, client_of: ClientOf, texts: Texts, way: str, do: str
) -> None:
    on_file = {"letter": {"office": "", "department": ""}, "text": {"mobile": ""}, "mail": {}}[way]
    row, other = make_holder(incident, on_file=on_file), make_holder(incident)
    client, there = client_of(desk), address(incident, row, other)
    rows = chosen({row: way, other: do.removesuffix("s")})
    response = client.post(there, {"seen": seen(client, there), "do": do, **rows})
    assert response.status_code == 400
    assert f"not open to the holder of {row.login}" in response.text
    assert offered(response.text, other)[do.removesuffix("s")] is True
    assert not TextOrder.objects.exists()
    assert not Code.objects.exists()


def test_a_strange_language_is_refused(incident: Incident, desk: User, client_of: ClientOf, texts: Texts) -> None:
    row = make_holder(incident)
    client, there = client_of(desk), address(incident, row)
    given = {"seen": seen(client, there), "do": "texts", "language": "fr", **chosen({row: "text"})}
    assert client.post(there, given).status_code == 400
    assert not TextOrder.objects.exists()


@pytest.mark.parametrize(
    ("language", "sent"), [("own", ["cy", "en-gb"]), ("en-gb", ["en-gb", "en-gb"]), ("cy", ["cy", "cy"])]
)
def test_texts_are_in_each_holders_language_or_in_one_for_all(
    incident: Incident, desk: User, client_of: ClientOf, texts: Texts, language: str, sent: list[str]
) -> None:
    rows = [make_holder(incident, on_file={"language": own}) for own in ("cy", "en-gb")]
    client, there = client_of(desk), address(incident, *rows)
    page = client.get(there).text
    assert "each holder’s own (1 Welsh)" in page
    assert '<option value="own" selected>' in page
    given = {"seen": seen(client, there), "do": "texts", "language": language, **chosen(dict.fromkeys(rows, "text"))}
    client.post(there, given)
    assert list(TextOrder.objects.order_by("affected_account").values_list("language", flat=True)) == sent


@pytest.mark.parametrize(
    ("language", "heading"), [("own", "Cadarnhewch"), ("en-gb", "Confirm that you"), ("cy", "Cadarnhewch")]
)
def test_letters_are_so_too(incident: Incident, desk: User, client_of: ClientOf, language: str, heading: str) -> None:
    row = make_holder(incident, on_file={"language": "cy"})
    client, there = client_of(desk), address(incident, row)
    given = {"seen": seen(client, there), "do": "letters", "language": language, **chosen({row: "letter"})}
    assert heading in words(read(client.post(there, given).content))


def test_texts_are_ordered_for_those_chosen(incident: Incident, desk: User, client_of: ClientOf, texts: Texts) -> None:
    ticked, left = make_holder(incident), make_holder(incident)
    client, there = client_of(desk), address(incident, ticked, left)
    response = client.post(there, {"seen": seen(client, there), "do": "texts", **chosen({ticked: "text", left: ""})})
    assert response.status_code == 302
    assert TextOrder.objects.get().affected_account == ticked
    assert not Code.objects.exists()


def test_a_fresh_number_is_used_only_when_somebody_chose_it(
    incident: Incident, desk: User, client_of: ClientOf, texts: Texts
) -> None:
    fresh = make_holder(incident, on_file={"contact_changed_at": days_ago(12)})
    client, there = client_of(desk), address(incident, fresh)
    refused = client.post(there, {"seen": seen(client, there), "do": "texts", **chosen({fresh: ""})})
    assert refused.status_code == 400
    assert "No holder is down for a text message" in refused.text
    assert not TextOrder.objects.exists()
    client.post(there, {"seen": seen(client, there), "do": "texts", **chosen({fresh: "text"})})
    assert TextOrder.objects.count() == 1


def test_letters_come_once_as_a_file_and_their_envelopes_as_often_as_one_likes(
    incident: Incident, desk: User, client_of: ClientOf
) -> None:
    row = make_holder(incident)
    client, there = client_of(desk), address(incident, row)
    response = client.post(there, {"seen": seen(client, there), "do": "letters", **chosen({row: "letter"})})
    assert (response.status_code, response["Content-Type"]) == (200, "application/pdf")
    assert response["Content-Disposition"] == f'attachment; filename="{incident.reference}-letters-run-1.pdf"'
    assert "no-store" in response["Cache-Control"]
    assert CODE.search(words(read(response.content)))
    for _ in range(2):
        listed = client.get(reverse("letters_envelopes", args=[incident.reference, 1]))
        assert listed["Content-Type"] == "application/pdf"
        assert not CODE.search(words(read(listed.content)))
    assert LetterRun.objects.count() == 1


def test_what_changed_on_file_since_the_preview_stops_it(
    incident: Incident, desk: User, client_of: ClientOf, texts: Texts
) -> None:
    row = make_holder(incident)
    client, there = client_of(desk), address(incident, row)
    before = seen(client, there)
    Account.objects.filter(pk=row.account_id).update(mobile="07700 900999", contact_changed_at=timezone.now())
    response = client.post(there, {"seen": before, "do": "texts", **chosen({row: "text"})})
    assert response.status_code == 409
    assert "changed while you looked" in response.text
    assert not TextOrder.objects.exists()


def test_a_mailbox_as_mobile_is_never_used(incident: Incident, desk: User, client_of: ClientOf, texts: Texts) -> None:
    row = make_holder(
        incident, on_file={"mobile": "me@parliament.example", "office": "", "department": ""}, department=""
    )
    page = client_of(desk).get(address(incident, row)).text
    assert said_by(page) == "0 by text message, 0 by letter, 1 for the desk."


def test_too_many_or_none_are_sent_back(incident: Incident, desk: User, client_of: ClientOf) -> None:
    client = client_of(desk)
    none = client.get(address(incident), follow=True)
    assert "No accounts are chosen" in none.text
    many = "&".join(f"id={number}" for number in range(1, 502))
    assert "at most at once" in client.get(f"{address(incident)}{many}", follow=True).text


@pytest.mark.parametrize("holders", [1, 90])
def test_the_preview_makes_the_same_queries_for_one_and_for_ninety(
    incident: Incident, coordinator: User, client_of: ClientOf, holders: int, django_assert_num_queries: Any
) -> None:
    rows = [make_holder(incident) for _ in range(holders)]
    client = client_of(coordinator)
    client.get(address(incident, *rows))
    with django_assert_num_queries(13):
        assert client.get(address(incident, *rows)).status_code == 200


# One holder


def one(incident: Incident, row: AffectedAccount, channel: str = "") -> str:
    if channel:
        return reverse("account_code_give", args=[incident.reference, row.pk, channel])
    return reverse("account_code", args=[incident.reference, row.pk])


def test_a_code_is_shown_once_big_and_never_again(incident: Incident, desk: User, client_of: ClientOf) -> None:
    row, client = make_holder(incident), client_of(desk)
    assert client.get(one(incident, row)).status_code == 200
    response = client.post(
        one(incident, row, "read_out"), {"number": "07700 900123", "check": "called_back", "note": ""}
    )
    assert response.status_code == 200
    (code,) = SHOWN.findall(response.text)
    assert "no-store" in response["Cache-Control"]
    for again in (one(incident, row), reverse("account_detail", args=[incident.reference, row.pk])):
        text = client.get(again).text
        assert code not in text
        assert code.replace("-", "") not in text
    assert client.get(one(incident, row, "read_out")).status_code == 405


def test_without_how_the_holder_was_recognised_no_code_is_shown(
    incident: Incident, desk: User, client_of: ClientOf
) -> None:
    row, client = make_holder(incident), client_of(desk)
    response = client.post(one(incident, row, "in_person"), {"note": ""})
    assert response.status_code == 400
    assert "There is a problem" in response.text
    assert not Code.objects.exists()


def test_through_a_colleague_the_second_person_proves_it_with_their_own_password(
    incident: Incident, desk: User, responder: User, client_of: ClientOf
) -> None:
    row, client = make_holder(incident), client_of(desk)
    given = {"colleague": "Jo Bray", "second": responder.pk, "password": "not this"}
    refused = client.post(one(incident, row, "colleague"), given)
    assert refused.status_code == 403
    assert not Code.objects.exists()
    mine = client.post(one(incident, row, "colleague"), {**given, "second": desk.pk, "password": PASSWORD})
    assert "somebody else than you" in mine.text
    good = client.post(one(incident, row, "colleague"), {**given, "password": PASSWORD})
    assert SHOWN.search(good.text)
    assert Code.objects.get().seconded_by == responder


# Walls


@pytest.mark.parametrize("method", ["get", "post"])
def test_who_does_not_reach_holders_sees_none_of_it(
    incident: Incident, auditor: User, communications: User, outsider: User, client_of: ClientOf, method: str
) -> None:
    row = make_holder(incident)
    there = [address(incident, row), one(incident, row, "read_out" if method == "post" else "")]
    for who, status in ((auditor, 403), (communications, 403), (outsider, 404)):
        for where in there:
            assert getattr(client_of(who), method)(where).status_code == status
    assert not Code.objects.exists()


def test_the_buttons_are_there_for_whoever_may(
    incident: Incident, desk: User, auditor: User, client_of: ClientOf
) -> None:
    row = make_holder(incident)
    for who, has in ((desk, True), (auditor, False)):
        for where in (reverse("accounts", args=[incident.reference]),
                      reverse("account_detail", args=[incident.reference, row.pk])):  # fmt: skip
            assert ("Send codes" in client_of(who).get(where).text) is has


def test_letters_that_could_not_be_made_leave_no_code_and_are_printed_again(
    incident: Incident, desk: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise SettingError("The file could not be made: ended by signal 9.")

    row = make_holder(incident)
    client, there = client_of(desk), address(incident, row)
    given = {"do": "letters", **chosen({row: "letter"})}
    with monkeypatch.context() as broken:
        broken.setattr("runbooks.confirmations.operations.printing.make_letters", fail)
        response = client.post(there, {**given, "seen": seen(client, there)})
    assert response.status_code == 409
    assert "ended by signal 9" in response.text
    assert "Print them again" in response.text
    assert not Code.objects.filter(superseded_at=None).exists()
    assert TimelineEvent.objects.filter(incident=incident, kind="letters.failed").count() == 1
    assert verify_chain(incident.pk).broken_at is None
    again = client.post(there, {**given, "seen": seen(client, there)})
    assert again["Content-Type"] == "application/pdf"
