"""The table of transitions, over every pair of states."""

from datetime import timedelta
from itertools import pairwise

import pytest

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount, FactKind, State, StateChange, Tier
from runbooks.affected_accounts.operations import change_state
from runbooks.affected_accounts.operations.moves import ReasonMissingError
from runbooks.affected_accounts.operations.selection import CannotChangeAccountsError
from runbooks.affected_accounts.transitions import (
    COMPROMISED_STATES,
    CONTAINMENT,
    GROUPS,
    RANKS,
    STALE_AFTER_REOPENING,
    TABLE,
    TRANSITIONS,
    WAY,
    fact_column,
    following,
    level,
)
from runbooks.incidents.models import Incident
from runbooks.timeline.operations import now
from tests.affected_accounts.many import holding
from tests.factories import make_affected


def row_in(incident: Incident, state: State, *kinds: FactKind) -> AffectedAccount:
    at = incident.declared_at + timedelta(minutes=30)
    return make_affected(incident, state=state, rank=RANKS[state], tier=Tier.A, **holding(*kinds, at=at))


def move(incident: Incident, user: User, row: AffectedAccount, after: State, reason: str = "Checked twice") -> None:
    change_state(
        incident_id=incident.pk, account_ids=[row.pk], after=after, reason=reason, actor=actor_for(user), at=now()
    )


@pytest.mark.parametrize("before", list(State))
def test_a_state_follows_only_where_the_table_says_so(incident: Incident, coordinator: User, before: State) -> None:
    for after in set(State) - {before}:
        row = row_in(incident, before, *FactKind)
        if (before, after) in TRANSITIONS:
            move(incident, coordinator, row, after)
            row.refresh_from_db()
            assert (row.state, row.rank) == (after, RANKS[after])
            assert StateChange.objects.filter(affected_account=row, before=before, after=after).count() == 1
        else:
            with pytest.raises(CannotChangeAccountsError, match="the state can become"):
                move(incident, coordinator, row, after)
            row.refresh_from_db()
            assert row.state == before


@pytest.mark.parametrize("before", sorted({step.before for step in TABLE if step.facts}))
def test_each_fact_of_a_guard_is_needed(incident: Incident, coordinator: User, before: State) -> None:
    for step in following(before):
        for lacking in step.facts:
            row = row_in(incident, before, *(kind for kind in FactKind if kind != lacking))
            with pytest.raises(CannotChangeAccountsError, match=lacking.label.lower()):
                move(incident, coordinator, row, step.after)


@pytest.mark.parametrize("before", list(State))
def test_what_takes_something_back_needs_a_reason(incident: Incident, coordinator: User, before: State) -> None:
    for step in following(before):
        row = row_in(incident, before, *FactKind)
        if step.needs_reason:
            with pytest.raises(ReasonMissingError, match="Say why"):
                move(incident, coordinator, row, step.after, reason="  ")
        else:
            move(incident, coordinator, row, step.after, reason="")
            row.refresh_from_db()
            assert row.state == step.after


def test_every_state_has_a_mark_a_rank_and_a_way_on() -> None:
    assert set(GROUPS) == set(RANKS) == set(State)
    assert len(set(RANKS.values())) == len(State)
    for state in State:
        assert following(state), f"nothing follows {state}"


def test_any_state_can_turn_out_not_affected_and_only_with_a_second_person() -> None:
    for state in State:
        if state != State.FALSE_POSITIVE:
            step = TRANSITIONS[state, State.FALSE_POSITIVE]
            assert step.needs_reason
            assert step.needs_second_person


def test_no_way_leads_around_containment() -> None:
    """Whatever path is taken, an account that was confirmed passes the four facts before it is given back."""
    guarded = {(step.before, step.after) for step in TABLE if set(step.facts) >= set(CONTAINMENT)}
    reached, edge = {State.COMPROMISED}, [State.COMPROMISED]
    while edge:
        state = edge.pop()
        for step in following(state):
            if (step.before, step.after) not in guarded and step.after not in reached:
                reached.add(step.after)
                edge.append(step.after)
    assert reached == {State.COMPROMISED, State.SUSPECTED, State.TARGETED, State.FALSE_POSITIVE}


def test_no_way_leads_around_the_holder_or_two_step_sign_in() -> None:
    """Restored takes all of: holder reached, holder confirmed, data loss assessed, two-step sign-in."""
    gates = {FactKind.HOLDER_REACHED, FactKind.HOLDER_CONFIRMED, FactKind.DATA_LOSS_ASSESSED, FactKind.MFA_BOUND}
    for gate in gates:
        reached, edge = {State.CONTAINED}, [State.CONTAINED]
        while edge:
            for step in following(edge.pop()):
                if gate not in step.facts and step.after not in reached:
                    reached.add(step.after)
                    edge.append(step.after)
        assert State.RESTORED not in reached, gate


def test_forward_steps_follow_the_way_one_by_one() -> None:
    forward = [(step.before, step.after) for step in TABLE if step.is_forward]
    assert sorted(forward) == sorted(pairwise(WAY))


def test_levels_rise_along_the_way() -> None:
    levels = [level(state) for state in WAY]
    assert levels == sorted(levels)
    assert {level(state) for state in COMPROMISED_STATES} == {1, 2, 3, 4}


def test_reopening_drops_what_was_found_before_and_keeps_its_history(incident: Incident, responder: User) -> None:
    row = row_in(incident, State.RESTORED, *FactKind)
    change_state(
        incident_id=incident.pk,
        account_ids=[row.pk],
        after=State.COMPROMISED,
        reason="Sign-in from the attacker's network at 14:02",
        actor=actor_for(responder),
        at=now(),
    )
    row.refresh_from_db()
    assert all(getattr(row, fact_column(kind)) is None for kind in STALE_AFTER_REOPENING)
    assert row.sign_in_disabled_at is not None
    assert row.contained_at is None
    assert set(row.facts.filter(holds=False).values_list("kind", flat=True)) == set(STALE_AFTER_REOPENING)
    with pytest.raises(CannotChangeAccountsError, match="sessions revoked, password changed, mailbox rules checked"):
        change_state(
            incident_id=incident.pk,
            account_ids=[row.pk],
            after=State.CONTAINED,
            actor=actor_for(responder),
            at=now(),
        )
