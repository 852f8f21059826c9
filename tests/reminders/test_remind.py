"""Steps, deadlines and requests are said when they come due, to whom they concern, once, and never when settled."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action
from runbooks.containment.models import Step
from runbooks.containment.operations import NewStep, add_step, assign, claim, complete, reopen, start, waive
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.notifications.models import Escalation, Notification
from runbooks.reminders.models import Reminder
from runbooks.reminders.operations.reminding import incidents_to_remind
from runbooks.reminders.queries.due import to_say
from tests.factories import make_action, make_affected, make_step, make_user
from tests.reminders.making import AT, HOUR, MINUTE, make_room, move_all, remind_all, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def amina() -> User:
    return make_user(name="Amina")


@pytest.fixture
def ines() -> User:
    return make_user(Role.RESPONDER, name="Ines")


@pytest.fixture
def room(amina: User, ines: User) -> Incident:
    return make_room(amina, ines, make_user(name="Tom"), severity=2)


@pytest.fixture
def step(room: Incident, ines: User) -> Step:
    """Due four hours after the declaration."""
    return make_step(room, number="3.1", title="Block the sender", due_at=AT + 4 * HOUR, owner=ines)


def notices(event: str) -> list[Notification]:
    return list(Notification.objects.filter(event=event).order_by("created_at", "recipient__name"))


def test_the_owner_hears_an_hour_before_at_its_time_and_after_it_and_the_lead_from_then_on(step: Step) -> None:
    assert remind_all(AT + 3 * HOUR - MINUTE) == 0
    for moment in (3 * HOUR, 4 * HOUR, 4 * HOUR + 15 * MINUTE):
        assert remind_all(AT + moment) == 1
        assert remind_all(AT + moment + timedelta(seconds=30)) == 0
    assert told("step.due_soon") == ["Ines"]
    assert told("step.due") == ["Ines"]
    assert told("step.overdue") == ["Amina", "Ines"]


def test_the_texts_say_which_step_by_when_and_who_has_it(step: Step) -> None:
    remind_all(AT + 3 * HOUR + 2 * MINUTE)
    (soon,) = notices("step.due_soon")
    assert soon.subject.endswith(": step 3.1 is due in 58 min")
    assert "Step 3.1 is due in 58 min: Block the sender\nDue: Tue 23 Jun 2026 08:00 BST\nInes has it." in soon.body
    assert soon.about == f"step:{step.pk}"
    remind_all(AT + 6 * HOUR)
    assert notices("step.overdue")[0].subject.endswith(": step 3.1 is 2 h 00 min overdue")


def test_a_step_that_nobody_has_is_said_to_the_lead(room: Incident) -> None:
    make_step(room, due_at=AT + HOUR)
    remind_all(AT + 30 * MINUTE)
    assert told() == ["Amina"]
    assert "Nobody has it. Claim it, or give it to somebody." in notices("step.due_soon")[0].body


def test_the_step_of_somebody_who_left_is_said_to_the_lead(room: Incident, step: Step, ines: User) -> None:
    room.memberships.filter(user=ines).update(ended_at=AT)
    remind_all(AT + 3 * HOUR)
    assert told() == ["Amina"]


def test_without_lead_and_deputy_the_coordinators_hear(room: Incident) -> None:
    make_step(room, due_at=AT + HOUR)
    Incident.objects.filter(pk=room.pk).update(lead=None)
    remind_all(AT + 30 * MINUTE)
    assert told() == ["Amina", "Tom"]


def test_a_worker_that_was_down_all_night_says_in_the_morning_what_is_true_then_and_nothing_else(step: Step) -> None:
    assert remind_all(AT + 13 * HOUR) == 1
    assert [notice.event for notice in Notification.objects.all()] == ["step.overdue"] * 2
    assert notices("step.overdue")[0].subject.endswith(": step 3.1 is 9 h 00 min overdue")
    assert remind_all(AT + 13 * HOUR + MINUTE) == 0


def test_overdue_is_said_again_after_its_gap_and_not_before(step: Step) -> None:
    said = [hours for hours in range(4, 80) if remind_all(AT + hours * HOUR + 20 * MINUTE)]
    assert said == [4, 12, 16, 20, 24, 48, 72]


def test_in_a_critical_incident_overdue_is_said_every_hour(room: Incident, step: Step) -> None:
    Incident.objects.filter(pk=room.pk).update(severity=1)
    assert [hours for hours in range(4, 10) if remind_all(AT + hours * HOUR + 20 * MINUTE)] == [4, 6, 7, 8, 9]


@pytest.mark.parametrize("status", ["closed", "dismissed"])
def test_nothing_is_said_of_an_incident_that_is_over(status: str, room: Incident, step: Step) -> None:
    Incident.objects.filter(pk=room.pk).update(status=status)
    assert incidents_to_remind(AT + 5 * HOUR) == []
    assert remind_all(AT + 5 * HOUR) == 0


@pytest.mark.parametrize("how", ["complete", "waive"])
def test_of_a_step_that_is_closed_before_its_reminder_nothing_is_said(
    how: str, room: Incident, step: Step, amina: User
) -> None:
    where: dict[str, Any] = {"incident_id": room.pk, "key": step.key, "actor": actor_for(amina), "at": AT + 2 * HOUR}
    if how == "complete":
        complete(**where)
    else:
        waive(**where, reason="Not needed")
    for hours in (3, 4, 5, 30):
        assert remind_all(AT + hours * HOUR) == 0
    assert told() == []


def test_a_step_that_is_completed_between_the_look_and_the_word_is_not_said(
    room: Incident, step: Step, amina: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep looked before; what counts is read under the incident's lock."""
    at = AT + 4 * HOUR
    found = incidents_to_remind(at)
    assert found == [room.pk]
    complete(incident_id=room.pk, key=step.key, actor=actor_for(amina), at=at)
    monkeypatch.setattr("tests.reminders.making.incidents_to_remind", lambda moment: found)
    assert remind_all(at) == 0
    assert told() == []


