"""Carrying out: what a ledger holds afterwards, what the timeline says, and what a failure does."""

from typing import Any

import pytest
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations import draft_rollback, retry_failed
from runbooks.affected_accounts.models import AccountFact, AffectedAccount, FactKind
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.verify import verify_chain
from tests.actions.acting import LOCK, Clock, approved, carried_out, done, drafted, previewed, requested, statuses
from tests.factories import add_member, make_affected, make_incident, make_step, make_user

pytestmark = pytest.mark.django_db

STEADY = {"connector": "simulated", "throttled": 0, "busy": 0, "slipping": 0, "refused": 0, "lag_seconds": 0}


@pytest.fixture
def incident(asker: User, approver: User) -> Incident:
    return make_incident(lead=approver, members=(asker,), is_exercise=True)


@pytest.fixture
def accounts(incident: Incident) -> list[AffectedAccount]:
    return [make_affected(incident, tier="A", state="compromised") for _ in range(5)]


@pytest.fixture(autouse=True)
def directory(settings: Any) -> None:
    settings.CONNECTIONS = {"directory": STEADY}


def entries(incident: Incident, kind: str) -> list[TimelineEvent]:
    return list(TimelineEvent.objects.filter(incident=incident, kind=kind).order_by("sequence"))


def test_an_approved_action_is_done_to_every_account_and_read_back(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    action = done(drafted(incident, asker, accounts=accounts), asker, approver)
    assert action.status == Action.Status.DONE
    assert sum(statuses(action).values()) == 5
    for row in action.accounts.all():
        assert row.before is not None
        assert row.sent_at <= row.answered_at <= row.read_back_at
        assert row.verdict == "holds"
        assert row.read_back["locked"] is True
    for account in accounts:
        account.refresh_from_db()
        assert account.sign_in_disabled_at is not None
        fact = AccountFact.objects.get(affected_account=account, kind=FactKind.SIGN_IN_DISABLED)
        assert "read back" in fact.source


def test_the_timeline_tells_of_request_approval_start_each_account_and_end(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    done(drafted(incident, asker, accounts=accounts), asker, approver)
    kinds = list(TimelineEvent.objects.filter(incident=incident).order_by("sequence").values_list("kind", flat=True))
    accounts_said = 5 + 1
    assert kinds == [
        "action.drafted",
        "action.previewed",
        "action.requested",
        "action.approved",
        "action.started",
        *["action.account_changed"] * accounts_said,
        "action.finished",
        "action.verified",
    ]
    changed = entries(incident, "action.account_changed")
    assert {entry.burst for entry in changed} == {changed[0].sequence}
    assert [entry.account_ids for entry in changed[1:]] == [[account.pk] for account in accounts]
    assert verify_chain(incident.pk).broken_at is None


def test_the_most_dangerous_come_first(incident: Incident, asker: User) -> None:
    for number, (tier, is_privileged) in enumerate([("B", False), ("A", False), ("B", True), ("A", True)]):
        account = make_affected(incident, tier=tier, state="compromised", login=f"{number}")
        account.account.is_privileged = is_privileged
        account.account.save()
    action = drafted(incident, asker, accounts=list(AffectedAccount.objects.filter(incident=incident)))
    rows = action.accounts.order_by("position").values_list("affected_account__login", flat=True)
    assert list(rows) == ["3", "1", "2", "0"]


def test_what_passes_is_tried_again_and_what_does_not_is_one_failure(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User, settings: Any
) -> None:
    settings.CONNECTIONS = {"directory": {**STEADY, "busy": 1}}
    action = done(drafted(incident, asker, accounts=accounts), asker, approver)
    assert statuses(action).keys() <= {"done", "already"}
    assert {row.attempts for row in action.accounts.filter(status="done")} == {2}

    settings.CONNECTIONS = {"directory": {**STEADY, "seed": "other", "refused": 1}}
    failing = drafted(incident, asker, accounts=accounts, stop_after_failures=9)
    failing = done(failing, asker, approver)
    assert failing.status == Action.Status.DONE_WITH_FAILURES
    assert statuses(failing) == {"failed": 5}
    assert len(entries(incident, "action.account_failed")) == 5


def test_failures_of_the_last_batch_end_it_because_nothing_is_left_to_stop(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User, settings: Any
) -> None:
    settings.CONNECTIONS = {"directory": {**STEADY, "refused": 1}}
    action = done(drafted(incident, asker, accounts=accounts, stop_after_failures=1), asker, approver)
    assert (action.status, statuses(action)) == (Action.Status.DONE_WITH_FAILURES, {"failed": 5})


def test_too_many_failures_pause_it_and_only_those_are_tried_again(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User, settings: Any
) -> None:
    settings.CONNECTIONS = {"directory": {**STEADY, "refused": 1}}
    action = drafted(incident, asker, accounts=accounts, batch_size=2, stop_after_failures=1)
    action = done(action, asker, approver)
    assert action.status == Action.Status.PAUSED
    assert "2 of 2" in action.paused_because
    assert statuses(action) == {"failed": 2, "waiting": 3}
    settings.CONNECTIONS = {"directory": STEADY}
    retry_failed(action_id=action.pk, actor=actor_for(asker), at=timezone.now())
    action = carried_out(action)
    assert action.status == Action.Status.DONE
    assert sum(statuses(action).values()) == 5


def test_throttling_is_waited_out(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User, settings: Any
) -> None:
    settings.CONNECTIONS = {"directory": {**STEADY, "throttled": 1, "retry_after": 3}}
    clock = Clock()
    action = approved(requested(drafted(incident, asker, accounts=accounts), asker), approver)
    action = carried_out(action, clock)
    assert action.status == Action.Status.DONE
    assert clock.ahead.total_seconds() >= 3


def test_a_success_that_did_not_stick_differs(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User, settings: Any
) -> None:
    settings.CONNECTIONS = {"directory": {**STEADY, "slipping": 1}}
    action = done(drafted(incident, asker, accounts=accounts), asker, approver)
    differing = action.accounts.filter(verdict="differs")
    assert differing.count() == statuses(action)["done"]
    account = differing.first().affected_account
    assert account.differs == [FactKind.SIGN_IN_DISABLED]
    assert account.sign_in_disabled_at is None
    assert len(entries(incident, "action.account_differs")) == differing.count()


def test_rolling_back_puts_back_what_each_account_had(
    incident: Incident, asker: User, approver: User, settings: Any
) -> None:
    accounts = [make_affected(incident, tier="A", state="compromised") for _ in range(200)]
    action = done(drafted(incident, asker, accounts=accounts), asker, approver)
    already = set(action.accounts.filter(status="already").values_list("login", flat=True))
    assert already, "the seed has accounts that were locked before"
    back = draft_rollback(action_id=action.pk, reason="Drill over", actor=actor_for(asker), at=timezone.now())
    back = done(previewed(back), asker, approver)
    assert back.status == Action.Status.DONE
    locked = set(back.accounts.filter(read_back__locked=True).values_list("login", flat=True))
    assert locked == already
    action.refresh_from_db()
    assert action.status == Action.Status.ROLLED_BACK
    assert not ActionAccount.objects.filter(action=action, undone_at__isnull=True).exists()


def test_one_account_alone_can_be_rolled_back(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    action = done(drafted(incident, asker, accounts=accounts), asker, approver)
    row = action.accounts.filter(status="done").first()
    back = draft_rollback(
        action_id=action.pk, reason="Not him", row_ids=[row.pk], actor=actor_for(asker), at=timezone.now()
    )
    back = done(previewed(back), asker, approver)
    assert [one.login for one in back.accounts.all()] == [row.login]
    row.affected_account.refresh_from_db()
    assert row.affected_account.sign_in_disabled_at is None
    action.refresh_from_db()
    assert action.status == Action.Status.DONE


def test_running_it_twice_changes_nothing_more(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    action = done(drafted(incident, asker, LOCK, accounts), asker, approver)
    add_member(incident, make_user())
    head = TimelineEvent.objects.filter(incident=incident).count()
    carried_out(action)
    assert TimelineEvent.objects.filter(incident=incident).count() == head


def test_the_first_read_back_is_evidence_on_the_step(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    step = make_step(incident, key="disable-sign-in")
    action = done(drafted(incident, asker, accounts=accounts, step_key=step.key), asker, approver)
    note = step.evidence.get().note
    assert f"Action {action.number} (sign-in disabled, directory): read back, 5 of 5 accounts as asked" in note
    assert action.digest in note
    action.verify_at = timezone.now()
    action.save()
    carried_out(action)
    assert step.evidence.count() == 1
