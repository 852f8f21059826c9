"""What is worked out about steps, and at what cost."""

from collections.abc import Callable
from datetime import timedelta
from itertools import cycle, islice
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from runbooks.access.models import User
from runbooks.access.permissions import Actor, actor_for
from runbooks.affected_accounts.models import AffectedAccount, FactKind, State, Tier
from runbooks.affected_accounts.transitions import fact_at
from runbooks.catalog.loader import load
from runbooks.containment.blocking import held_up_by
from runbooks.containment.models import Evidence
from runbooks.containment.operations import NewEvidence, copy_runbook
from runbooks.containment.progress import account_counts
from runbooks.containment.queries import StepState, counts, deadlines, due_steps, late_count, step_states
from runbooks.directory.models import Account
from runbooks.incidents.models import Incident, IncidentRole
from tests.containment.conftest import NOON, RULES
from tests.factories import make_incident, make_step

Do = Callable[..., Any]
NOT_CONCERNED = {State.NOT_ASSESSED, State.TARGETED, State.SUSPECTED, State.FALSE_POSITIVE}
BACK = {State.RESTORED_RESTRICTED, State.RESTORED, State.WATCHED, State.CLOSED}


def add_accounts(incident: Incident, number: int) -> None:
    """Accounts in every state, with every mixture of facts."""
    accounts = Account.objects.bulk_create(
        Account(login=f"a{n}@parliament.example", first_seen_at=NOON, last_seen_at=NOON) for n in range(number)
    )
    rows = []
    for n, (account, state) in enumerate(zip(accounts, islice(cycle(State), number), strict=True)):
        tier = list(Tier)[n % 2] if state == State.COMPROMISED else list(Tier)[n % 4]
        facts = {f"{kind}_at": NOON for bit, kind in enumerate(FactKind.values) if n * 2654435761 >> bit & 1}
        rows.append(
            AffectedAccount(
                incident=incident,
                account=account,
                login=account.login,
                state=state,
                tier=tier,
                added_at=NOON,
                changed_at=NOON,
                **facts,
            )
        )
    AffectedAccount.objects.bulk_create(rows)


def states_by_key(incident: Incident, actor: Actor) -> dict[str, StepState]:
    return {state.line.key: state for state in step_states(incident, actor, NOON)}


@pytest.mark.parametrize("tiers", [[], ["A"], ["A", "B"], ["D"]])
def test_progress_equals_a_recount_of_the_accounts(incident: Incident, tiers: list[str]) -> None:
    add_accounts(incident, 300)
    counted = account_counts(incident.pk)
    concerned = [
        row
        for row in AffectedAccount.objects.filter(incident=incident)
        if row.state not in NOT_CONCERNED and (not tiers or row.tier in tiers)
    ]
    for kind in FactKind:
        holds = [
            row for row in concerned if fact_at(row, kind) or (kind == FactKind.SIGN_IN_DISABLED and row.state in BACK)
        ]
        progress = counted.progress(kind, tiers)
        assert (progress.done, progress.total) == (len(holds), len(concerned))
        assert progress.left == len(concerned) - len(holds)


def test_accounts_of_other_incidents_are_not_counted(incident: Incident, outsider: User) -> None:
    add_accounts(incident, 20)
    assert account_counts(make_incident(lead=outsider).pk).progress("sign_in_disabled", []).total == 0


def test_a_step_no_fact_counts_knows_only_the_accounts_concerned(incident: Incident, responder: User) -> None:
    add_accounts(incident, 32)
    step = make_step(incident, scope="account", counted="Done when the hold is recorded.")
    progress = states_by_key(incident, actor_for(responder))[step.key].progress
    assert progress is not None
    assert progress.done is None
    assert progress.left == 0
    assert progress.total == 24


