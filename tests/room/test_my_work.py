"""What waits for one person: their open steps, and nobody's that are of a role they hold."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import PORTAL, actor_for
from runbooks.containment.models import Step
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.room.queries.work import my_work, work_count
from tests.factories import make_incident, make_step

LATE = timezone.now() - timedelta(minutes=5)
LATER = timezone.now() + timedelta(days=1)


def work_of(user: User) -> list[Step]:
    return my_work(actor_for(user))


def count_of(user: User) -> int:
    return work_count(actor_for(user), timezone.now())


def test_steps_of_ones_own_are_listed_with_the_most_urgent_first(incident: Incident, responder: User) -> None:
    unset = make_step(incident, owner=responder)
    later = make_step(incident, owner=responder, due_at=LATER)
    late = make_step(incident, owner=responder, due_at=LATE)
    assert work_of(responder) == [late, later, unset]


def test_a_step_nobody_has_waits_for_whoever_holds_its_role(incident: Incident, responder: User, desk: User) -> None:
    IncidentRole.objects.create(incident=incident, kind="forensics", user=responder, since=incident.declared_at)
    step = make_step(incident, role="forensics")
    assert work_of(responder) == [step]
    assert work_of(desk) == []


def test_a_role_handed_over_waits_for_its_holder_no_more(incident: Incident, responder: User) -> None:
    at = incident.declared_at
    IncidentRole.objects.create(incident=incident, kind="forensics", user=responder, since=at, until=timezone.now())
    make_step(incident, role="forensics")
    assert work_of(responder) == []


def test_a_step_somebody_else_has_waits_only_for_them(incident: Incident, coordinator: User, responder: User) -> None:
    step = make_step(incident, role="lead", owner=responder)
    assert work_of(coordinator) == []
    assert work_of(responder) == [step]


@pytest.mark.parametrize("status", Step.CLOSED)
def test_closed_steps_wait_for_nobody(incident: Incident, responder: User, status: str) -> None:
    make_step(incident, owner=responder, status=status, closed_at=timezone.now(), waived_reason="Not needed")
    assert work_of(responder) == []


@pytest.mark.parametrize("status", Incident.OVER)
def test_steps_of_an_incident_that_is_over_wait_for_nobody(responder: User, status: str) -> None:
    over = make_incident(members=(responder,), status=status, closed_at=timezone.now())
    make_step(over, owner=responder)
    assert work_of(responder) == []


def test_who_left_the_incident_has_no_work_in_it(incident: Incident, responder: User) -> None:
    make_step(incident, owner=responder)
    incident.memberships.filter(user=responder).update(ended_at=timezone.now())
    assert work_of(responder) == []


def test_the_top_bar_counts_what_is_in_hand_or_due(incident: Incident, responder: User) -> None:
    make_step(incident, owner=responder, due_at=LATE)
    make_step(incident, owner=responder, status=Step.Status.RUNNING, due_at=LATER)
    make_step(incident, owner=responder, due_at=LATER)
    make_step(incident, owner=responder)
    assert count_of(responder) == 2


def test_the_portal_itself_has_no_work(incident: Incident) -> None:
    make_step(incident, due_at=LATE)
    assert work_count(PORTAL, timezone.now()) == 0


def test_the_page_lists_it(incident: Incident, responder: User, client_of: Callable[[User], Client]) -> None:
    make_step(incident, owner=responder, title="Check the mailbox rules")
    assert b"Check the mailbox rules" in client_of(responder).get(reverse("my_work")).content
