"""What a rota comes to, and how its gaps are said."""

from datetime import UTC, datetime, timedelta

from runbooks.access.models import User
from runbooks.contacts.calendar import calendar, escaped, folded
from runbooks.contacts.models import Rota
from runbooks.contacts.queries import on_call
from runbooks.contacts.queries.schedule import coming_shifts, standing, turns
from runbooks.contacts.wording import gaps_in_words
from tests.contacts.people import make_rota, make_shift

# A Monday, 12:00 in London.
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FORTNIGHT = 14 * DAY


def said(rota: Rota) -> str:
    return gaps_in_words(standing(rota, NOW), NOW)


def test_stand_ins_are_counted_in_and_neighbours_joined(responder: User, desk: User) -> None:
    rota = make_rota()
    make_shift(rota, responder, NOW - DAY, NOW + 2 * DAY)
    make_shift(rota, responder, NOW + 2 * DAY, NOW + 4 * DAY)
    make_shift(rota, desk, NOW + DAY, NOW + DAY + HOUR)
    found = [(one.user_id, one.starts_at, one.ends_at) for one in turns(rota, NOW, NOW + 4 * DAY)]
    assert found == [
        (responder.pk, NOW, NOW + DAY),
        (desk.pk, NOW + DAY, NOW + DAY + HOUR),
        (responder.pk, NOW + DAY + HOUR, NOW + 4 * DAY),
    ]


def test_turns_say_at_every_moment_what_on_call_says(responder: User, desk: User, coordinator: User) -> None:
    rota = make_rota()
    make_shift(rota, responder, NOW, NOW + 3 * DAY)
    make_shift(rota, desk, NOW + DAY, NOW + 5 * DAY, ended_at=NOW + 2 * DAY)
    make_shift(rota, coordinator, NOW + 30 * HOUR, NOW + 32 * HOUR)
    make_shift(rota, desk, NOW + 6 * DAY, NOW + 7 * DAY)
    found = turns(rota, NOW, NOW + 8 * DAY)
    assert found[0].starts_at == NOW
    assert found[-1].ends_at == NOW + 8 * DAY
    for number in range(8 * 24 * 2):
        moment = NOW + number * HOUR / 2
        turn = next(one for one in found if one.starts_at <= moment < one.ends_at)
        assert turn.user_id == on_call(rota.pk, moment), moment


def test_who_is_next_is_said_over_a_gap(responder: User, desk: User) -> None:
    rota = make_rota()
    make_shift(rota, responder, NOW - HOUR, NOW + HOUR)
    make_shift(rota, desk, NOW + DAY, NOW + 2 * DAY)
    stands = standing(rota, NOW)
    assert stands.now.name == responder.name
    assert stands.next is not None
    assert (stands.next.name, stands.next.starts_at) == (desk.name, NOW + DAY)


def test_a_full_fortnight_has_no_gap(responder: User) -> None:
    rota = make_rota()
    make_shift(rota, responder, NOW - HOUR, NOW + FORTNIGHT)
    assert said(rota) == ""


def test_gaps_are_said_by_the_clock_of_the_rota(responder: User) -> None:
    rota = make_rota(time_zone="Europe/Athens")
    make_shift(rota, responder, NOW, NOW + 6 * HOUR)
    make_shift(rota, responder, NOW + 21 * HOUR, NOW + FORTNIGHT)
    assert said(rota) == "Nobody is on call 20:00 to Tue 11:00 (15 h 00 min)."


def test_a_gap_that_runs_and_one_that_does_not_end_are_said_so(responder: User) -> None:
    rota = make_rota()
    make_shift(rota, responder, NOW + HOUR, NOW + 2 * DAY)
    assert said(rota) == "Nobody is on call now, until 13:00 (1 h 00 min), and from Wed 12:00 on."


def test_a_rota_without_anybody_says_so(responder: User) -> None:
    rota = make_rota()
    make_shift(rota, responder, NOW - DAY, NOW)
    assert said(rota) == "Nobody is on call in the next 14 days."


def test_of_many_gaps_the_longest_are_said(responder: User) -> None:
    rota = make_rota()
    for day in range(15):
        make_shift(rota, responder, NOW + day * DAY, NOW + day * DAY + (12 if day == 3 else 23) * HOUR)
    text = said(rota)
    assert "Fri 00:00 to Fri 12:00 (12 h 00 min)" in text
    assert text.endswith("There are 11 more.")


def test_who_may_not_sign_in_leaves_a_gap(responder: User) -> None:
    rota = make_rota()
    make_shift(rota, responder, NOW - HOUR, NOW + FORTNIGHT)
    responder.is_active = False
    responder.save()
    assert said(rota) == "Nobody is on call in the next 14 days."


def test_shifts_come_page_by_page_and_none_twice(responder: User) -> None:
    rota = make_rota()
    for number in range(120):
        begin = NOW + (number // 3) * HOUR
        make_shift(rota, responder, begin, begin + HOUR)
    seen, after = [], None
    for _ in range(3):
        page, after = coming_shifts(rota, NOW, after=after)
        seen += [one.pk for one in page]
    assert after is None
    assert len(seen) == len(set(seen)) == 120


def test_a_calendar_has_an_event_for_each_turn_of_somebody(responder: User, desk: User) -> None:
    rota = make_rota("Lead, nights; all")
    make_shift(rota, responder, NOW, NOW + DAY)
    make_shift(rota, desk, NOW + 2 * DAY, NOW + 3 * DAY)
    text = calendar(rota, turns(rota, NOW, NOW + 4 * DAY), NOW).decode()
    assert text.count("BEGIN:VEVENT") == text.count("END:VEVENT") == 2
    assert "DTSTART:20261123T120000Z\r\nDTEND:20261124T120000Z\r\n" in text
    assert "SUMMARY:" + desk.name + " on call\\, Lead\\, nights\\; all\r\n" in text.replace("\r\n ", "")
    assert text.startswith("BEGIN:VCALENDAR\r\n")
    assert text.endswith("END:VCALENDAR\r\n")


def test_no_name_adds_a_line_to_a_calendar() -> None:
    assert escaped("A\r\nBEGIN:VEVENT\u2028\x00,;\\") == "A  BEGIN:VEVENT  \\,\\;\\\\"


def test_long_lines_are_folded_between_characters() -> None:
    line = "SUMMARY:" + "Llŷr Ŵyn 🦢" * 20
    parts = folded(line).split(b"\r\n")
    assert all(len(part) <= 75 for part in parts)
    assert [part.decode() for part in parts]
    assert folded(line).replace(b"\r\n ", b"") == line.encode() + b"\r\n"
