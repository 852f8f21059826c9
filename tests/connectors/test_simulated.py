import ast
import inspect
from typing import Any

import pytest

from runbooks.connectors import configured
from runbooks.connectors import simulated as module
from runbooks.connectors.base import Action, ActionResult, ConnectorError, Fact, Outcome
from runbooks.connectors.options import MisconfiguredError
from tests.connectors.stages import refs, simulated

PEOPLE = refs(*(f"person.{number}" for number in range(200)))
ANNA = refs("anna.berg")


def outcomes(results: list[ActionResult]) -> list[Outcome]:
    return [result.outcome for result in results]


def test_a_change_shows_after_the_lag_and_not_before() -> None:
    connector, clock = simulated(lag_seconds=5)
    connector.act(Action.LOCK_ACCOUNT, ANNA, "k1")
    clock.wait(4.9)
    assert connector.read(ANNA)[0].facts[Fact.LOCKED].value is False
    clock.wait(0.1)
    assert connector.read(ANNA)[0].facts[Fact.LOCKED].value is True


def test_a_throttled_batch_changes_nothing_says_when_to_come_back_and_then_passes() -> None:
    connector, clock = simulated(throttled=1, retry_after=3)
    with pytest.raises(ConnectorError, match="Too many") as throttled:
        connector.act(Action.LOCK_ACCOUNT, ANNA, "k1")
    assert not throttled.value.permanent
    assert throttled.value.retry_after == 3
    clock.wait(60)
    assert connector.read(ANNA)[0].facts[Fact.LOCKED].value is False
    assert outcomes(connector.act(Action.LOCK_ACCOUNT, ANNA, "k1")) == [Outcome.OK]


def test_a_batch_fails_in_part_and_its_failures_pass_at_the_next_try() -> None:
    connector, _ = simulated(busy=0.3, retry_after=2)
    results = connector.act(Action.END_SESSIONS, PEOPLE, "k1")
    failed = [result for result in results if result.outcome is Outcome.FAILED]
    assert 30 < len(failed) < 90
    assert all(not result.permanent and result.retry_after == 2 for result in failed)
    again = connector.act(Action.END_SESSIONS, [result.account for result in failed], "k1")
    assert set(outcomes(again)) == {Outcome.OK}


def test_a_success_that_did_not_stick_never_shows_until_it_is_done_again() -> None:
    connector, clock = simulated(slipping=1)
    assert outcomes(connector.act(Action.LOCK_ACCOUNT, ANNA, "k1")) == [Outcome.OK]
    clock.wait(3600)
    assert connector.read(ANNA)[0].facts[Fact.LOCKED].value is False
    assert outcomes(connector.act(Action.LOCK_ACCOUNT, ANNA, "k2")) == [Outcome.OK]
    clock.wait(5)
    assert connector.read(ANNA)[0].facts[Fact.LOCKED].value is True


def test_a_refused_account_is_refused_every_time() -> None:
    connector, _ = simulated(refused=1)
    for key in ("k1", "k2"):
        (result,) = connector.act(Action.LOCK_ACCOUNT, ANNA, key)
        assert result.outcome is Outcome.FAILED
        assert result.permanent
        assert "Ask its owner" in result.message


def test_one_seed_is_one_story_and_another_seed_another() -> None:
    weather = {"busy": 0.2, "slipping": 0.1, "refused": 0.05}
    told = outcomes(simulated("one", **weather)[0].act(Action.LOCK_ACCOUNT, PEOPLE, "k1"))
    module.cache.clear()
    assert outcomes(simulated("one", **weather)[0].act(Action.LOCK_ACCOUNT, PEOPLE, "k1")) == told
    assert outcomes(simulated("two", **weather)[0].act(Action.LOCK_ACCOUNT, PEOPLE, "k1")) != told


def test_another_worker_finds_what_this_one_did() -> None:
    simulated()[0].act(Action.RESTRICT_REMOTE_ACCESS, ANNA, "k1")
    other, clock = simulated()
    clock.wait(5)
    assert other.read(ANNA)[0].facts[Fact.REMOTE_ACCESS].value is False


def test_some_accounts_were_locked_before_anybody_acted() -> None:
    locked = [state.facts[Fact.LOCKED].value for state in simulated()[0].read(refs(*map(str, range(1000))))]
    assert 5 < locked.count(True) < 30


def test_ending_sessions_again_for_another_reason_ends_them_again() -> None:
    connector, clock = simulated()
    assert outcomes(connector.act(Action.END_SESSIONS, ANNA, "k1")) == [Outcome.OK]
    clock.wait(10)
    assert outcomes(connector.act(Action.END_SESSIONS, ANNA, "k1")) == [Outcome.ALREADY]
    assert outcomes(connector.act(Action.END_SESSIONS, ANNA, "k2")) == [Outcome.OK]


def test_a_holder_who_changes_the_password_is_seen_at_once_and_what_was_done_before_stays() -> None:
    connector, clock = simulated()
    connector.act(Action.LOCK_ACCOUNT, ANNA, "k1")
    clock.wait(60)
    connector.change_password(ANNA[0], clock())
    facts = connector.read(ANNA)[0].facts
    assert facts[Fact.PASSWORD_CHANGED_AT].value == clock()
    assert facts[Fact.LOCKED].value is True


def test_it_has_nothing_to_reach_a_real_system_with() -> None:
    imported = {
        name
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }
    assert imported == {
        "collections.abc",
        "dataclasses",
        "datetime",
        "hashlib",
        "typing",
        "django.core.cache",
        "runbooks.connectors.base",
        "runbooks.connectors.options",
    }


def test_it_takes_no_address(settings: Any) -> None:
    settings.CONNECTIONS = {"exercise": {"connector": "simulated", "url": "ldaps://directory.example"}}
    with pytest.raises(MisconfiguredError, match="nobody reads: url"):
        configured("exercise")