@pytest.mark.parametrize("how", ["complete", "waive", "start", "assign"])
def test_what_waits_to_be_said_is_dropped_when_the_step_is_seen_to(
    how: str, room: Incident, step: Step, amina: User
) -> None:
    remind_all(AT + 4 * HOUR)
    where: dict[str, Any] = {"incident_id": room.pk, "key": step.key, "actor": actor_for(amina), "at": AT + 4 * HOUR}
    deeds: dict[str, Any] = {
        "complete": lambda: complete(**where),
        "waive": lambda: waive(**where, reason="Not needed"),
        "start": lambda: start(**where),
        "assign": lambda: assign(**where, user_id=amina.pk),
    }
    deeds[how]()
    (notice,) = notices("step.due")
    assert (notice.status, notice.reason_code) == ("dropped", "withdrawn")
    assert notice.reason.lower().endswith(
        {
            "complete": "step 3.1 is done",
            "waive": "step 3.1 is waived",
            "start": "amina has step 3.1",
            "assign": "step 3.1 was given to amina, ines had it",
        }[how]
    )


def test_a_step_that_is_taken_or_reopened_drops_what_was_said_before(room: Incident, amina: User, ines: User) -> None:
    free = make_step(room, due_at=AT + HOUR)
    remind_all(AT + HOUR)
    where: dict[str, Any] = {"incident_id": room.pk, "key": free.key, "at": AT + HOUR}
    claim(**where, actor=actor_for(ines))
    assert notices("step.due")[0].status == "dropped"
    remind_all(AT + 2 * HOUR)
    complete(**where, actor=actor_for(ines))
    reopen(**where, actor=actor_for(ines), reason="It came back")
    assert {notice.status for notice in notices("step.overdue")} == {"dropped"}
    assert remind_all(AT + 9 * HOUR) == 1