@pytest.mark.parametrize("accounts", [10, 9000])
def test_the_queries_do_not_grow_with_the_accounts(
    incident: Incident, responder: User, accounts: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    copy_runbook(incident, load("compromised-accounts"), incident.declared_at)
    add_accounts(incident, accounts)
    actor = actor_for(responder)
    with django_assert_num_queries(2):
        assert len(step_states(incident, actor, NOON)) == 40
    with django_assert_num_queries(1):
        counts(incident, actor, NOON)
    with django_assert_num_queries(1):
        due_steps(incident, actor, NOON)


def test_evidence_is_counted_by_rule_and_not_by_piece(do: Do, incident: Incident, responder: User) -> None:
    step = make_step(incident, evidence_required=RULES)
    for note in ("one", "two", "three"):
        do("add_evidence", step, responder, evidence=NewEvidence(Evidence.Kind.NOTE, "receipt", note))
    assert states_by_key(incident, actor_for(responder))[step.key].line.evidence_there == 1


def test_a_step_is_mine_when_i_have_it_or_hold_its_role_and_nobody_has_it(
    incident: Incident, responder: User, desk: User
) -> None:
    IncidentRole.objects.create(incident=incident, kind="forensics", user=responder, since=NOON)
    IncidentRole.objects.create(incident=incident, kind="mail", user=responder, since=NOON, until=NOON)
    owned = make_step(incident, role="desk", owner=responder)
    by_role = make_step(incident, role="forensics")
    make_step(incident, role="forensics", owner=desk)
    make_step(incident, role="mail")
    make_step(incident, role="forensics", status="succeeded", closed_at=NOON)
    mine = {key for key, state in states_by_key(incident, actor_for(responder)).items() if state.is_mine}
    assert mine == {owned.key, by_role.key}


def test_counts_are_those_of_the_states(incident: Incident, responder: User) -> None:
    make_step(incident, status="succeeded", closed_at=NOON, due_at=NOON - timedelta(hours=1))
    make_step(incident, status="skipped", closed_at=NOON, waived_reason="No need")
    late = make_step(incident, due_at=NOON - timedelta(minutes=1), owner=responder)
    make_step(incident, depends_on=[late.key], due_at=NOON + timedelta(minutes=1))
    counted = counts(incident, actor_for(responder), NOON)
    assert (counted.total, counted.closed, counted.open) == (4, 2, 2)
    assert (counted.mine, counted.late, counted.blocked) == (1, 1, 1)
    assert late_count(incident.pk, NOON) == 1


def test_what_needs_me_now_is_what_i_can_work_on_the_most_urgent_first(incident: Incident, responder: User) -> None:
    someday = make_step(incident, owner=responder)
    tomorrow = make_step(incident, owner=responder, due_at=NOON + timedelta(days=1))
    late = make_step(incident, owner=responder, due_at=NOON - timedelta(minutes=5), status="running", started_at=NOON)
    make_step(incident, owner=responder, depends_on=[late.key], due_at=NOON)
    make_step(incident, due_at=NOON + timedelta(minutes=30))
    due = due_steps(incident, actor_for(responder), NOON)
    assert [step.key for step in due.mine] == [late.key, tomorrow.key, someday.key]
    assert [step.is_late for step in due.mine] == [True, False, False]
    assert (due.mine_total, due.late, due.soon) == (3, 1, 1)
    assert len(due_steps(incident, actor_for(responder), NOON, limit=1).mine) == 1


def test_deadlines_say_how_much_of_the_time_is_used(incident: Incident) -> None:
    declared = incident.declared_at
    make_step(incident, deadline_label="Regulator", due_at=declared + timedelta(hours=72))
    make_step(incident, deadline_label="Police", due_at=declared + timedelta(hours=4))
    make_step(
        incident,
        deadline_label="Board",
        due_at=declared + timedelta(hours=1),
        status="succeeded",
        closed_at=declared + timedelta(hours=2),
    )
    make_step(incident, due_at=declared + timedelta(hours=1))
    found = deadlines(incident, declared + timedelta(hours=36))
    assert [deadline.label for deadline in found] == ["Board", "Police", "Regulator"]
    assert [deadline.is_late for deadline in found] == [False, True, False]
    assert [deadline.was_late for deadline in found] == [True, False, False]
    assert [deadline.share for deadline in found] == [100, 100, 50]
    assert [deadline.is_waived for deadline in found] == [False, False, False]


def test_a_step_holds_up_what_cannot_be_completed_before_it(incident: Incident, responder: User) -> None:
    first = make_step(incident, scope="account", fact="data_loss_assessed", status="running", started_at=NOON)
    make_step(incident, key="told", depends_on=[first.key])
    make_step(incident, key="judged", scope="account", depends_on=[first.key])
    make_step(incident, key="over", depends_on=[first.key], status="succeeded", closed_at=NOON)
    states = states_by_key(incident, actor_for(responder))
    lines = [state.line for state in states.values()]
    assert [line.key for line in held_up_by(states[first.key].line, lines)] == ["judged"]
