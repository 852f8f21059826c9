"""What is counted from an incident is kept for as long as it is true, and never longer."""

from uuid import UUID

import pytest
from django.db import transaction
from pytest_django import Settings

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import State, Tier
from runbooks.affected_accounts.operations import set_tier
from runbooks.affected_accounts.queries import group_counts
from runbooks.incidents.models import Incident
from runbooks.incidents.snapshot import at_head
from runbooks.timeline.operations import now
from tests.factories import make_affected, make_entry, make_incident

pytestmark = pytest.mark.django_db(transaction=True)


class Counting:
    """A computation that says how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, incident_id: UUID) -> int:
        self.asked += 1
        return self.asked


@pytest.fixture
def running() -> Incident:
    """An incident whose chain has begun."""
    return enter(make_incident())


def enter(incident: Incident) -> Incident:
    with transaction.atomic():
        make_entry(incident)
    return Incident.objects.get(pk=incident.pk)


def test_a_value_is_computed_once_while_the_incident_stays_as_it_is(running: Incident) -> None:
    compute = Counting()
    assert [at_head(running, "number", compute) for _ in range(3)] == [1, 1, 1]


def test_an_entry_makes_it_computed_anew(running: Incident) -> None:
    compute = Counting()
    at_head(running, "number", compute)
    assert at_head(enter(running), "number", compute) == 2


def test_two_names_and_two_incidents_are_kept_apart(running: Incident) -> None:
    compute, other = Counting(), enter(make_incident())
    found = [at_head(running, "one", compute), at_head(running, "two", compute), at_head(other, "one", compute)]
    assert found == [1, 2, 3]


def test_what_was_read_while_the_incident_changed_is_shown_but_not_kept(running: Incident) -> None:
    compute = Counting()

    def changing(incident_id: UUID) -> int:
        enter(running)
        return compute(incident_id)

    assert at_head(running, "number", changing) == 1
    assert at_head(running, "number", compute) == 2


def test_inside_a_transaction_nothing_is_kept_since_it_may_be_rolled_back(running: Incident) -> None:
    compute = Counting()
    with transaction.atomic():
        at_head(running, "number", compute)
    assert at_head(running, "number", compute) == 2


def test_an_incident_without_an_entry_is_counted_every_time() -> None:
    compute, incident = Counting(), make_incident()
    assert [at_head(incident, "number", compute) for _ in range(2)] == [1, 2]


def test_the_switch_turns_it_off(running: Incident, settings: Settings) -> None:
    settings.SNAPSHOTS = False
    compute = Counting()
    assert [at_head(running, "number", compute) for _ in range(2)] == [1, 2]


def test_without_the_cache_everything_is_counted(running: Incident, settings: Settings) -> None:
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"},
    }
    compute = Counting()
    assert [at_head(running, "number", compute) for _ in range(2)] == [1, 2]


def test_counts_follow_an_operation_at_once(running: Incident, coordinator: User) -> None:
    make_affected(running, state=State.SUSPECTED)
    account = make_affected(running, state=State.SUSPECTED)
    running = enter(running)
    lead = running.lead
    assert lead is not None
    before = at_head(running, "groups", group_counts)
    set_tier(incident_id=running.pk, account_ids=[account.pk], tier=Tier.A, actor=actor_for(lead), at=now())
    after = at_head(Incident.objects.get(pk=running.pk), "groups", group_counts)
    assert (before.suspected, before.confirmed, after.suspected, after.confirmed) == (2, 0, 1, 1)