def test_who_is_given_an_overdue_step_is_told_by_that_and_reminded_when_it_is_said_again(
    room: Incident, step: Step, amina: User
) -> None:
    remind_all(AT + 5 * HOUR)
    zoe = make_user(name="Zoe")
    room.memberships.create(user=zoe, added_by="A test", added_at=AT)
    assign(incident_id=room.pk, key=step.key, user_id=zoe.pk, actor=actor_for(amina), at=AT + 5 * HOUR)
    assert told("step.assigned") == ["Zoe"]
    remind_all(AT + 12 * HOUR)
    assert told("step.overdue", status="waiting") == ["Amina", "Zoe"]


def test_an_added_step_has_the_time_from_when_it_was_added(room: Incident, amina: User) -> None:
    first = make_step(room)
    at = AT + 10 * HOUR
    new = NewStep(title="Ask the vendor", after=first.key, role="lead", due_at=at + 40 * MINUTE)
    add_step(incident_id=room.pk, step=new, actor=actor_for(amina), at=at)
    assert remind_all(at + 19 * MINUTE) == 0
    assert remind_all(at + 20 * MINUTE) == 1
    assert told("step.due_soon") == ["Amina"]


def test_what_comes_due_within_a_minute_leaves_in_one_message(room: Incident, ines: User) -> None:
    for n in range(3):
        make_step(room, due_at=AT + HOUR + timedelta(seconds=20 * n), owner=ines)
    remind_all(AT + HOUR)
    remind_all(AT + HOUR + timedelta(seconds=45))
    assert len({notice.bundle for notice in notices("step.due")}) == 1
    assert {notice.next_attempt_at - notice.created_at for notice in notices("step.due")} == {MINUTE}


def test_one_overdue_step_starts_a_chain_and_others_do_not_ring_besides(
    room: Incident, step: Step, amina: User
) -> None:
    make_step(room, number="3.2", due_at=AT + 4 * HOUR)
    remind_all(AT + 5 * HOUR)
    chain = Escalation.objects.get()
    assert (chain.event, chain.about) == ("step.overdue", f"step:{step.pk}")
    move_all(AT + 5 * HOUR + 20 * MINUTE)
    assert "Amina" in told("step.overdue", escalation=chain, importance="important")
    complete(incident_id=room.pk, key=step.key, actor=actor_for(amina), at=AT + 6 * HOUR)
    chain.refresh_from_db()
    assert (chain.status, chain.ended_because) == ("withdrawn", "step 3.1 is done")
    remind_all(AT + 12 * HOUR)
    assert Escalation.objects.filter(status="running").count() == 1


@pytest.mark.parametrize(
    "declared",
    [
        datetime(2026, 3, 28, 23, 0, tzinfo=UTC),
        datetime(2026, 10, 24, 22, 0, tzinfo=UTC),
        datetime(2026, 6, 23, 22, 0, tzinfo=UTC),
    ],
    ids=["spring", "autumn", "midnight"],
)
def test_over_midnight_and_both_changes_of_the_clock_each_stage_is_said_once_at_its_time(
    declared: datetime, amina: User
) -> None:
    room = make_room(amina, severity=2, declared_at=declared)
    make_step(room, due_at=declared + 4 * HOUR)
    said = []
    for minutes in range(0, 7 * 60, 5):
        if remind_all(declared + minutes * MINUTE):
            said.append(minutes)
    assert said == [3 * 60, 4 * 60, 4 * 60 + 15]


def test_the_due_time_is_said_as_the_clock_on_the_wall_shows_it_then(amina: User) -> None:
    room = make_room(amina, declared_at=datetime(2026, 10, 24, 22, 0, tzinfo=UTC))
    for hours in (2.5, 3.5):
        make_step(room, due_at=room.declared_at + hours * HOUR)
        remind_all(room.declared_at + hours * HOUR)
    lines = [line for one in notices("step.due") for line in one.body.splitlines() if line.startswith("Due:")]
    assert lines == ["Due: Sun 25 Oct 2026 01:30 BST", "Due: Sun 25 Oct 2026 01:30 GMT"]


