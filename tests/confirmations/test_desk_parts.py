"""The desk's pages by tier, office and hours: what is chosen stays chosen from call to call."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.affected_accounts.models import AffectedAccount, ContactAttempt
from runbooks.confirmations.models import Code, DeskCall
from runbooks.confirmations.views.desk.forms import next_such
from runbooks.incidents.models import Incident
from tests.confirmations.holders import make_holder
from tests.factories import make_incident

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
NUMBER = "07700 900123"


def there(name: str, incident: Incident, *more: Any) -> str:
    return reverse(name, args=[incident.reference, *more])


def take(client: Client, incident: Incident, **given: Any) -> Any:
    return client.post(there("desk_take", incident), given)


def test_the_row_says_when_the_holder_is_best_called(incident: Incident, desk: User, client_of: ClientOf) -> None:
    local = timezone.now().astimezone(incident.zone)
    soon = (local + timedelta(hours=2)).time().replace(minute=0)
    row = make_holder(incident, call_from=soon, call_until=(local + timedelta(hours=4)).time().replace(minute=0))
    page = client_of(desk).get(there("desk", incident)).text
    assert f"Best {row.call_from:%H:%M} to {row.call_until:%H:%M}, not now" in page


def test_an_address_of_the_older_list_begins_at_the_start(incident: Incident, desk: User, client_of: ClientOf) -> None:
    row, client = make_holder(incident), client_of(desk)
    for after in ("3-2-0-0-1", "4-2-0-0-0-9999999999999999999", "x", "4-2-0-0-0-²", "-----"):
        page = client.get(there("desk", incident), {"after": after})
        assert row.login in page.text
    assert "No more holders" in client.get(there("desk", incident), {"after": "4-9-1-99-0-1"}).text


def test_a_part_is_counted_listed_taken_printed_and_typed_in(
    incident: Incident, desk: User, client_of: ClientOf
) -> None:
    hall = make_holder(incident, tier="A", on_file={"office": "Neuadd & Hall"})
    mill = make_holder(incident, tier="B", on_file={"office": "Mill"})
    client, part = client_of(desk), {"tier": "A", "office": "Neuadd & Hall"}
    for name in ("desk", "desk_list", "desk_results"):
        page = client.get(there(name, incident), part).text
        assert hall.login in page
        assert mill.login not in page
        assert "tier A, office Neuadd &amp; Hall" in page
    assert "<b>1 holder to call</b>" in client.get(there("desk", incident), part).text
    response = take(client, incident, **part)
    call = DeskCall.objects.get()
    assert call.affected_account == hall
    kept = "?tier=A&office=Neuadd+%26+Hall"
    assert response["Location"] == there("desk_call", incident, call.pk) + kept
    ended = client.post(f"{there('desk_call_end', incident, call.pk)}{kept}", {"outcome": "no_answer", "note": ""})
    assert ended["Location"] == there("desk", incident) + kept
    again = take(client, incident, **part)
    assert again["Location"] == there("desk", incident) + kept
    assert "Nobody of tier A, office Neuadd &amp; Hall can be called just now" in client.get(again["Location"]).text


def test_the_code_page_goes_on_with_the_same_part(incident: Incident, desk: User, client_of: ClientOf) -> None:
    make_holder(incident, tier="A")
    client = client_of(desk)
    take(client, incident, tier="A")
    call = DeskCall.objects.get()
    given = {"outcome": "reached", "number": NUMBER, "check": "called_back", "note": "", "with_code": "1"}
    page = client.post(f"{there('desk_call_end', incident, call.pk)}?tier=A", given).text
    assert '<input type="hidden" name="tier" value="A">' in page


ODD = [
    {"tier": "E"}, {"tier": "a"}, {"tier": "A' OR '1'='1"}, {"office": "x" * 161}, {"office": "a\x00b"},
    {"begins": "a\x00b"}, {"begins": "\u202e"}, {"tier": "²"},
]  # fmt: skip


@pytest.mark.parametrize("given", ODD)
def test_a_part_that_is_none_is_refused_and_nobody_is_taken(
    incident: Incident, desk: User, client_of: ClientOf, given: dict[str, str]
) -> None:
    make_holder(incident)
    client = client_of(desk)
    assert take(client, incident, **given).status_code == 400
    for name in ("desk", "desk_list", "desk_results"):
        assert client.get(there(name, incident), given).status_code == 400
    assert not DeskCall.objects.exists()
    take(client, incident)
    call = DeskCall.objects.get()
    reached = {"outcome": "reached", "number": NUMBER, "check": "called_back", "note": "", "with_code": "1"}
    assert (
        Client.post(client, there("desk_call_end", incident, call.pk), reached, query_params=given).status_code == 400
    )
    call.refresh_from_db()
    assert (call.ended_at, Code.objects.count()) == (None, 0)


def test_the_forty_largest_offices_are_offered_and_a_field_where_there_are_more(
    incident: Incident, desk: User, client_of: ClientOf
) -> None:
    for number in range(41):
        make_holder(incident, on_file={"office": f"O{number:02}"})
    client = client_of(desk)
    page = client.get(there("desk", incident)).text
    assert page.count('<option value="O') == 40
    assert 'name="begins"' in page
    assert '<option value="O40" selected>' in client.get(there("desk", incident), {"office": "O40"}).text
    AffectedAccount.objects.filter(account__office="O40").update(holder_reached_at=timezone.now())
    assert 'name="begins"' not in client.get(there("desk", incident)).text


def test_hours_are_saved_and_cleared_on_the_call(incident: Incident, desk: User, client_of: ClientOf) -> None:
    row, client = make_holder(incident), client_of(desk)
    take(client, incident)
    call = DeskCall.objects.get()
    address = there("desk_call_hours", incident, call.pk)
    response = client.post(f"{address}?tier=B", {"call_from": "22:00", "call_until": "01:30"}, follow=True)
    assert response.redirect_chain == [(f"{there('desk_call', incident, call.pk)}?tier=B", 302)]
    assert "is best called 22:00 to 01:30" in response.text
    assert 'value="22:00"' in response.text
    row.refresh_from_db()
    assert (row.call_from, row.call_until) == (time(22), time(1, 30))
    client.post(address, {"call_from": "22:00", "call_until": "01:30", "clear": "1"})
    row.refresh_from_db()
    assert row.call_from is None


@pytest.mark.parametrize(
    "given",
    [
        {"call_from": "25:99", "call_until": "26:00"}, {"call_from": "14:00"}, {"call_until": "14:00"},
        {"call_from": "14:00", "call_until": "14:00"}, {"call_from": "two", "call_until": "four"},
        {"call_from": "14:00\x00", "call_until": "16:00"}, {"call_from": "-1:00", "call_until": "1e3"},
    ],
)  # fmt: skip
def test_what_is_no_span_of_hours_is_refused_on_the_page(
    incident: Incident, desk: User, client_of: ClientOf, given: dict[str, str]
) -> None:
    row, client = make_holder(incident), client_of(desk)
    take(client, incident)
    response = client.post(there("desk_call_hours", incident, DeskCall.objects.get().pk), given)
    assert response.status_code == 400
    assert "There is a problem" in response.text
    row.refresh_from_db()
    assert row.version == 1


def test_hours_are_set_in_ones_own_open_call_alone(
    incident: Incident, desk: User, responder: User, auditor: User, outsider: User, client_of: ClientOf
) -> None:
    row = make_holder(incident)
    take(client_of(desk), incident)
    call = DeskCall.objects.get()
    given = {"call_from": "14:00", "call_until": "16:00"}
    address = there("desk_call_hours", incident, call.pk)
    for who, status in ((responder, 403), (auditor, 403), (outsider, 404)):
        assert client_of(who).post(address, given).status_code == status
    other = make_incident(members=(desk,))
    assert client_of(desk).post(there("desk_call_hours", other, call.pk), given).status_code == 404
    assert client_of(desk).get(address).status_code == 405
    DeskCall.objects.update(outcome="put_back", ended_at=timezone.now())
    assert client_of(desk).post(address, given).status_code == 409
    row.refresh_from_db()
    assert row.call_from is None


def test_a_call_back_can_say_until_when_it_is_good(incident: Incident, desk: User, client_of: ClientOf) -> None:
    row, client = make_holder(incident), client_of(desk)
    take(client, incident)
    address = there("desk_call_end", incident, DeskCall.objects.get().pk)
    same = {"outcome": "call_back", "at": "14:00", "best_until": "14:00", "note": ""}
    assert client.post(address, same).status_code == 400
    assert DeskCall.objects.get().ended_at is None
    assert not ContactAttempt.objects.exists()
    assert client.post(address, {**same, "best_until": "16:00"}).status_code == 302
    row.refresh_from_db()
    assert (row.call_from, row.call_until) == (time(14), time(16))


def test_a_change_nobody_claimed_is_said_on_the_queue_and_asked_about_on_the_call(
    incident: Incident, desk: User, client_of: ClientOf
) -> None:
    at, client = timezone.now(), client_of(desk)
    make_holder(incident, contained_at=at - timedelta(hours=2), password_changed_at=at - timedelta(hours=1))
    assert "Password changed, holder not heard" in client.get(there("desk", incident)).text
    page = client.get(take(client, incident)["Location"]).text
    assert "the holder has said nothing" in page
    assert "ask whether it was them" in page
    assert "Not me, or not sure" in page


def test_who_rings_is_found_and_taken_and_no_number_is_noted_as_called(
    incident: Incident, desk: User, client_of: ClientOf
) -> None:
    row, client = make_holder(incident, holder_reached_at=timezone.now()), client_of(desk)
    found = client.get(there("desk", incident), {"who": row.login[:5], "tier": "A"}).text
    assert "Take the call" in found
    response = take(client, incident, account=row.pk, rang="1", tier="A")
    call = DeskCall.objects.get()
    assert response["Location"] == f"{there('desk_call', incident, call.pk)}?tier=A&rang=1"
    page = client.get(response["Location"]).text
    assert "They rang" in page
    assert '<option value="" selected>None: they rang, or came</option>' in page


def test_nobody_of_that_name_is_said_and_an_auditor_finds_nobody(
    incident: Incident, desk: User, auditor: User, client_of: ClientOf
) -> None:
    row = make_holder(incident, holder_reached_at=timezone.now())
    for who in ("nobody-at-all", "%", "\u202e", "<script>"):
        response = client_of(desk).get(there("desk", incident), {"who": who})
        assert response.status_code == 200
        assert "Nobody of this incident" in response.text
        assert "<script>”" not in response.text
    page = client_of(auditor).get(there("desk", incident), {"who": row.login}).text
    assert "Take the call" not in page
    assert row.login not in page


@pytest.mark.parametrize(
    ("number", "dialled"),
    [("07700 900123", "07700900123"), ("+44 (0)20 7946-0000", "+442079460000"), ("020 7946 0000 ext. 12", "")],
)
def test_a_number_without_words_can_be_dialled_from_the_page(
    incident: Incident, desk: User, client_of: ClientOf, number: str, dialled: str
) -> None:
    make_holder(incident, on_file={"mobile": number})
    client = client_of(desk)
    page = client.get(take(client, incident)["Location"]).text
    assert (f'href="tel:{dialled}"' in page) is bool(dialled)
    assert f"Mobile {number}" in page


@pytest.mark.parametrize(
    ("now", "asked", "found"),
    [
        ("2017-06-23 21:00", (23, 30), "2017-06-23 22:30"),  # 22:00 in London
        ("2017-06-23 21:00", (22, 0), "2017-06-24 21:00"),
        ("2017-10-29 00:50", (1, 20), "2017-10-29 01:20"),  # 01:50, and an hour later it is 01:50 again
        ("2017-10-29 01:50", (1, 20), "2017-10-30 01:20"),
        ("2018-03-25 00:20", (1, 30), "2018-03-25 01:30"),
        ("2018-03-25 00:50", (1, 30), "2018-03-25 01:30"),  # from 01:00 the clock goes to 02:00
    ],
)
def test_the_next_such_time_also_when_the_clocks_change(now: str, asked: tuple[int, int], found: str) -> None:
    at = datetime.fromisoformat(f"{now}+00:00")
    assert next_such(*asked, ZoneInfo("Europe/London"), at) == datetime.fromisoformat(f"{found}+00:00")


def test_whoever_rings_is_given_no_reference_to_pass_as_the_desk_with(
    incident: Incident, desk: User, client_of: ClientOf
) -> None:
    row, client = make_holder(incident), client_of(desk)
    warning = "Not to whoever rang"
    take(client, incident, account=row.pk, rang="1")
    call = DeskCall.objects.get()
    assert warning in client.get(there("desk_call", incident, call.pk), {"rang": "1"}).text
    assert warning not in client.get(there("desk_call", incident, call.pk)).text
