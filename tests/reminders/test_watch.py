"""The watchdog says once what does not move and once that it moves again; each sweep leaves its pulse."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

import runbooks.tasks
from ir_portal.celery import app
from runbooks.access.models import Role, User
from runbooks.notifications.models import Escalation, Notification, Pulse
from runbooks.notifications.operations import pulse
from runbooks.reminders.clock import database_now
from runbooks.reminders.operations.watching import watch
from runbooks.reminders.queries.health import ALARM, LABELS, SINCE, WATCH, schedule
from tests.factories import make_user
from tests.notifications.making import make_notice
from tests.reminders.making import AT, HOUR, MINUTE, make_policy, make_room, start, told

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@pytest.fixture
def keeper() -> User:
    return make_user(Role.ADMINISTRATOR, name="Ada")


def all_sweeps_ended(at: Any, *, but: str = "") -> None:
    for name in schedule():
        if name != but:
            Pulse.objects.update_or_create(name=name, defaults={"at": at})


def look(at: Any, *, own: Any = None, but: str = "") -> list[str]:
    """As the task does, where every sweep but one ended a second ago, and what was told left at once."""
    all_sweeps_ended(at - SECOND, but=but)
    found = watch(at=at, own=own or at)
    Pulse.objects.filter(name=WATCH).update(at=at)
    Notification.objects.filter(event__startswith="watchdog.").update(status="delivered", delivered_at=at)
    return [fault.key for fault in found]


def said(event: str) -> list[str]:
    return list(Notification.objects.filter(event=event).order_by("created_at").values_list("subject", flat=True))


@pytest.fixture
def calm(keeper: User) -> Any:
    """All is well, and was for ten minutes."""
    for minutes in range(11):
        assert look(AT + minutes * MINUTE) == []
    assert said("watchdog.alarm") == []
    return AT + 10 * MINUTE


def test_where_all_sweeps_end_in_time_nobody_is_told(calm: Any) -> None:
    assert told() == []


def test_a_sweep_of_which_nothing_is_heard_is_told_once_to_administrators_and_coordinators(
    calm: Any, keeper: User
) -> None:
    make_user(name="Cora")
    make_user(Role.RESPONDER, name="Rae")
    found = [look(calm + n * MINUTE, but="actions.sweep") for n in range(1, 10)]
    assert found == [[]] * 5 + [["sweeps"]] * 4
    assert told("watchdog.alarm") == ["Ada", "Cora"]
    assert said("watchdog.alarm")[0] == (
        "IR Portal: something does not move: Nothing was heard of: carrying actions on (6 min)"
    )


def test_when_it_moves_again_that_is_told_once_after_two_quiet_minutes(calm: Any) -> None:
    at = calm + 8 * MINUTE
    for n in range(1, 9):
        look(calm + n * MINUTE, but="actions.sweep")
    assert look(at + MINUTE) == []
    assert said("watchdog.calm") == []
    for n in range(2, 6):
        look(at + n * MINUTE)
    assert said("watchdog.calm") == ["IR Portal: everything moves again"]
    assert len(said("watchdog.alarm")) == 1
    assert not Pulse.objects.filter(name=ALARM).exists()


def test_what_comes_and_goes_is_one_alarm(calm: Any) -> None:
    at = calm
    for n in range(1, 12):
        at = calm + n * MINUTE
        look(at, own=at + (HOUR if n % 2 else timedelta()))
    assert len(said("watchdog.alarm")) == 1
    assert said("watchdog.calm") == []


def test_a_second_fault_while_an_alarm_stands_is_told_as_well(calm: Any) -> None:
    make_policy(("lead", 1))
    start(make_room(make_user()), [], at=calm)
    look(calm + MINUTE, own=calm + 2 * HOUR)
    look(calm + 4 * MINUTE - SECOND, own=calm + 2 * HOUR)
    look(calm + 4 * MINUTE, own=calm + 2 * HOUR)
    alarms = [line for line in said("watchdog.alarm") if "more does not move" in line]
    assert alarms
    assert "1 chain does not move, the first since 2 min" in alarms[0]
    assert "The clock of a worker is" in alarms[0]


@pytest.mark.parametrize(("seconds", "is_late"), [(120, False), (121, True)])
def test_a_chain_is_late_when_its_next_step_is_more_than_two_minutes_past(
    calm: Any, seconds: int, is_late: bool
) -> None:
    make_policy(("lead", 10))
    start(make_room(make_user()), [], at=calm - 10 * MINUTE)
    assert look(calm + seconds * SECOND) == (["chains"] if is_late else [])


def test_a_chain_that_was_answered_is_not_late(calm: Any) -> None:
    make_policy(("lead", 10))
    start(make_room(make_user()), [], at=calm - 10 * MINUTE)
    Escalation.objects.update(status="answered", next_at=None, ended_at=AT)
    assert look(calm + 10 * MINUTE) == []


def test_a_notice_is_late_when_it_is_due_for_more_than_five_minutes_and_nobody_has_it_in_hand(calm: Any) -> None:
    notice = make_notice(at=calm)
    all_well = [look(calm + n * MINUTE) for n in range(1, 6)]
    assert all_well == [[]] * 5
    late = calm + 5 * MINUTE + SECOND
    Notification.objects.filter(pk=notice.pk).update(leased_until=late + MINUTE)
    assert look(late) == []
    Notification.objects.filter(pk=notice.pk).update(leased_until=late - SECOND)
    assert look(late) == ["notices"]
    Notification.objects.filter(pk=notice.pk).update(status="held")
    assert look(late + SECOND) == []


def test_after_a_night_in_which_nothing_ran_what_is_late_by_that_is_no_alarm_until_it_had_time(calm: Any) -> None:
    make_notice(at=calm)
    morning = calm + 9 * HOUR
    assert [fault.key for fault in watch(at=morning, own=morning)] == []
    assert Pulse.objects.get(name=SINCE).said == "Nothing had been watched for 9 h 00 min before"
    assert look(morning + 4 * MINUTE) == []
    assert look(morning + 5 * MINUTE + SECOND) == ["notices"]


def test_a_worker_whose_clock_is_an_hour_wrong_is_told_of_and_changes_nothing_else(calm: Any) -> None:
    for ahead, words in ((HOUR, "1 h 00 min ahead of"), (-HOUR, "1 h 00 min behind")):
        Pulse.objects.filter(name=ALARM).delete()
        assert look(calm, own=calm + ahead) == ["clock"]
        assert any(f"The clock of a worker is {words} the database's" in line for line in said("watchdog.alarm"))
    assert look(calm, own=calm + 29 * SECOND) == []


def test_a_new_portal_whose_sweeps_have_not_run_yet_rings_nobody(keeper: User) -> None:
    assert watch(at=AT, own=AT) == []
    assert Pulse.objects.filter(name__in=schedule()).count() == len(schedule())


# Pulses


def test_every_sweep_of_the_schedule_is_a_task_and_has_a_name_for_people() -> None:
    assert runbooks.tasks.__all__
    assert set(schedule()) <= set(app.tasks)
    assert set(schedule()) <= set(LABELS)
    assert len(schedule()) == len(settings.CELERY_BEAT_SCHEDULE)


@pytest.fixture
def by_the_worker(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Run a task here, as a worker would."""
    sent: list[str] = []
    monkeypatch.setattr(app, "send_task", lambda task, **_: sent.append(task))

    def run(name: str) -> None:
        app.tasks[name].run()

    return run


@pytest.mark.parametrize("name", sorted(schedule()))
def test_every_sweep_leaves_its_pulse(name: str, by_the_worker: Callable[[str], None]) -> None:
    by_the_worker(name)
    assert abs(Pulse.objects.get(name=name).at - database_now()) < MINUTE


def test_a_later_pulse_takes_the_place_of_the_one_before() -> None:
    pulse("a sweep", "1 done")
    before = Pulse.objects.get(name="a sweep").at
    pulse("a sweep", "x" * 999)
    after = Pulse.objects.get(name="a sweep")
    assert (after.said, after.at >= before) == ("x" * 300, True)
