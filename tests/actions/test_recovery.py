"""What the next worker does with accounts that a dead one was sending: it reads them back before anything else."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations import begin, settle
from runbooks.actions.operations.drafting import BadActionError
from runbooks.affected_accounts.models import AffectedAccount, FactKind
from runbooks.connectors import configured
from runbooks.connectors.base import AccountRef, ConnectorError
from runbooks.connectors.base import Action as Verb
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.actions.acting import LOCK, approved, carried_out, drafted, requested, statuses
from tests.factories import make_account, make_affected, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]
SESSIONS, CHANGE = Action.Kind.END_SESSIONS, Action.Kind.REQUIRE_PASSWORD_CHANGE


@pytest.fixture
def incident(asker: User, approver: User) -> Incident:
    return make_incident(lead=approver, members=(asker,), is_exercise=True)


@pytest.fixture
def accounts(incident: Incident) -> list[AffectedAccount]:
    """Of names that the simulated directory has not locked by chance."""
    holders = [make_account(login=f"holder{number}@parliament.example") for number in range(3)]
    return [make_affected(incident, holder, tier="A", state="compromised") for holder in holders]


def begun(action: Action, asker: User, approver: User) -> Action:
    """Approved, or started where no second person is needed."""
    if action.needs_approval:
        return approved(requested(action, asker), approver)
    begin(action_id=action.pk, actor=actor_for(asker), at=timezone.now())
    action.refresh_from_db()
    return action


def died_while_sending(action: Action, *, arrived: bool) -> None:
    """A worker stored what was there, sent, and was killed before the answer, or before the request left."""
    connector = configured("directory", world=str(action.incident_id))
    for row in action.accounts.all():
        (state,) = connector.read([AccountRef(row.login, row.external_id, row.mail)])
        facts = {fact.value: reading.value for fact, reading in state.facts.items() if fact != "password_changed_at"}
        row.before, row.before_facts, row.sent_at = dict(state.values), facts, timezone.now()
        row.status, row.attempts = ActionAccount.Status.SENDING, 1
        row.save()
        if arrived:
            connector.act(Verb(action.kind), [state.account], "the dead worker's")
    action.status, action.started_at = Action.Status.RUNNING, timezone.now()
    action.save()


def test_what_arrived_is_found_done_and_not_sent_again(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = begun(drafted(incident, asker, LOCK, accounts), asker, approver)
    died_while_sending(action, arrived=True)
    monkeypatch.setattr("runbooks.connectors.simulated.Simulated.act", _must_not_be_called)
    action = carried_out(action)
    assert statuses(action) == {"done": 3}
    assert {row.before_facts["locked"] for row in action.accounts.all()} == {False}


def _must_not_be_called(*_: Any) -> None:
    raise AssertionError("it was sent again")


def test_what_never_left_is_sent_and_its_first_before_values_stay(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    action = begun(drafted(incident, asker, LOCK, accounts), asker, approver)
    died_while_sending(action, arrived=False)
    action = carried_out(action)
    assert statuses(action) == {"done": 3}
    assert {row.attempts for row in action.accounts.all()} == {2}
    assert {row.before_facts["locked"] for row in action.accounts.all()} == {False}


def test_what_must_not_be_repeated_waits_for_a_person_where_the_system_shows_it_late(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User, steady: dict[str, object]
) -> None:
    steady["lag_seconds"] = 300
    action = begun(drafted(incident, asker, SESSIONS, accounts), asker, approver)
    died_while_sending(action, arrived=False)
    action = carried_out(action)
    assert action.status == Action.Status.DONE_WITH_FAILURES
    assert statuses(action) == {"unknown": 3}
    said = TimelineEvent.objects.filter(incident=incident, kind="action.account_unknown")
    assert said.count() == 3


def test_a_person_settles_what_is_not_known_with_evidence(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User, steady: dict[str, object]
) -> None:
    steady["lag_seconds"] = 300
    action = begun(drafted(incident, asker, SESSIONS, accounts), asker, approver)
    died_while_sending(action, arrived=False)
    action = carried_out(action)
    ids, at, actor = list(action.accounts.values_list("pk", flat=True)), timezone.now(), actor_for(asker)
    with pytest.raises(BadActionError, match="what shows it"):
        settle(action_id=action.pk, row_ids=ids, status="done", evidence=" ", happened_at=at, actor=actor, at=at)
    settle(
        action_id=action.pk, row_ids=ids, status="done", evidence="No session in the list at 10:40",
        happened_at=at, actor=actor, at=at,
    )  # fmt: skip
    assert statuses(action) == {"done": 3}
    for account in accounts:
        account.refresh_from_db()
        assert account.sessions_revoked_at == at
        assert account.facts.get(kind=FactKind.SESSIONS_REVOKED).source == f"{asker}, by hand"


def test_a_holder_who_changed_the_password_meanwhile_is_not_asked_again(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = begun(drafted(incident, asker, CHANGE, accounts), asker, approver)
    died_while_sending(action, arrived=False)
    monkeypatch.setattr("runbooks.connectors.simulated.EPOCH", timezone.now() + timedelta(days=1000))
    monkeypatch.setattr("runbooks.connectors.simulated.Simulated.act", _must_not_be_called)
    action = carried_out(action)
    assert statuses(action) == {"done": 3}


def test_a_refusal_for_good_pauses_it_with_nobody_touched(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = begun(drafted(incident, asker, LOCK, accounts), asker, approver)

    def refuse(*_: Any) -> None:
        raise ConnectorError("The portal's account may not write.", permanent=True)

    monkeypatch.setattr("runbooks.connectors.simulated.Simulated.act", refuse)
    action = carried_out(action)
    assert action.status == Action.Status.PAUSED
    assert "may not write" in action.paused_because
    assert statuses(action) == {"waiting": 3}


@contextmanager
def other_session() -> Iterator[psycopg.Connection[Any]]:
    entry = connection.settings_dict
    with psycopg.connect(
        host=entry["HOST"], port=entry["PORT"], user=entry["USER"], password=entry["PASSWORD"], dbname=entry["NAME"],
        autocommit=True,
    ) as session:  # fmt: skip
        yield session


def test_a_second_worker_keeps_its_hands_off(
    incident: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    action = begun(drafted(incident, asker, LOCK, accounts), asker, approver)
    with other_session() as session:
        session.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [str(action.pk)])
        action = carried_out(action)
        assert statuses(action) == {"waiting": 3}
        session.execute("SELECT pg_advisory_unlock_all()")
    action = carried_out(action)
    assert action.status == Action.Status.DONE
