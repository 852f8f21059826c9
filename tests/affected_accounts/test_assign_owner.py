"""Who works on an account next."""

import pytest

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.affected_accounts.operations import Outcome, assign_owner
from runbooks.affected_accounts.operations.selection import CannotChangeAccountsError
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.operations import now
from tests.affected_accounts.many import affected_of
from tests.factories import make_affected

pytestmark = pytest.mark.django_db


def assign(incident: Incident, user: User, rows: list[AffectedAccount], owner: User | None) -> Outcome:
    return assign_owner(
        incident_id=incident.pk,
        account_ids=[row.pk for row in rows],
        owner_id=owner.pk if owner else None,
        actor=actor_for(user),
        at=now(),
    )


def test_accounts_are_given_to_somebody_and_taken_again(incident: Incident, responder: User, desk: User) -> None:
    rows = affected_of(incident, 3)
    given = assign(incident, responder, rows, desk)
    assert AffectedAccount.objects.filter(owner=desk).count() == 3
    assert given.said == f"3 accounts assigned to {desk.name}"
    taken = assign(incident, responder, rows[:1], None)
    assert taken.said == f"{rows[0].login} assigned to nobody"
    event = TimelineEvent.objects.filter(incident=incident).order_by("-sequence")[0]
    assert event.details == {"account": rows[0].login, "owner": None, "owner_before": desk.name}


def test_those_who_have_the_owner_already_are_left_alone(incident: Incident, responder: User, desk: User) -> None:
    rows = affected_of(incident, 2)
    assign(incident, responder, rows[:1], desk)
    outcome = assign(incident, responder, rows, desk)
    assert (outcome.changed, outcome.unchanged) == (1, 1)
    assert assign(incident, responder, rows, desk).changed == 0


def test_only_members_of_the_incident_can_own(incident: Incident, responder: User, outsider: User) -> None:
    with pytest.raises(CannotChangeAccountsError, match="not in the incident"):
        assign(incident, responder, [make_affected(incident)], outsider)


def test_the_auditor_may_not_and_the_outsider_finds_nothing(
    incident: Incident, auditor: User, outsider: User, desk: User
) -> None:
    row = make_affected(incident)
    for user, refusal in ((auditor, NotAllowedError), (outsider, NotFoundError)):
        with pytest.raises(refusal):
            assign(incident, user, [row], desk)
