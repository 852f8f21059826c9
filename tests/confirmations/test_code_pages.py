"""The pages by which codes are sent: who gets what, letters, and a code for one holder."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.confirmations.models import Code, LetterRun, TextOrder
from runbooks.directory.models import Account
from runbooks.incidents.models import Incident
from tests.confirmations.conftest import Texts
from tests.confirmations.holders import days_ago, make_holder
from tests.confirmations.letters import read, words
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
CODE = re.compile(r"(?<!IR-)\b[0-9A-Z]{4}-[0-9A-Z]{4}\b")
SHOWN = re.compile(r'id="code">([0-9A-Z]{4}-[0-9A-Z]{4})<')


def address(incident: Incident, *rows: AffectedAccount, more: str = "") -> str:
    ids = "&".join(f"id={row.pk}" for row in rows)
    return f"{reverse('codes_new', args=[incident.reference])}?{ids}{more}"


def seen(client: Client, there: str) -> str:
    found = re.search(r'name="seen" value="([0-9a-f]+)"', client.get(there).text)
    assert found is not None
    return found[1]


def test_the_preview_says_who_gets_what_and_who_has_none(
    incident: Incident, desk: User, client_of: ClientOf, texts: Texts
) -> None:
    by_text = make_holder(incident)
    by_letter = make_holder(incident, on_file={"mobile": ""})
    fresh = make_holder(incident, on_file={"contact_changed_at": days_ago(12)})
    nothing = make_holder(incident, on_file={"mobile": "", "office": "", "department": ""}, department="")
    page = client_of(desk).get(address(incident, by_text, by_letter, fresh, nothing)).text
    assert "<b>2</b> by text message, <b>1</b> by letter, <b>1</b> for the desk" in page
    assert "changed 12 days ago" in page
    assert re.search(rf'value="{by_text.pk}" checked', page)
    assert re.search(rf'value="{by_letter.pk}" checked', page)
    assert not re.search(rf'value="{fresh.pk}" checked', page)
    assert f'value="{nothing.pk}"' not in page
    assert nothing.login in page
    assert not Code.objects.exists()


def test_texts_are_ordered_for_those_ticked(incident: Incident, desk: User, client_of: ClientOf, texts: Texts) -> None:
    ticked, left = make_holder(incident), make_holder(incident)
    client, there = client_of(desk), address(incident, ticked, left)
    response = client.post(there, {"seen": seen(client, there), "use": [ticked.pk], "do": "texts"})
    assert response.status_code == 302
    assert TextOrder.objects.get().affected_account == ticked
    assert not Code.objects.exists()


def test_a_fresh_number_is_used_only_with_a_tick_of_its_own(
    incident: Incident, desk: User, client_of: ClientOf, texts: Texts
) -> None:
    fresh = make_holder(incident, on_file={"contact_changed_at": days_ago(12)})
    client, there = client_of(desk), address(incident, fresh)
    refused = client.post(there, {"seen": seen(client, there), "do": "texts"})
    assert refused.status_code == 409
    assert not TextOrder.objects.exists()
    client.post(there, {"seen": seen(client, there), "use": [fresh.pk], "do": "texts"})
    assert TextOrder.objects.count() == 1


def test_letters_come_once_as_a_file_and_their_envelopes_as_often_as_one_likes(
    incident: Incident, desk: User, client_of: ClientOf
) -> None:
    row = make_holder(incident)
    client, there = client_of(desk), address(incident, row)
    response = client.post(there, {"seen": seen(client, there), "use": [row.pk], "do": "letters"})
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
    response = client.post(there, {"seen": before, "use": [row.pk], "do": "texts"})
    assert response.status_code == 409
    assert "changed while you looked" in response.text
    assert not TextOrder.objects.exists()


def test_a_mailbox_as_mobile_is_never_used(incident: Incident, desk: User, client_of: ClientOf, texts: Texts) -> None:
    row = make_holder(
        incident, on_file={"mobile": "me@parliament.example", "office": "", "department": ""}, department=""
    )
    page = client_of(desk).get(address(incident, row)).text
    assert "<b>0</b> by text message, <b>0</b> by letter, <b>1</b> for the desk" in page


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
    with django_assert_num_queries(12):
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
