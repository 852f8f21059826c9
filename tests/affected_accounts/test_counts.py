"""Numbers of an incident's accounts are what a recount of the rows says."""

import random
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE
from runbooks.affected_accounts.models import AffectedAccount, FactKind, State, StateChange
from runbooks.affected_accounts.operations import change_state
from runbooks.affected_accounts.operations.selection import CannotChangeAccountsError
from runbooks.affected_accounts.queries import burn_up, contact_counts, group_counts, ready_counts, state_counts
from runbooks.affected_accounts.queries.counts import BURN_UP_POINTS, BurnUpPoint
from runbooks.affected_accounts.queries.page import AccountFilter, selected_ids
from runbooks.affected_accounts.transitions import GROUPS, TRANSITIONS, following, level, missing_facts
from runbooks.incidents.models import Incident
from tests.affected_accounts.many import affected_of, holding
from tests.factories import make_affected, make_incident

pytestmark = pytest.mark.django_db


def some_of_everything(incident: Incident, size: int = 60) -> None:
    """Rows in all states, with every mixture of facts and attempts."""
    rng = random.Random(7)
    for number in range(size):
        state = list(State)[number % len(State)]
        kinds = [kind for kind in FactKind if rng.random() < 0.7]
        make_affected(
            incident,
            state=state,
            tier="A" if level(state) else "",
            contact_attempts=rng.choice([0, 0, 2]),
            **holding(*kinds, at=incident.declared_at),
        )


def test_counts_equal_a_recount(incident: Incident) -> None:
    some_of_everything(incident)
    some_of_everything(make_incident(), 5)
    rows = list(AffectedAccount.objects.filter(incident=incident))
    assert state_counts(incident.pk) == Counter(State(row.state) for row in rows)
    groups = Counter(GROUPS[State(row.state)] for row in rows)
    counts = group_counts(incident.pk)
    assert {group: getattr(counts, group) for group in groups} == groups
    assert counts.total == len(rows)
    assert counts.compromised == sum(level(row.state) > 0 for row in rows)


def test_ready_means_that_every_fact_of_the_next_state_is_there(incident: Incident) -> None:
    some_of_everything(incident, 160)
    ready = Counter(
        step.after
        for row in AffectedAccount.objects.filter(incident=incident)
        for step in following(row.state)
        if step.is_forward and step.facts and not missing_facts(step, row)
    )
    assert ready
    assert ready_counts(incident.pk) == ready
    for state, accounts in ready.items():
        assert len(selected_ids(incident.pk, AccountFilter(ready=state))) == accounts


def test_contact_counts_are_of_holders_of_compromised_accounts(incident: Incident) -> None:
    some_of_everything(incident)
    rows = [row for row in AffectedAccount.objects.filter(incident=incident) if level(row.state)]
    counts = contact_counts(incident.pk)
    assert counts.holders == len(rows)
    assert counts.reached == sum(row.holder_reached_at is not None for row in rows)
    assert counts.never_tried == sum(not row.contact_attempts and row.holder_reached_at is None for row in rows) > 0
    assert len(selected_ids(incident.pk, AccountFilter(contact="never"))) == counts.never_tried


@given(choices=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(list(State))), max_size=25))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_burn_up_ends_where_a_recount_stands_whatever_happened(
    coordinator: User, choices: list[tuple[int, State]]
) -> None:
    incident = make_incident(lead=coordinator)
    facts = holding(*FactKind, at=incident.declared_at)
    rows = [make_affected(incident, state=State.SUSPECTED, tier="A", **facts) for _ in range(4)]
    for number, (which, after) in enumerate(choices):
        before = AffectedAccount.objects.get(pk=rows[which].pk)
        if (State(before.state), after) not in TRANSITIONS:
            continue
        at = incident.declared_at + timedelta(minutes=number)
        AffectedAccount.objects.filter(pk=before.pk).update(tier="A", **facts)
        change_state(
            incident_id=incident.pk, account_ids=[before.pk], after=after, reason="x", actor=COMMAND_LINE, at=at
        )
    states = list(AffectedAccount.objects.filter(incident=incident).values_list("state", flat=True))
    points = burn_up(incident.pk)
    last = points[-1] if points else BurnUpPoint(incident.declared_at, 0, 0, 0, 0)
    reached = [sum(level(state) >= least for state in states) for least in (1, 2, 3, 4)]
    assert [last.compromised, last.contained, last.reset, last.restored] == reached
    assert [point.at for point in points] == sorted(point.at for point in points)


def test_the_burn_up_stays_short_however_many_changes_there_were(incident: Incident) -> None:
    rows = affected_of(incident, 3000, state=State.COMPROMISED)
    StateChange.objects.bulk_create(
        StateChange(
            incident=incident,
            affected_account=row,
            before="",
            after=State.COMPROMISED,
            changed_by="a test",
            at=incident.declared_at + timedelta(seconds=number),
        )
        for number, row in enumerate(rows)
    )
    with CaptureQueriesContext(connection) as queries:
        points = burn_up(incident.pk)
    assert len(points) <= BURN_UP_POINTS
    assert points[-1] == BurnUpPoint(incident.declared_at + timedelta(seconds=2999), 3000, 0, 0, 0)
    assert len(queries) == 2


def test_without_changes_there_is_nothing_to_draw(incident: Incident) -> None:
    assert burn_up(incident.pk) == []


def test_a_refused_move_leaves_the_counts_alone(incident: Incident) -> None:
    row = make_affected(incident, state=State.COMPROMISED, tier="A")
    with pytest.raises(CannotChangeAccountsError):
        change_state(
            incident_id=incident.pk,
            account_ids=[row.pk],
            after=State.CONTAINED,
            actor=COMMAND_LINE,
            at=incident.declared_at,
        )
    assert state_counts(incident.pk) == {State.COMPROMISED: 1}