def test_a_clock_that_jumps_ahead_and_back_makes_nothing_be_said_twice(step: Step) -> None:
    assert remind_all(AT + 5 * HOUR) == 1
    for minutes in (3 * 60, 3 * 60 + 30, 4 * 60, 4 * 60 + 15, 5 * 60):
        assert remind_all(AT + minutes * MINUTE) == 0


# Deadlines


@pytest.fixture
def deadline(room: Incident) -> Step:
    return make_step(room, number="6.2", title="Notify", deadline_label="The regulator is told", due_at=AT + 72 * HOUR)


def test_a_deadline_is_said_at_half_and_three_quarters_to_those_who_answer_for_it(
    room: Incident, deadline: Step
) -> None:
    officer, press = make_user(Role.RESPONDER, name="Dee"), make_user(Role.COMMUNICATIONS, name="Pip")
    for user in (officer, press):
        room.memberships.create(user=user, added_by="A test", added_at=AT)
    IncidentRole.objects.create(incident=room, kind="dpo", user=officer, since=AT)
    assert remind_all(AT + 35 * HOUR) == 0
    assert remind_all(AT + 36 * HOUR) == 1
    assert remind_all(AT + 53 * HOUR) == 0
    assert remind_all(AT + 54 * HOUR) == 1
    assert told("clock.half") == told("clock.three_quarters") == ["Amina", "Dee", "Pip"]
    assert notices("clock.three_quarters")[0].subject.endswith(": The regulator is told: 18 h 00 min left")
    assert set(Escalation.objects.values_list("event", flat=True)) == {"clock.half", "clock.three_quarters"}
    remind_all(AT + 72 * HOUR)
    assert told("step.due") == ["Amina", "Dee", "Pip"]


def test_a_deadline_that_is_met_is_not_said_and_its_chain_ends(room: Incident, deadline: Step, amina: User) -> None:
    remind_all(AT + 36 * HOUR)
    complete(incident_id=room.pk, key=deadline.key, actor=actor_for(amina), at=AT + 40 * HOUR)
    assert Escalation.objects.get().status == "withdrawn"
    assert remind_all(AT + 60 * HOUR) == 0


# Requests


def asked(room: Incident, by: User, at: datetime) -> Action:
    return make_action(
        room, make_affected(room), number=7, status="awaiting_approval", requested_by=by, requested_at=at,
        expires_at=at + 30 * MINUTE, digest="a" * 64, authors=[by.pk],
    )  # fmt: skip


def test_half_its_time_gone_a_request_is_said_again_to_those_who_may_decide(room: Incident, amina: User) -> None:
    action = asked(room, amina, AT + HOUR)
    assert remind_all(AT + HOUR + 14 * MINUTE) == 0
    assert remind_all(AT + HOUR + 15 * MINUTE) == 1
    assert remind_all(AT + HOUR + 29 * MINUTE) == 0
    (notice,) = notices("action.waiting")
    assert (notice.recipient.name, notice.about) == ("Tom", f"action:{action.pk}")
    assert "expires: Tue 23 Jun 2026 05:30 BST, in 15 min" in notice.body


@pytest.mark.parametrize("status", ["draft", "cancelled"])
def test_a_request_that_is_settled_or_has_expired_is_not_said(status: str, room: Incident, amina: User) -> None:
    action = asked(room, amina, AT + HOUR)
    assert remind_all(AT + 2 * HOUR) == 0
    Action.objects.filter(pk=action.pk).update(status=status)
    assert remind_all(AT + HOUR + 20 * MINUTE) == 0


# Cost


def test_looking_takes_three_queries_however_many_steps_are_due(room: Incident, django_assert_num_queries: Any) -> None:
    for _ in range(30):
        make_step(room, due_at=AT + HOUR)
    with django_assert_num_queries(3):
        assert len(to_say(AT + HOUR)) == 30
    remind_all(AT + HOUR)
    with django_assert_num_queries(3):
        assert to_say(AT + HOUR) == []
    assert Reminder.objects.count() == 30
