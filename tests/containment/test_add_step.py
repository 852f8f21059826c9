"""Adding a step to the running incident."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.catalog.loader import load
from runbooks.containment.models import Step
from runbooks.containment.operations import BadStepError, NewStep, add_step, copy_runbook
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import IncidentOverError
from runbooks.timeline.models import TimelineEvent
from tests.containment.conftest import NOON


@pytest.fixture
def running(incident: Incident) -> Incident:
    copy_runbook(incident, load("compromised-accounts"), incident.declared_at)
    return incident


def wanted(**changes: Any) -> NewStep:
    return NewStep(
        **{"title": "Check the break-glass accounts", "after": "decide-lockdown", "role": "identity", **changes}
    )


def add(incident: Incident, user: User, **changes: Any) -> Step:
    return add_step(incident_id=incident.pk, step=wanted(**changes), actor=actor_for(user), at=NOON)


def test_an_added_step_stands_after_the_chosen_one_and_no_number_moves(running: Incident, coordinator: User) -> None:
    before = dict(Step.objects.filter(incident=running).values_list("key", "number"))
    added = add(running, coordinator)
    order = list(Step.objects.filter(incident=running).order_by("position").values_list("key", flat=True))
    assert order[order.index("decide-lockdown") + 1] == added.key
    assert len(order) == 41
    after = dict(Step.objects.filter(incident=running).exclude(pk=added.pk).values_list("key", "number"))
    assert after == before
    assert added.number not in before.values()
    assert added.number.startswith("2.")
    assert (added.phase, added.is_added) == ("contain", True)


def test_positions_stay_one_each(running: Incident, coordinator: User) -> None:
    add(running, coordinator)
    add(running, coordinator)
    positions = list(Step.objects.filter(incident=running).order_by("position").values_list("position", flat=True))
    assert positions == list(range(1, 43))


def test_adding_is_a_decision_in_the_timeline(
    running: Incident, coordinator: User, newest_entry: Callable[[], TimelineEvent]
) -> None:
    added = add(running, coordinator, evidence=["List of accounts", "Result of each"])
    entry = newest_entry()
    assert (entry.kind, entry.lane, entry.step_id) == ("step.added", "decision", added.pk)
    assert entry.details["evidence"] == ["List of accounts", "Result of each"]


def test_an_added_step_keeps_what_was_asked(running: Incident, coordinator: User) -> None:
    due = NOON + timedelta(hours=2)
    added = add(
        running,
        coordinator,
        title="  Check   them  ",
        due_at=due,
        depends_on=["preserve-logs", "preserve-logs"],
        evidence=["Result", "  "],
        instruction="Sign in with each.",
        two_person=True,
    )
    added.refresh_from_db()
    assert (added.title, added.due_at, added.depends_on) == ("Check them", due, ["preserve-logs"])
    assert added.evidence_required == [{"key": "evidence-1", "label": "Result"}]
    assert (added.instruction, added.two_person) == ("Sign in with each.", True)


def test_two_steps_of_one_title_have_two_keys(running: Incident, coordinator: User) -> None:
    assert add(running, coordinator).key != add(running, coordinator).key


def test_a_title_without_latin_letters_is_as_good_as_any(running: Incident, coordinator: User) -> None:
    first, second = add(running, coordinator, title="Проверить"), add(running, coordinator, title="確認")
    assert (first.key, second.key) == ("added", "added-2")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": "  "}, "title"),
        ({"title": "x" * 201}, "200"),
        ({"after": "no-such-step"}, "after which"),
        ({"role": "wizard"}, "role"),
        ({"depends_on": ["no-such-step"]}, "no-such-step"),
        ({"due_at": NOON - timedelta(minutes=1)}, "passed already"),
        ({"evidence": ["x" * 201]}, "200"),
        ({"evidence": ["x"] * 13}, "at most 12"),
    ],
)
def test_a_step_that_does_not_hold_together_is_refused(
    running: Incident, coordinator: User, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadStepError, match=said):
        add(running, coordinator, **changes)
    assert Step.objects.filter(incident=running).count() == 40


@pytest.mark.parametrize("persona", ["responder", "desk", "communications", "auditor"])
def test_only_coordinators_add_steps(running: Incident, persona: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(NotAllowedError):
        add(running, request.getfixturevalue(persona))


def test_to_an_outsider_there_is_no_incident(running: Incident, outsider: User) -> None:
    with pytest.raises(NotFoundError):
        add(running, outsider)


def test_nothing_is_added_to_a_closed_incident(running: Incident, coordinator: User) -> None:
    Incident.objects.filter(pk=running.pk).update(status="closed", closed_at=NOON)
    with pytest.raises(IncidentOverError):
        add(running, coordinator)
