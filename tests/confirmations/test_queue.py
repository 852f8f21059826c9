"""The order of the desk's queue by hours, its parts by tier and office, and changes that nobody claimed."""

import threading
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.confirmations.models import DeskCall
from runbooks.confirmations.operations.calling import Ending, end_call, take_next
from runbooks.confirmations.queries.calls import (
    NO_OFFICE,
    UNHEARD,
    Urgency,
    Within,
    queue,
    queue_counts,
    ringing,
    waiting_of,
)
from runbooks.incidents.models import Incident
from tests.confirmations.holders import answered, make_holder
from tests.factories import make_incident, make_user

pytestmark = pytest.mark.django_db


def clock(incident: Incident, hour: int, minute: int = 0) -> datetime:
    """The next moment at which the clock of the incident shows this: rows made now have rested by then."""
    local = timezone.now().astimezone(incident.zone).replace(hour=hour, minute=minute, second=0, microsecond=0)
    return local + timedelta(days=1)


def best(incident: Incident, since: time, until: time, **changes: Any) -> AffectedAccount:
    return make_holder(incident, call_from=since, call_until=until, **changes)


def order(incident: Incident, at: datetime, **more: Any) -> list[int]:
    return [one.affected_id for one in queue(incident.pk, at, **more)]


def take(incident: Incident, who: User, at: datetime, within: Within | None = None) -> DeskCall | None:
    return take_next(incident_id=incident.pk, actor=actor_for(who), at=at, within=within or Within())


# Hours


def test_who_is_outside_their_hours_comes_after_the_others_of_their_tier(incident: Incident) -> None:
    later = best(incident, time(14), time(16))
    now = best(incident, time(9), time(12), contact_attempts=3)
    any_time = make_holder(incident, contact_attempts=4)
    next_tier = make_holder(incident, tier="C")
    assert order(incident, clock(incident, 10)) == [row.pk for row in (now, any_time, later, next_tier)]
    assert order(incident, clock(incident, 14)) == [row.pk for row in (later, any_time, now, next_tier)]
    assert order(incident, clock(incident, 16))[0] == any_time.pk


@pytest.mark.parametrize(("hour", "outside"), [(21, True), (22, False), (23, False), (1, False), (2, True), (12, True)])
def test_hours_that_begin_later_than_they_end_go_over_midnight(incident: Incident, hour: int, outside: bool) -> None:
    best(incident, time(22), time(2))
    (found,) = queue(incident.pk, clock(incident, hour))
    assert found.is_outside_hours is outside


def test_the_hours_are_by_the_clock_of_the_incident(desk: User) -> None:
    incident = make_incident(members=(desk,), time_zone="Pacific/Auckland")
    best(incident, time(9), time(10))
    (found,) = queue(incident.pk, clock(incident, 9, 30))
    assert not found.is_outside_hours


def test_the_next_is_somebody_outside_their_hours_only_when_nobody_else_is_ready(
    incident: Incident, desk: User, responder: User
) -> None:
    outside, inside = best(incident, time(14), time(16), tier="A"), make_holder(incident, tier="C")
    at = clock(incident, 10)
    first, second = take(incident, desk, at), take(incident, responder, at)
    assert first is not None
    assert second is not None
    assert (first.affected_account, second.affected_account) == (inside, outside)


def test_a_moment_that_the_holder_named_goes_before_their_hours(incident: Incident, desk: User) -> None:
    row, at = best(incident, time(14), time(16)), clock(incident, 10)
    DeskCall.objects.create(
        incident=incident, affected_account=row, taken_by=desk, taken_at=at, held_until=at, outcome="call_back",
        call_back_at=at, ended_at=at - timedelta(hours=1),
    )  # fmt: skip
    (found,) = queue(incident.pk, at)
    assert (found.urgency, found.is_outside_hours) == (Urgency.CALL_BACK, False)


def test_the_list_goes_on_after_a_place_without_losing_or_doubling_anybody(incident: Incident) -> None:
    for number in range(7):
        best(incident, time(14), time(16)) if number % 2 else make_holder(incident, contact_attempts=number)
    at = clock(incident, 10)
    whole, seen = order(incident, at), []
    after: tuple[int, ...] | None = None
    while found := queue(incident.pk, at, after=after, limit=2):
        seen += [one.affected_id for one in found]
        after = found[-1].place
    assert seen == whole


