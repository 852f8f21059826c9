"""Bringing accounts of the directory into an incident."""

import pytest

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount, State, StateChange
from runbooks.affected_accounts.operations import Added, add_accounts
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.operations import now
from tests.affected_accounts.many import directory_of
from tests.factories import make_account

pytestmark = pytest.mark.django_db


def add(incident: Incident, user: User, ids: list[int], tier: str = "") -> Added:
    return add_accounts(
        incident_id=incident.pk, account_ids=ids, tier=tier, source="a report", actor=actor_for(user), at=now()
    )


def test_accounts_come_in_as_the_directory_has_them_and_wait_for_assessment(
    incident: Incident, responder: User
) -> None:
    account = make_account(is_privileged=True)
    add(incident, responder, [account.pk])
    row = AffectedAccount.objects.get(incident=incident)
    assert (row.login, row.display_name, row.department) == (account.login, account.display_name, account.department)
    assert row.is_privileged
    assert (row.state, row.tier, row.compromised_at) == (State.NOT_ASSESSED, "", None)
    assert StateChange.objects.get(affected_account=row).before == ""


def test_a_tier_known_from_the_start_decides_the_state(incident: Incident, responder: User) -> None:
    add(incident, responder, [make_account().pk], tier="B")
    row = AffectedAccount.objects.get(incident=incident)
    assert row.state == State.COMPROMISED
    assert row.compromised_at == row.added_at


def test_adding_again_adds_nothing_and_leaves_what_is_there(incident: Incident, responder: User) -> None:
    ids = [account.pk for account in directory_of(3)]
    add(incident, responder, ids[:2], tier="A")
    second = add(incident, responder, ids)
    assert (len(second.rows), second.already) == (1, 2)
    before = TimelineEvent.objects.filter(incident=incident).count()
    third = add(incident, responder, ids)
    assert (third.rows, third.already) == ([], 3)
    assert TimelineEvent.objects.filter(incident=incident).count() == before
    assert AffectedAccount.objects.filter(incident=incident, tier="A").count() == 2


def test_accounts_the_directory_does_not_have_are_refused(incident: Incident, responder: User) -> None:
    with pytest.raises(NotFoundError, match="not in the directory"):
        add(incident, responder, [make_account().pk, 999_999_999])
    assert not AffectedAccount.objects.exists()


def test_desk_may_not_and_the_outsider_finds_nothing(incident: Incident, desk: User, outsider: User) -> None:
    account = make_account()
    for user, refusal in ((desk, NotAllowedError), (outsider, NotFoundError)):
        with pytest.raises(refusal):
            add(incident, user, [account.pk])
