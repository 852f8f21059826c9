"""What is settled calls nobody any more: requests, stops, failures, the declaration."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, ActionAccount, ActionDecision
from runbooks.actions.operations import Choice, break_glass, cancel_rest, decide, resume, retry_failed, withdraw
from runbooks.actions.operations.deciding import expire
from runbooks.actions.operations.finishing import finish_if_complete, halt
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.containment.operations import claim, start
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.incidents.operations import lock
from runbooks.notifications.models import Escalation, Notification
from runbooks.notifications.operations import acknowledge, announce
from tests.actions.acting import approved, confirmed, drafted, requested
from tests.factories import add_member, make_affected, make_incident, make_step, make_user
from tests.reminders.making import HOUR, MINUTE, move_all, told

pytestmark = pytest.mark.django_db
Status = Escalation.Status
Decided = ActionDecision.Kind


@pytest.fixture
def asker() -> User:
    return make_user(Role.RESPONDER, name="Ash")


@pytest.fixture
def approver() -> User:
    return make_user(name="Bea")


@pytest.fixture
def room(asker: User, approver: User, settings: Any) -> Incident:
    steady = {"throttled": 0, "busy": 0, "slipping": 0, "refused": 0, "lag_seconds": 0}
    settings.CONNECTIONS = {"directory": {"connector": "simulated", **steady}}
    return make_incident(lead=approver, members=(asker,), is_exercise=True)


@pytest.fixture
def accounts(room: Incident) -> list[AffectedAccount]:
    return [make_affected(room, tier="A", state="compromised") for _ in range(2)]


@pytest.fixture
def request_(room: Incident, accounts: list[AffectedAccount], asker: User) -> Action:
    return requested(drafted(room, asker, accounts=accounts), asker)


def chain_of(action: Action, event: str) -> Escalation:
    return Escalation.objects.get(about=f"action:{action.pk}", event=event)


def decided(kind: ActionDecision.Kind) -> Callable[[Action, User, User], object]:
    def do(action: Action, asker: User, approver: User) -> object:
        choice = Choice(kind, action.digest, comment="Not yet")
        at = timezone.now()
        return decide(
            action_id=action.pk, choice=choice, confirmed=confirmed(approver, at), actor=actor_for(approver), at=at
        )

    return do


def broken_in(action: Action, asker: User, approver: User) -> object:
    at = timezone.now()
    return break_glass(
        action_id=action.pk, reason="Nobody is awake", confirmed=confirmed(approver, at), actor=actor_for(approver),
        at=at,
    )  # fmt: skip


def taken_back(action: Action, asker: User, approver: User) -> object:
    return withdraw(action_id=action.pk, actor=actor_for(asker), at=timezone.now())


@pytest.mark.parametrize(
    ("settle", "because"),
    [
        (lambda action, asker, approver: approved(action, approver), "Bea approved"),
        (decided(Decided.REFUSED), "Bea refused"),
        (decided(Decided.CHANGE_ASKED), "Bea asked for a change"),
        (taken_back, "Ash withdrew it"),
        (lambda action, *_: expire(action_id=action.pk, at=timezone.now() + HOUR), "nobody decided in time"),
        (broken_in, "Bea started it without a second person"),
    ],
    ids=["approved", "refused", "change asked", "withdrawn", "expired", "break-glass"],
)
def test_a_request_that_is_settled_calls_nobody_and_what_waits_of_it_is_dropped(
    settle: Any, because: str, request_: Action, asker: User, approver: User
) -> None:
    chain = chain_of(request_, "action.requested")
    assert chain.status == Status.RUNNING
    assert told("action.requested", status="waiting") == ["Bea"]
    settle(request_, asker, approver)
    chain.refresh_from_db()
    said = f"action {request_.number}: {because}"
    assert (chain.status, chain.ended_because) == (Status.WITHDRAWN, said)
    notice = Notification.objects.get(event="action.requested")
    assert (notice.status, notice.reason) == ("dropped", said)
    assert move_all(timezone.now() + 9 * HOUR) == 0


def test_whoever_asked_is_not_called_as_the_second_person_nor_who_may_not_decide(
    room: Incident, accounts: list[AffectedAccount], approver: User, asker: User
) -> None:
    """The lead asked for it: the deputy is called in their place, and no responder."""
    deputy = make_user(name="Dan")
    add_member(room, deputy)
    IncidentRole.objects.create(incident=room, kind="deputy", user=deputy, since=room.declared_at)
    action = requested(drafted(room, approver, accounts=accounts), approver)
    chain = chain_of(action, "action.requested")
    for minutes in (10, 20, 30, 40):
        move_all(chain.started_at + minutes * MINUTE)
    assert set(told(escalation=chain)) == {"Dan"}


def test_where_nobody_else_may_decide_the_chain_says_so(
    room: Incident, accounts: list[AffectedAccount], approver: User
) -> None:
    action = requested(drafted(room, approver, accounts=accounts), approver)
    chain = chain_of(action, "action.requested")
    move_all(chain.started_at + 10 * MINUTE)
    chain.refresh_from_db()
    assert chain.status == Status.EXHAUSTED
    said = room.events.filter(kind="escalation.passed_over").order_by("sequence")[0].summary
    assert said.startswith("Could not call role coordinator: nobody of them may decide on it.")


@pytest.fixture
def paused(request_: Action, approver: User) -> Action:
    approved(request_, approver)
    Action.objects.filter(pk=request_.pk).update(status="running", started_at=timezone.now())
    request_.refresh_from_db()
    with transaction.atomic():
        halt(lock(request_.incident_id), request_, "2 of 2 failed.", timezone.now())
    request_.refresh_from_db()
    return request_


@pytest.mark.parametrize(
    ("settle", "because"), [(resume, "Ash resumed it"), (cancel_rest, "Ash cancelled it")], ids=["resumed", "cancelled"]
)
def test_a_stop_that_is_seen_to_calls_nobody(settle: Any, because: str, paused: Action, asker: User) -> None:
    chain = chain_of(paused, "action.paused")
    settle(action_id=paused.pk, actor=actor_for(asker), at=timezone.now())
    chain.refresh_from_db()
    assert (chain.status, chain.ended_because) == (Status.WITHDRAWN, f"action {paused.number}: {because}")
    assert set(Notification.objects.filter(event="action.paused").values_list("status", flat=True)) == {"dropped"}


def test_an_action_that_failed_for_some_calls_people_until_failures_are_tried_again(
    request_: Action, asker: User, approver: User
) -> None:
    approved(request_, approver)
    Action.objects.filter(pk=request_.pk).update(status="running", started_at=timezone.now())
    rows = list(ActionAccount.objects.filter(action=request_).order_by("pk"))
    for row, status in zip(rows, ("done", "failed"), strict=True):
        ActionAccount.objects.filter(pk=row.pk).update(status=status)
    request_.refresh_from_db()
    with transaction.atomic():
        assert finish_if_complete(lock(request_.incident_id), request_, timezone.now(), lag=None)
    assert told("action.finished") == []
    notice = Notification.objects.filter(event="action.failed")[0]
    assert "1 failed" in notice.body
    chain = chain_of(request_, "action.failed")
    assert chain.status == Status.RUNNING
    retry_failed(action_id=request_.pk, actor=actor_for(asker), at=timezone.now())
    chain.refresh_from_db()
    assert chain.ended_because == f"action {request_.number}: Ash had failures tried again"


# The declaration


def declared(room: Incident) -> Escalation:
    room = Incident.objects.get(pk=room.pk)
    with transaction.atomic():
        said = {"severity": "1, critical", "declared": "now", "lead": "Bea"}
        announce(room, "incident.declared", said, at=timezone.now(), about="incident")
    return Escalation.objects.get(event="incident.declared")


@pytest.mark.parametrize("how", [claim, start])
def test_whoever_takes_the_first_step_answers_the_declaration_and_who_was_not_told_yet_still_is(
    how: Any, room: Incident, asker: User
) -> None:
    step = make_step(room, number="1.2")
    chain = declared(room)
    at = timezone.now()
    notices = Notification.objects.filter(event="incident.declared")
    notices.filter(recipient__name="Bea").update(delivered_at=at, position=0, next_attempt_at=at + 5 * MINUTE)
    how(incident_id=room.pk, key=step.key, actor=actor_for(asker), at=at)
    chain.refresh_from_db()
    assert (chain.status, chain.ended_because) == (Status.ANSWERED, "Ash has step 1.2")
    found = dict(notices.values_list("recipient__name", "status"))
    assert found == {"Ash": "waiting", "Bea": "delivered"}


def test_guessing_of_codes_is_answered_by_an_acknowledgement_alone(room: Incident, asker: User, approver: User) -> None:
    step = make_step(room)
    with transaction.atomic():
        said = {"counted": "60 wrong tries in 10 minutes from 3 networks", "accounts": "j.brown"}
        announce(room, "holder.probed", said, at=timezone.now(), to=[approver])
    chain = Escalation.objects.get(event="holder.probed")
    claim(incident_id=room.pk, key=step.key, actor=actor_for(asker), at=timezone.now())
    chain.refresh_from_db()
    assert chain.status == Status.RUNNING
    notice = Notification.objects.get(escalation=chain)
    acknowledge(notification_id=notice.pk, actor=actor_for(approver), at=timezone.now() + timedelta(seconds=1))
    chain.refresh_from_db()
    assert (chain.status, chain.ended_because) == (Status.ANSWERED, "Bea")