def test_a_call_back_can_keep_the_hours_too(incident: Incident, desk: User) -> None:
    row, at = make_holder(incident), timezone.now()
    call = take(incident, desk, at)
    assert call is not None
    back = clock(incident, 14)
    ending = Ending("call_back", call_back_at=back, best_until=time(16))
    end_call(call_id=call.pk, ending=ending, actor=actor_for(desk), at=at)
    row.refresh_from_db()
    assert (row.call_from, row.call_until) == (time(14), time(16))


# Parts


def test_a_part_of_the_queue_is_of_a_tier_or_an_office_or_how_offices_begin(incident: Incident) -> None:
    at = timezone.now()
    first = make_holder(incident, tier="A", on_file={"office": "C3.21"})
    second = make_holder(incident, tier="B", on_file={"office": "C3.07"})
    third = make_holder(incident, tier="B", on_file={"office": "D1%"})
    nowhere = make_holder(incident, tier="", state=State.CONTAINED, on_file={"office": ""})
    for within, rows in (
        (Within(tier="B"), [second, third]),
        (Within(office="C3.21"), [first]),
        (Within(office="c3.21"), []),
        (Within(begins="c3"), [first, second]),
        (Within(begins="%"), []),
        (Within(tier="A", begins="C3"), [first]),
        (Within(office=NO_OFFICE), [nowhere]),
        (Within(office="'; DROP TABLE x; --"), []),
    ):
        assert order(incident, at, within=within) == [row.pk for row in rows], within


def test_counts_follow_the_part_and_choices_say_what_they_would_leave(incident: Incident, desk: User) -> None:
    for tier, office in (("A", "Hall"), ("A", "Hall"), ("B", "Hall"), ("B", "Mill"), ("B", "")):
        make_holder(incident, tier=tier, on_file={"office": office})
    counts = queue_counts(incident.pk, timezone.now(), desk.pk, Within(tier="B", office="Hall"))
    assert (counts.total, counts.ready) == (1, 1)
    assert counts.by_tier == {"A": 2, "B": 1}
    assert counts.by_office == {"": 1, "Hall": 1, "Mill": 1}
    everybody = queue_counts(incident.pk, timezone.now(), desk.pk)
    assert (everybody.total, next(iter(everybody.by_office))) == (5, "Hall")


def test_the_next_of_a_part_is_of_that_part(incident: Incident, desk: User, responder: User) -> None:
    make_holder(incident, tier="A", on_file={"office": "Hall"})
    mill = make_holder(incident, tier="B", on_file={"office": "Mill"})
    at = timezone.now()
    taken = take(incident, desk, at, Within(office="Mill"))
    assert taken is not None
    assert taken.affected_account == mill
    assert take(incident, responder, at, Within(office="Mill")) is None
    assert take(incident, desk, at, Within(office="Hall")) == taken


@pytest.mark.django_db(transaction=True)
def test_two_people_never_get_the_same_row_whatever_parts_they_work_through() -> None:
    parts = [Within(tier="A"), Within(office="Hall"), Within(begins="h"), Within()]
    people = [make_user(Role.DESK) for _ in parts]
    incident = make_incident(members=tuple(people))
    for number in range(16):
        hours = {"call_from": time(0), "call_until": time(23, 59)} if number % 3 else {}
        make_holder(incident, tier="A", on_file={"office": "Hall"}, **hours)
    taken: list[int] = []
    start = threading.Barrier(len(people))

    def work(user: User, within: Within) -> None:
        try:
            start.wait(10)
            for _ in range(4):
                call = take(incident, user, timezone.now(), within)
                assert call is not None
                taken.append(call.affected_account_id)
                end_call(call_id=call.pk, ending=Ending("no_answer"), actor=actor_for(user), at=timezone.now())
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=pair) for pair in zip(people, parts, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(taken), len(set(taken))) == (16, 16)


# Changes that nobody claimed


def changed(incident: Incident, minutes: int = 60, **changes: Any) -> AffectedAccount:
    at = timezone.now()
    fields = {
        "contained_at": at - timedelta(hours=5),
        "holder_reached_at": at - timedelta(hours=4),
        "password_changed_at": at - timedelta(minutes=minutes),
    }
    return make_holder(incident, **{**fields, **changes})


