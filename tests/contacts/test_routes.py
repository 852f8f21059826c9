"""By which ways people are told."""

from collections.abc import Callable
from datetime import time, timedelta
from typing import Any

import pytest

from runbooks.access.models import User
from runbooks.contacts.models import ContactPreferences
from runbooks.contacts.queries import Place, Routes, routes_of
from tests.contacts.people import LONG_AGO, make_point, make_rules
from tests.factories import make_user

NOW, FIVE = timedelta(), timedelta(minutes=5)


def routes(user: User) -> Routes:
    return routes_of([user.pk])[user.pk]


def test_without_rules_mail_comes_first_then_what_pushes_then_what_rings(responder: User) -> None:
    voice = make_point(responder, "voice")
    text = make_point(responder, "text")
    chat = make_point(responder, "matrix")
    mail = make_point(responder, "email")

    found = routes(responder)

    assert [place.point_id for place in found.default] == [mail.pk, chat.pk, text.pk, voice.pk]
    assert [place.wait for place in found.default] == [NOW] * 4
    assert [place.wait for place in found.important] == [NOW, FIVE, FIVE, FIVE]


def test_what_last_failed_comes_last(responder: User) -> None:
    mail = make_point(responder, "email", failing_since=LONG_AGO)
    text = make_point(responder, "text")
    assert [place.point_id for place in routes(responder).default] == [text.pk, mail.pk]


def test_own_lines_are_kept_in_their_order_with_their_waits(responder: User) -> None:
    mail, text = make_point(responder, "email"), make_point(responder, "text")
    make_rules(responder, "important", (text, 0), (mail, 3), (text, 10))

    found = routes(responder)

    assert [(place.point_id, place.wait) for place in found.important] == [
        (text.pk, NOW),
        (mail.pk, timedelta(minutes=3)),
        (text.pk, timedelta(minutes=10)),
    ]
    assert [place.point_id for place in found.default] == [mail.pk, text.pk]


def test_a_line_counts_only_while_its_point_is_verified_and_current(responder: User) -> None:
    ended = make_point(responder, "text", ended_at=LONG_AGO)
    unverified = make_point(responder, "email", "new@elsewhere.example", verified_at=None)
    good = make_point(responder, "email")
    make_rules(responder, "default", (ended, 0), (unverified, 1), (good, 30))

    assert routes(responder).default == [Place(good.pk, "email", good.address, NOW)]


def test_lines_of_which_none_counts_are_as_good_as_none(responder: User) -> None:
    ended = make_point(responder, "text", ended_at=LONG_AGO)
    good = make_point(responder, "email")
    make_rules(responder, "default", (ended, 0))
    assert [place.point_id for place in routes(responder).default] == [good.pk]


def test_who_has_no_point_is_reached_at_what_an_administrator_entered(responder: User) -> None:
    make_point(responder, "text", verified_at=None)
    make_point(responder, "email", "gone@elsewhere.example", ended_at=LONG_AGO)
    place = Place(None, "email", responder.email, NOW)
    assert routes(responder).default == routes(responder).important == [place]


def test_what_an_administrator_entered_is_not_used_beside_a_verified_point(responder: User) -> None:
    text = make_point(responder, "text")
    assert [place.point_id for place in routes(responder).important] == [text.pk]


def test_who_has_nothing_at_all_has_no_route(db: None) -> None:
    user = make_user(email=" ")
    assert (routes(user).default, routes(user).important) == ([], [])


def test_language_and_quiet_hours_are_the_persons_own(responder: User, desk: User) -> None:
    ContactPreferences.objects.create(
        user=desk, language="cy", time_zone="America/New_York", quiet_from=time(22), quiet_until=time(7)
    )
    found = routes_of([desk.pk, responder.pk])
    assert (found[responder.pk].language, found[responder.pk].quiet) == ("en-gb", None)
    assert found[desk.pk].language == "cy"
    quiet = found[desk.pk].quiet
    assert quiet is not None
    assert (quiet.begins, quiet.ends, quiet.zone.key) == (time(22), time(7), "America/New_York")


def test_one_persons_points_are_nobody_elses(responder: User, desk: User) -> None:
    make_point(responder, "text")
    mine = make_point(desk, "text")
    make_rules(responder, "default", (mine, 0))  # what no operation writes
    assert routes(responder).default[0].point_id != mine.pk


@pytest.mark.parametrize("people", [1, 40])
def test_any_number_of_people_costs_four_queries(
    db: None, people: int, django_assert_num_queries: Callable[[int], Any]
) -> None:
    users = [make_user() for _ in range(people)]
    for user in users[::2]:
        point = make_point(user, "text")
        make_rules(user, "important", (point, 0))
        ContactPreferences.objects.create(user=user)
    ids = [user.pk for user in users] + [0]
    with django_assert_num_queries(4):
        found = routes_of(ids)
    assert found.keys() == set(ids)
    assert found[0].default == []


def test_asking_about_nobody_is_answered(db: None) -> None:
    assert routes_of([]) == {}
