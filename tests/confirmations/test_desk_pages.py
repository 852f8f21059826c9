"""The desk's pages: the queue, a call, the list on paper and its results."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.affected_accounts.models import AffectedAccount, ContactAttempt
from runbooks.confirmations.codes import CALL, digest_of
from runbooks.confirmations.models import Code, DeskCall
from runbooks.incidents.models import Incident
from tests.confirmations.holders import days_ago, make_holder

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
NUMBER = "07700 900123"


def desk_page(incident: Incident) -> str:
    return reverse("desk", args=[incident.reference])


def take(client: Client, incident: Incident, **given: Any) -> DeskCall:
    response = client.post(reverse("desk_take", args=[incident.reference]), given)
    call = DeskCall.objects.get(ended_at__isnull=True)
    assert response["Location"] == reverse("desk_call", args=[incident.reference, call.pk])
    return call


def end(client: Client, call: DeskCall, outcome: str, **given: Any) -> Any:
    there = reverse("desk_call_end", args=[call.incident.reference, call.pk])
    return client.post(there, {"outcome": outcome, **given})


def test_the_queue_says_why_whom_and_which_number(incident: Incident, desk: User, client_of: ClientOf) -> None:
    make_holder(incident, tier="A", on_file={"contact_changed_at": days_ago(12), "telephone": "020 7946 0000"})
    page = client_of(desk).get(desk_page(incident)).text
    for said in ("1 holder to call", "Never reached", f"{NUMBER} (mobile)", "020 7946 0000 (telephone)", "Room 412"):
        assert said in page
    assert "changed 12 days ago" in page


def test_an_empty_queue_says_so(incident: Incident, desk: User, client_of: ClientOf) -> None:
    client = client_of(desk)
    assert "Nobody to call" in client.get(desk_page(incident)).text
    response = client.post(reverse("desk_take", args=[incident.reference]), follow=True)
    assert "Every holder was reached" in response.text


def test_a_call_from_taking_it_to_its_end(incident: Incident, desk: User, client_of: ClientOf) -> None:
    row, client = make_holder(incident), client_of(desk)
    call = take(client, incident)
    page = client.get(reverse("desk_call", args=[incident.reference, call.pk])).text
    assert "Mobile 07700 900123" in page
    assert "We never ask for your password" in page
    response = end(client, call, "reached", number=NUMBER, check="called_back", note="")
    assert response["Location"] == desk_page(incident)
    assert ContactAttempt.objects.get().affected_account == row
    assert client.get(reverse("desk_call", args=[incident.reference, call.pk])).status_code == 409


def test_the_caller_reference_is_shown_on_the_answer_alone(incident: Incident, desk: User, client_of: ClientOf) -> None:
    row, client = make_holder(incident), client_of(desk)
    call = take(client, incident)
    there = reverse("desk_call_reference", args=[incident.reference, call.pk])
    (given,) = re.findall(r'id="reference">([0-9A-Z]{3}-[0-9A-Z]{3})<', client.post(there).text)
    call.refresh_from_db()
    assert call.reference_digest == digest_of(CALL, row.login, given)
    assert given not in client.get(reverse("desk_call", args=[incident.reference, call.pk])).text
    assert client.get(there).status_code == 405


def test_reached_and_a_code_in_one_press(incident: Incident, desk: User, client_of: ClientOf) -> None:
    make_holder(incident)
    client = client_of(desk)
    call = take(client, incident)
    response = end(client, call, "reached", number=NUMBER, check="called_back", note="", with_code="1")
    assert re.search(r'id="code">[0-9A-Z]{4}-[0-9A-Z]{4}<', response.text)
    assert Code.objects.get().channel == "read_out"


@pytest.mark.parametrize("outcome", ["no_answer", "refused", "not_verified", "put_back"])
def test_one_press_for_what_is_not_reached(incident: Incident, desk: User, client_of: ClientOf, outcome: str) -> None:
    make_holder(incident)
    client = client_of(desk)
    assert end(client, take(client, incident), outcome, number=NUMBER, note="").status_code == 302
    assert DeskCall.objects.get().outcome == outcome


def test_a_call_back_is_at_the_next_such_time(incident: Incident, desk: User, client_of: ClientOf) -> None:
    make_holder(incident)
    client = client_of(desk)
    local = (timezone.now() - timedelta(minutes=10)).astimezone(incident.zone)
    end(client, take(client, incident), "call_back", at=f"{local:%H:%M}", note="")
    call = DeskCall.objects.get()
    assert call.call_back_at is not None
    assert timedelta(hours=22) < call.call_back_at - timezone.now() < timedelta(hours=26)


def test_what_is_wrong_is_said_with_what_was_typed(incident: Incident, desk: User, client_of: ClientOf) -> None:
    make_holder(incident)
    client = client_of(desk)
    call = take(client, incident)
    response = end(client, call, "reached", number=NUMBER, check="vouched", note="")
    assert response.status_code == 400
    assert "Name the colleague who vouched" in response.text
    assert end(client, call, "reached", number=NUMBER, check="").status_code == 400
    assert end(client, call, "eaten").status_code == 400
    call.refresh_from_db()
    assert call.ended_at is None


def test_a_call_is_its_callers_alone(
    incident: Incident, desk: User, responder: User, outsider: User, client_of: ClientOf
) -> None:
    make_holder(incident)
    call = take(client_of(desk), incident)
    there = reverse("desk_call", args=[incident.reference, call.pk])
    assert client_of(responder).get(there).status_code == 403
    assert end(client_of(responder), call, "no_answer").status_code == 403
    assert client_of(outsider).get(there).status_code == 404
    named = client_of(responder).post(
        reverse("desk_take", args=[incident.reference]), {"account": call.affected_account_id}
    )
    assert named.status_code == 409
    assert "on the line" in named.text


def test_the_list_on_paper_names_everybody_with_room_for_results(
    incident: Incident, desk: User, client_of: ClientOf
) -> None:
    rows = [make_holder(incident) for _ in range(3)]
    page = client_of(desk).get(reverse("desk_list", args=[incident.reference])).text
    for row in rows:
        assert row.login in page
    assert "Recognised how" in page


def typed(row: AffectedAccount, **fields: str) -> dict[str, str]:
    return {f"{name}-{row.pk}": value for name, value in fields.items()}


def test_results_are_noted_and_each_wrong_line_keeps_its_error(
    incident: Incident, desk: User, client_of: ClientOf
) -> None:
    good, wrong, unread, left = (make_holder(incident) for _ in range(4))
    client, there = client_of(desk), reverse("desk_results", args=[incident.reference])
    then = (timezone.now() - timedelta(hours=5)).astimezone(incident.zone)
    given = {
        "row": [good.pk, wrong.pk, unread.pk, left.pk],
        **typed(good, outcome="reached", when=f"{then:%Y-%m-%d %H:%M}", check="called_back"),
        **typed(wrong, outcome="reached", when="now", check="vouched"),
        **typed(unread, outcome="no_answer", when="half past"),
    }
    response = client.post(there, given)
    assert response.status_code == 400
    assert "2 lines could not be noted" in response.text
    assert "Name the colleague who vouched" in response.text
    assert "names no moment" in response.text
    assert good.login not in response.text.partition("<form")[2]
    attempt = ContactAttempt.objects.get()
    assert (attempt.affected_account, attempt.address) == (good, NUMBER)
    assert abs(attempt.at - then) < timedelta(minutes=1)
    mended = {"row": [wrong.pk], **typed(wrong, outcome="reached", when="now", check="vouched", note="Jo Bray")}
    assert client.post(there, mended).status_code == 302
    assert ContactAttempt.objects.count() == 2


def test_a_holder_who_no_longer_waits_is_passed_over_and_that_is_said(
    incident: Incident, desk: User, client_of: ClientOf
) -> None:
    row = make_holder(incident, holder_reached_at=timezone.now())
    there = reverse("desk_results", args=[incident.reference])
    given = {"row": [row.pk], **typed(row, outcome="no_answer", when="now")}
    response = client_of(desk).post(there, given, follow=True)
    assert "1 result was not noted: its holder no longer waits" in response.text
    assert "Nothing was typed in" not in response.text
    assert not ContactAttempt.objects.exists()


def test_results_of_holders_whose_place_has_moved_since_are_noted(
    incident: Incident, desk: User, client_of: ClientOf
) -> None:
    rows = [make_holder(incident) for _ in range(2)]
    late = make_holder(incident, tier="D", contact_attempts=9)
    there = f"{reverse('desk_results', args=[incident.reference])}?tier=B&after=4-2-0-9-9999999999-1"
    given = {"row": [rows[0].pk, late.pk], **typed(rows[0], outcome="no_answer", when="now")}
    given |= typed(late, outcome="no_answer", when="now")
    response = client_of(desk).post(there, given)
    assert response["Location"] == f"{reverse('desk_results', args=[incident.reference])}?tier=B"
    assert ContactAttempt.objects.count() == 2


@pytest.mark.parametrize("name", ["desk_list", "desk_results", "desk_take"])
def test_who_does_not_call_holders_gets_none_of_it(
    incident: Incident, auditor: User, communications: User, outsider: User, client_of: ClientOf, name: str
) -> None:
    make_holder(incident)
    there = reverse(name, args=[incident.reference])
    for who, status in ((auditor, 403), (communications, 403), (outsider, 404)):
        client = client_of(who)
        response = client.post(there) if name == "desk_take" else client.get(there)
        assert response.status_code == status
    assert not DeskCall.objects.exists()


def test_an_auditor_reads_the_queue_and_can_press_nothing(
    incident: Incident, auditor: User, client_of: ClientOf
) -> None:
    make_holder(incident)
    page = client_of(auditor).get(desk_page(incident))
    assert page.status_code == 200
    assert "Call the next" not in page.text


@pytest.mark.parametrize("holders", [1, 60])
@pytest.mark.parametrize(("name", "queries"), [("desk", 12), ("desk_list", 9), ("desk_results", 9)])
def test_the_pages_make_the_same_queries_whoever_waits(
    incident: Incident,
    desk: User,
    client_of: ClientOf,
    holders: int,
    name: str,
    queries: int,
    django_assert_num_queries: Any,
) -> None:
    for _ in range(holders):
        make_holder(incident)
    client, there = client_of(desk), reverse(name, args=[incident.reference])
    client.get(there)
    with django_assert_num_queries(queries):
        assert client.get(there).status_code == 200


def test_a_result_from_paper_that_no_column_holds_is_asked_for_again(
    incident: Incident, desk: User, client_of: ClientOf
) -> None:
    rows = [make_holder(incident) for _ in range(2)]
    then = f"{timezone.now() - timedelta(hours=1):%Y-%m-%d %H:%MZ}"
    given = {
        **typed(rows[0], outcome="no_answer", when=then, note="x" * 1001),
        **typed(rows[1], outcome="no_answer", when=then, note="rang\0 twice"),
        "row": [row.pk for row in rows],
    }
    there = reverse("desk_results", args=[incident.reference])
    response = client_of(desk).post(there, given)
    assert response.status_code == 400
    assert "160 characters" in response.text
    assert [call.note for call in DeskCall.objects.all()] == ["rang twice"]


def test_a_time_to_call_back_from_paper_is_the_next_after_that_call(
    incident: Incident, desk: User, client_of: ClientOf
) -> None:
    row, now = make_holder(incident), timezone.now().replace(second=0, microsecond=0)
    called, back = now - timedelta(hours=3), now - timedelta(hours=1)
    local = back.astimezone(incident.zone)
    given = typed(row, outcome="call_back", when=f"{called:%Y-%m-%d %H:%MZ}", back=f"{local:%H:%M}")
    client_of(desk).post(reverse("desk_results", args=[incident.reference]), {**given, "row": row.pk})
    assert DeskCall.objects.get().call_back_at == back