def why(incident: Incident, row: AffectedAccount) -> Urgency | None:
    found = waiting_of(incident.pk, [row.pk], timezone.now())
    return found[0].urgency if found else None


def test_a_change_nobody_claimed_comes_after_call_backs_and_before_the_never_reached(
    incident: Incident, desk: User
) -> None:
    at = timezone.now()
    never, heard = make_holder(incident, tier="A"), changed(incident, tier="C")
    back = make_holder(incident, tier="C")
    DeskCall.objects.create(
        incident=incident, affected_account=back, taken_by=desk, taken_at=at, held_until=at, outcome="call_back",
        call_back_at=at - timedelta(minutes=1), ended_at=at - timedelta(hours=1),
    )  # fmt: skip
    assert order(incident, at) == [back.pk, heard.pk, never.pk]


def test_the_holder_has_a_quarter_of_an_hour_to_say_so(incident: Incident) -> None:
    young = changed(incident, minutes=int(UNHEARD.total_seconds() // 60) - 1)
    old = changed(incident, minutes=int(UNHEARD.total_seconds() // 60) + 1)
    assert (why(incident, young), why(incident, old)) == (None, Urgency.UNCLAIMED)


def test_a_change_before_containment_says_nothing(incident: Incident) -> None:
    before = changed(incident, contained_at=timezone.now() - timedelta(minutes=30))
    uncontained = changed(incident, contained_at=None, state=State.COMPROMISED)
    assert (why(incident, before), why(incident, uncontained)) == (None, None)


def test_who_has_claimed_it_confirmed_it_or_was_reached_since_is_not_asked(incident: Incident, desk: User) -> None:
    at = timezone.now()
    pending, agrees, not_me = changed(incident), changed(incident), changed(incident)
    answered(pending, "changed", "pending", at - timedelta(minutes=50))
    answered(agrees, "with_help", "agrees", at - timedelta(minutes=50))
    answered(not_me, "not_me", "not_asked", at - timedelta(minutes=90))
    confirmed = changed(incident, holder_confirmed_at=at)
    assert [why(incident, row) for row in (pending, agrees, confirmed)] == [None, None, None]
    assert why(incident, not_me) == Urgency.NOT_ME
    heard = changed(incident)
    call = take(incident, desk, at, Within())
    assert call is not None
    end_call(call_id=call.pk, ending=Ending("reached", check="pass"), actor=actor_for(desk), at=at)
    call = take(incident, desk, at, Within())
    assert call is not None
    assert call.affected_account == heard
    end_call(call_id=call.pk, ending=Ending("reached", check="pass"), actor=actor_for(desk), at=at)
    assert why(incident, heard) is None


def test_a_shared_mailbox_and_who_only_was_targeted_are_not_asked(incident: Incident) -> None:
    shared = changed(incident, on_file={"kind": "shared"})
    targeted = changed(incident, state=State.TARGETED)
    assert (why(incident, shared), why(incident, targeted)) == (None, None)


def test_who_refused_before_the_change_is_asked_and_who_refused_after_it_is_not(incident: Incident, desk: User) -> None:
    at = timezone.now()
    for minutes, urgency in ((90, Urgency.UNCLAIMED), (30, None)):
        row = changed(incident)
        DeskCall.objects.create(
            incident=incident, affected_account=row, taken_by=desk, taken_at=at, held_until=at, outcome="refused",
            ended_at=at - timedelta(minutes=minutes),
        )  # fmt: skip
        assert why(incident, row) == urgency


# Whoever rings


def test_whoever_rings_is_found_by_a_part_of_the_name_in_this_incident_alone(incident: Incident, desk: User) -> None:
    row = make_holder(incident, holder_reached_at=timezone.now())
    other = make_holder(make_incident(members=(desk,)))
    assert [one.affected_id for one in ringing(incident.pk, row.login[:6].upper(), 8)] == [row.pk]
    assert ringing(incident.pk, other.login, 8) == []
    assert ringing(incident.pk, "%", 8) == []


def test_who_says_that_it_was_not_them_is_called_at_any_hour(incident: Incident) -> None:
    row, at = best(incident, time(14), time(16)), clock(incident, 3)
    answered(row, "not_me", "not_asked", at - timedelta(hours=1))
    (found,) = queue(incident.pk, at)
    assert (found.urgency, found.is_outside_hours) == (Urgency.NOT_ME, False)
