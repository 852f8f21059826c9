"""The pages of rotas."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runbooks.access.models import User
from runbooks.contacts.models import Rota, RotaShift
from tests.contacts.people import make_rota, make_shift

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
DAY = timedelta(days=1)


def typed(moment: Any) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}"


def test_everybody_sees_who_is_on_call_now_and_next(
    desk: User, responder: User, coordinator: User, client_of: ClientOf
) -> None:
    rota, now = make_rota(), timezone.now()
    make_shift(rota, responder, now - DAY, now + DAY)
    make_shift(rota, coordinator, now + DAY, now + 20 * DAY)
    text = client_of(desk).get("/rotas/").text
    assert text.index(responder.name) < text.index(coordinator.name)
    assert "Somebody is always on call" in text
    assert "Make rota" not in text
    page = client_of(desk).get(f"/rotas/{rota.pk}/").text
    assert responder.name in page
    assert "Take back" not in page


def test_ones_own_duty_is_marked(responder: User, desk: User, client_of: ClientOf) -> None:
    now = timezone.now()
    make_shift(make_rota(), responder, now - DAY, now + DAY)
    assert ">You<" in client_of(responder).get("/rotas/").text
    assert ">You<" not in client_of(desk).get("/rotas/").text


def test_a_rota_with_nobody_says_so(coordinator: User, client_of: ClientOf) -> None:
    rota = make_rota()
    for address in ("/rotas/", f"/rotas/{rota.pk}/"):
        assert "Nobody is on call in the next 14 days." in client_of(coordinator).get(address).text


def test_a_coordinator_makes_a_rota_and_fills_it(coordinator: User, responder: User, client_of: ClientOf) -> None:
    client = client_of(coordinator)
    client.post("/rotas/add/", {"name": "Nights", "time_zone": "Europe/London"})
    rota = Rota.objects.get()
    now = timezone.now()
    shift = {"shift-user": responder.pk, "shift-starts_at": typed(now), "shift-ends_at": typed(now + 3 * DAY)}
    assert client.post(f"/rotas/{rota.pk}/shifts/", shift).status_code == 302
    first = {f"weeks-turn_{number}": "" for number in range(1, 7)}
    first |= {"weeks-turn_1": responder.pk, "weeks-turn_2": coordinator.pk, "weeks-weeks": "3"}
    first |= {"weeks-first_day": f"{now + 3 * DAY:%Y-%m-%d}", "weeks-hand_over": "09:00"}
    assert client.post(f"/rotas/{rota.pk}/weeks/", first).status_code == 302
    assert RotaShift.objects.count() == 4
    page = client.get(f"/rotas/{rota.pk}/").text
    assert "Somebody is on call at every moment of the next 14 days." in page or "Nobody is on call" in page


def test_a_refused_form_says_what_is_wrong_and_keeps_what_was_typed(
    coordinator: User, responder: User, client_of: ClientOf
) -> None:
    rota, now = make_rota(), timezone.now()
    shift = {"shift-user": responder.pk, "shift-starts_at": typed(now), "shift-ends_at": typed(now - DAY)}
    response = client_of(coordinator).post(f"/rotas/{rota.pk}/shifts/", shift)
    assert response.status_code == 400
    assert "The end is not after the start." in response.text
    assert typed(now - DAY) in response.text
    response = client_of(coordinator).post(f"/rotas/{rota.pk}/weeks/", {"weeks-weeks": "x"})
    assert response.status_code == 400
    response = client_of(coordinator).post("/rotas/add/", {"name": "", "time_zone": "Mars/Olympus"})
    assert response.status_code == 400


def test_standing_in_begins_with_the_times_of_the_shift(
    coordinator: User, responder: User, client_of: ClientOf
) -> None:
    rota, now = make_rota(time_zone="UTC"), timezone.now().replace(second=0, microsecond=0)
    shift = make_shift(rota, responder, now + DAY, now + 2 * DAY)
    page = client_of(coordinator).get(f"/rotas/{rota.pk}/?instead={shift.pk}").text
    assert f'value="{typed(now + DAY)}"' in page
    assert f'value="{typed(now + 2 * DAY)}"' in page


def test_a_shift_is_taken_back_and_a_rota_ended(coordinator: User, responder: User, client_of: ClientOf) -> None:
    rota, now = make_rota(), timezone.now()
    shift = make_shift(rota, responder, now, now + DAY)
    client = client_of(coordinator)
    assert client.post(f"/rotas/{rota.pk}/shifts/{shift.pk}/take-back/").status_code == 302
    assert RotaShift.objects.get().ended_at is not None
    assert client.post(f"/rotas/{rota.pk}/end/").status_code == 302
    assert client.get(f"/rotas/{rota.pk}/").status_code == 404
    assert "No rota yet" in client.get("/rotas/").text


@pytest.mark.parametrize(
    "address", ["add/", "{rota}/shifts/", "{rota}/weeks/", "{rota}/end/", "{rota}/shifts/1/take-back/"]
)
def test_a_responder_changes_nothing(address: str, responder: User, client_of: ClientOf) -> None:
    rota = make_rota()
    response = client_of(responder).post(f"/rotas/{address.format(rota=rota.pk)}", {"name": "x"})
    assert response.status_code == 403
    assert Rota.objects.get().ended_at is None


def test_a_calendar_file_is_taken_away(responder: User, client_of: ClientOf) -> None:
    rota, now = make_rota(), timezone.now()
    make_shift(rota, responder, now, now + DAY)
    response = client_of(responder).get(f"/rotas/{rota.pk}/calendar.ics")
    assert response["Content-Type"].startswith("text/calendar")
    assert response.content.count(b"BEGIN:VEVENT") == 1


@pytest.mark.parametrize("after", ["x", "1-", "-1", "9" * 30 + ".000000-1", "1.5-1", "1790000000.000000-99"])
def test_a_place_that_is_none_is_the_first_page(after: str, responder: User, client_of: ClientOf) -> None:
    assert client_of(responder).get(f"/rotas/{make_rota().pk}/", {"after": after}).status_code == 200


def test_the_next_page_goes_on_where_the_first_ended(responder: User, client_of: ClientOf) -> None:
    rota, now = make_rota(), timezone.now()
    for number in range(60):
        make_shift(rota, responder, now + number * DAY / 24, now + (number + 1) * DAY / 24)
    client = client_of(responder)
    first = client.get(f"/rotas/{rota.pk}/")
    second = client.get(f"/rotas/{rota.pk}/", {"after": first.context["after"]})
    shown = [line["shift"].pk for page in (first, second) for line in page.context["shifts"]]
    assert len(shown) == len(set(shown)) == 60


@pytest.mark.parametrize("count", [1, 40])
def test_queries_do_not_grow_with_rotas_and_shifts(
    count: int, coordinator: User, responder: User, client_of: ClientOf
) -> None:
    now = timezone.now()
    rotas = [make_rota(f"Rota {number}") for number in range(count)]
    for number in range(count):
        make_shift(rotas[0], responder, now + number * DAY, now + (number + 1) * DAY)
    client = client_of(coordinator)
    client.get("/rotas/")
    with CaptureQueriesContext(connection) as all_rotas:
        client.get("/rotas/")
    with CaptureQueriesContext(connection) as one:
        client.get(f"/rotas/{rotas[0].pk}/")
    assert (len(all_rotas), len(one)) == (4, 6)
