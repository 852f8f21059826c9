"""The status moves only along its table, back only with a reason."""

from itertools import product

import pytest
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import FORWARD, TRANSITIONS, CannotChangeStatusError, change_status
from runbooks.timeline.models import TimelineEvent
from tests.factories import make_incident

pytestmark = pytest.mark.django_db
Status = Incident.Status


@pytest.mark.parametrize(("before", "after"), list(product(Status, Status)))
def test_only_the_transitions_of_the_table_are_allowed(before: Status, after: Status, coordinator: User) -> None:
    incident = make_incident(lead=coordinator, status=before)
    actor, at = actor_for(coordinator), timezone.now()
    if after in TRANSITIONS[before]:
        change_status(incident_id=incident.pk, status=after, reason="Because", actor=actor, at=at)
    else:
        with pytest.raises(CannotChangeStatusError, match="From there it can become"):
            change_status(incident_id=incident.pk, status=after, reason="Because", actor=actor, at=at)
    incident.refresh_from_db()
    assert incident.status == (after if after in TRANSITIONS[before] else before)


def test_a_change_is_an_entry_with_both_values(incident: Incident, coordinator: User) -> None:
    at = timezone.now()
    change_status(incident_id=incident.pk, status="contained", reason="", actor=actor_for(coordinator), at=at)
    event = TimelineEvent.objects.get(incident=incident)
    assert (event.kind, event.details["before"], event.details["after"]) == (
        "incident.status_changed",
        "open",
        "contained",
    )
    incident.refresh_from_db()
    assert incident.contained_at == at


def test_going_back_needs_a_reason_and_takes_the_moment_back(incident: Incident, coordinator: User) -> None:
    actor = actor_for(coordinator)
    change_status(incident_id=incident.pk, status="contained", reason="", actor=actor, at=timezone.now())
    with pytest.raises(CannotChangeStatusError, match="Say why"):
        change_status(incident_id=incident.pk, status="open", reason=" ", actor=actor, at=timezone.now())
    change_status(incident_id=incident.pk, status="open", reason="Three more fell", actor=actor, at=timezone.now())
    incident.refresh_from_db()
    assert incident.contained_at is None


def test_every_status_can_be_reached_and_none_is_a_trap() -> None:
    reached = {after for allowed in TRANSITIONS.values() for after in allowed}
    assert reached == set(FORWARD)
    assert all(TRANSITIONS[status] for status in FORWARD)


def test_a_responder_may_not_and_an_outsider_sees_nothing(incident: Incident, responder: User, outsider: User) -> None:
    at = timezone.now()
    with pytest.raises(NotAllowedError):
        change_status(incident_id=incident.pk, status="contained", reason="", actor=actor_for(responder), at=at)
    with pytest.raises(NotFoundError):
        change_status(incident_id=incident.pk, status="contained", reason="", actor=actor_for(outsider), at=at)
    assert not TimelineEvent.objects.filter(incident=incident).exists()
