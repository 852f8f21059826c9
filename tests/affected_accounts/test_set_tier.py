"""Tiers, and the states that follow from them."""

import pytest

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount, State, Tier
from runbooks.affected_accounts.operations import Outcome, set_tier
from runbooks.affected_accounts.operations.moves import ReasonMissingError
from runbooks.affected_accounts.operations.selection import CannotChangeAccountsError
from runbooks.affected_accounts.transitions import RANKS
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.operations import now
from tests.affected_accounts.many import affected_of
from tests.factories import make_affected

pytestmark = pytest.mark.django_db


def tier(incident: Incident, user: User, rows: list[AffectedAccount], wanted: Tier, reason: str = "") -> Outcome:
    return set_tier(
        incident_id=incident.pk,
        account_ids=[row.pk for row in rows],
        tier=wanted,
        reason=reason,
        actor=actor_for(user),
        at=now(),
    )


@pytest.mark.parametrize(
    ("wanted", "state"),
    [
        (Tier.A, State.COMPROMISED),
        (Tier.B, State.COMPROMISED),
        (Tier.C, State.TARGETED),
        (Tier.D, State.SUSPECTED),
    ],
)
def test_while_assessing_the_state_follows_the_tier(
    incident: Incident, responder: User, wanted: Tier, state: State
) -> None:
    row = make_affected(incident, state=State.NOT_ASSESSED)
    tier(incident, responder, [row], wanted)
    row.refresh_from_db()
    assert (row.tier, row.state, row.rank) == (wanted, state, RANKS[state])
    assert row.state_changes.get().after == state


@pytest.mark.parametrize(
    ("had", "state", "wanted"),
    [
        (Tier.A, State.COMPROMISED, Tier.B),
        (Tier.A, State.COMPROMISED, Tier.D),
        (Tier.B, State.COMPROMISED, Tier.C),
        (Tier.D, State.SUSPECTED, Tier.C),
        (Tier.A, State.CONTAINED, Tier.B),
    ],
)
def test_lowering_needs_a_reason(incident: Incident, responder: User, had: Tier, state: State, wanted: Tier) -> None:
    row = make_affected(incident, state=state, tier=had)
    with pytest.raises(ReasonMissingError, match=f"Say why {row.login} becomes tier {wanted.value}"):
        tier(incident, responder, [row], wanted)
    tier(incident, responder, [row], wanted, "The log rows were the gateway's own")
    row.refresh_from_db()
    assert row.tier == wanted
    assert "the gateway's own" in TimelineEvent.objects.get(incident=incident).summary


def test_after_containment_only_the_tier_changes(incident: Incident, responder: User) -> None:
    row = make_affected(incident, state=State.HOLDER_REACHED, tier=Tier.B)
    tier(incident, responder, [row], Tier.A)
    row.refresh_from_db()
    assert (row.tier, row.state) == (Tier.A, State.HOLDER_REACHED)
    assert not row.state_changes.exists()


def test_a_contained_account_does_not_become_merely_targeted(incident: Incident, responder: User) -> None:
    row = make_affected(incident, state=State.CONTAINED, tier=Tier.A)
    with pytest.raises(CannotChangeAccountsError, match="make it “Not affected”"):
        tier(incident, responder, [row], Tier.C, "Looked again")


def test_what_was_not_affected_is_taken_up_again_by_a_tier(incident: Incident, responder: User) -> None:
    row = make_affected(incident, state=State.FALSE_POSITIVE)
    with pytest.raises(CannotChangeAccountsError, match="Tier A, B or D takes it up again"):
        tier(incident, responder, [row], Tier.C)
    tier(incident, responder, [row], Tier.A)
    row.refresh_from_db()
    assert row.state == State.COMPROMISED


def test_setting_a_tier_again_changes_nothing_so_it_can_be_repeated(incident: Incident, responder: User) -> None:
    rows = affected_of(incident, 5, state=State.NOT_ASSESSED)
    first = tier(incident, responder, rows, Tier.A)
    second = tier(incident, responder, rows, Tier.A)
    assert (first.changed, second.changed, second.unchanged) == (5, 0, 5)
    assert first.said == "5 accounts set to tier A, had no tier"
    assert TimelineEvent.objects.filter(incident=incident).count() == 6


def test_desk_may_not_and_the_outsider_finds_nothing(incident: Incident, desk: User, outsider: User) -> None:
    row = make_affected(incident)
    for user, refusal in ((desk, NotAllowedError), (outsider, NotFoundError)):
        with pytest.raises(refusal):
            tier(incident, user, [row], Tier.A)
