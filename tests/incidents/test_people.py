"""Who is in the incident, and who holds which role."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from runbooks.access.models import Membership, User
from runbooks.access.permissions import actor_for, is_member
from runbooks.errors import NotAllowedError
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.incidents.operations import CannotChangePeopleError, add_member, end_membership, end_role, give_role
from runbooks.timeline.models import TimelineEvent

pytestmark = pytest.mark.django_db


def test_an_added_person_sees_the_incident_and_a_removed_one_no_longer(
    incident: Incident, coordinator: User, outsider: User
) -> None:
    actor = actor_for(coordinator)
    add_member(incident_id=incident.pk, user_id=outsider.pk, actor=actor, at=timezone.now())
    assert is_member(actor_for(outsider), incident.pk)
    end_membership(incident_id=incident.pk, user_id=outsider.pk, actor=actor, at=timezone.now())
    assert not is_member(actor_for(outsider), incident.pk)
    kinds = list(TimelineEvent.objects.filter(incident=incident).order_by("sequence").values_list("kind", flat=True))
    assert kinds == ["member.added", "member.removed"]


def test_nobody_is_added_twice(incident: Incident, coordinator: User, responder: User) -> None:
    with pytest.raises(CannotChangePeopleError, match="already"):
        add_member(incident_id=incident.pk, user_id=responder.pk, actor=actor_for(coordinator), at=timezone.now())
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(incident=incident, user=responder, added_by="x", added_at=timezone.now())


def test_the_lead_is_handed_over_and_both_stay_on_record(incident: Incident, coordinator: User, approver: User) -> None:
    give_role(
        incident_id=incident.pk,
        kind="lead",
        user_id=approver.pk,
        note="Night shift",
        actor=actor_for(coordinator),
        at=timezone.now(),
    )
    incident.refresh_from_db()
    assert incident.lead == approver
    held = IncidentRole.objects.filter(incident=incident, kind="lead").order_by("pk")
    assert [(role.user, role.until is None) for role in held] == [(coordinator, False), (approver, True)]
    summary = TimelineEvent.objects.get(incident=incident).summary
    assert "took over as lead from" in summary
    assert "Night shift" in summary


def test_the_lead_can_neither_leave_nor_drop_the_role(incident: Incident, coordinator: User) -> None:
    actor, at = actor_for(coordinator), timezone.now()
    role = IncidentRole.objects.get(incident=incident, kind="lead")
    with pytest.raises(CannotChangePeopleError, match="Hand the lead over first"):
        end_membership(incident_id=incident.pk, user_id=coordinator.pk, actor=actor, at=at)
    with pytest.raises(CannotChangePeopleError, match="always has a lead"):
        end_role(incident_id=incident.pk, role_id=role.pk, actor=actor, at=at)


def test_leaving_ends_the_roles_too(incident: Incident, coordinator: User, responder: User) -> None:
    actor = actor_for(coordinator)
    give_role(incident_id=incident.pk, kind="scribe", user_id=responder.pk, note="", actor=actor, at=timezone.now())
    end_membership(incident_id=incident.pk, user_id=responder.pk, actor=actor, at=timezone.now())
    assert not IncidentRole.objects.filter(incident=incident, user=responder, until__isnull=True).exists()


def test_a_responder_does_not_manage_people(incident: Incident, responder: User, outsider: User) -> None:
    with pytest.raises(NotAllowedError):
        add_member(incident_id=incident.pk, user_id=outsider.pk, actor=actor_for(responder), at=timezone.now())
