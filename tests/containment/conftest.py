"""A running incident with steps to work on."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.containment import operations
from runbooks.containment.models import Step
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.factories import make_incident, make_step

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RULES = [{"key": "read-back", "label": "Read-back from the directory"}, {"key": "receipt", "label": "Receipt"}]


@pytest.fixture
def incident(
    coordinator: User, approver: User, responder: User, desk: User, communications: User, auditor: User
) -> Incident:
    """As everywhere, in a transaction of its own: some tests here work from several threads on what is committed."""
    with transaction.atomic():
        return make_incident(lead=coordinator, members=(approver, responder, desk, communications, auditor))


@pytest.fixture
def step(incident: Incident) -> Step:
    return make_step(incident, key="preserve-logs", number="1.4", title="Preserve the logs", role="forensics")


@pytest.fixture
def later_step(incident: Incident, step: Step) -> Step:
    """Depends on `step`."""
    return make_step(incident, key="confirm-attack", number="1.5", title="Confirm the attack", depends_on=[step.key])


@pytest.fixture
def do(incident: Incident) -> Callable[..., Any]:
    """An operation on a step as somebody, at noon: do("claim", step, responder)."""

    def run(verb: str, step: Step, user: User, **arguments: Any) -> Any:
        arguments = {"at": NOON, **arguments}
        operation = getattr(operations, verb)
        return operation(incident_id=incident.pk, key=step.key, actor=actor_for(user), **arguments)

    return run


@pytest.fixture
def newest_entry(incident: Incident) -> Callable[[], TimelineEvent]:
    def find() -> TimelineEvent:
        return TimelineEvent.objects.filter(incident=incident).latest("sequence")

    return find
