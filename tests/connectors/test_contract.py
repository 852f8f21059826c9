"""What holds for every connector of the registry."""

import json

import pytest

from runbooks.catalog.definition import AUTOMATIONS
from runbooks.connectors.base import Action, ConnectorError, Fact, Outcome
from tests.connectors.stages import Stage, refs


def declared(stage: Stage) -> list[Action]:
    return sorted(stage.connector.capabilities.actions - {Action.READ_STATE})


def test_every_action_is_one_a_runbook_can_name() -> None:
    assert {action.value for action in Action} <= set(AUTOMATIONS)


def test_it_declares_something_that_can_be_done(stage: Stage) -> None:
    capabilities = stage.connector.capabilities
    assert Action.READ_STATE in capabilities.actions
    assert len(capabilities.actions) > 1
    assert capabilities.batch_size >= len(stage.accounts)
    assert capabilities.rate_per_second > 0
    assert capabilities.lag_seconds >= 0


def test_what_undoes_an_action_is_declared_too(stage: Stage) -> None:
    capabilities = stage.connector.capabilities
    assert set(capabilities.undone_by) | set(capabilities.undone_by.values()) <= capabilities.actions


def test_it_refuses_an_action_it_did_not_declare_for_good(stage: Stage) -> None:
    for action in set(Action) - stage.connector.capabilities.actions:
        with pytest.raises(ConnectorError, match="cannot") as refused:
            stage.connector.act(action, stage.accounts, "k1")
        assert refused.value.permanent


def test_it_refuses_a_batch_that_is_too_large(stage: Stage) -> None:
    many = refs(*(f"person.{number}" for number in range(stage.connector.capabilities.batch_size + 1)))
    with pytest.raises(ConnectorError, match="too many"):
        stage.connector.act(declared(stage)[0], many, "k1")


def test_it_refuses_an_account_that_is_in_a_batch_twice(stage: Stage) -> None:
    with pytest.raises(ConnectorError, match="twice"):
        stage.connector.act(declared(stage)[0], [stage.accounts[0]] * 2, "k1")


def test_it_answers_one_result_an_account_in_the_order_asked(stage: Stage) -> None:
    backwards = stage.accounts[::-1]
    for action in stage.connector.capabilities.actions:
        results = stage.connector.act(action, backwards, f"k-{action}")
        assert [result.account for result in results] == backwards
        assert {result.outcome for result in results} <= {Outcome.OK, Outcome.ALREADY, Outcome.PENDING}


def test_it_reads_one_state_an_account_in_the_order_asked(stage: Stage) -> None:
    backwards = stage.accounts[::-1]
    assert [state.account for state in stage.connector.read(backwards)] == backwards


def test_nobody_is_nobody(stage: Stage) -> None:
    assert stage.connector.read([]) == []
    assert stage.connector.act(declared(stage)[0], [], "k1") == []


def test_it_reads_no_fact_it_did_not_declare(stage: Stage) -> None:
    for state in stage.connector.read(stage.accounts):
        assert set(state.facts) <= stage.connector.capabilities.facts
        assert state.facts or state.problem or not stage.connector.capabilities.facts
        for fact, reading in state.facts.items():
            assert reading.source
            assert reading.read_at.tzinfo
            assert reading.value is None or isinstance(reading.value, bool) != fact.endswith("_at")


def test_acting_twice_changes_no_more_than_acting_once(stage: Stage) -> None:
    for action in declared(stage):
        stage.connector.act(action, stage.accounts, f"k-{action}")
        stage.settle()
        once = stage.connector.read(stage.accounts)
        again = stage.connector.act(action, stage.accounts, f"k-{action}")
        stage.settle()
        assert {result.outcome for result in again} <= {Outcome.ALREADY, Outcome.PENDING}
        assert [state.values for state in stage.connector.read(stage.accounts)] == [state.values for state in once]


def test_the_before_values_put_every_account_back(stage: Stage) -> None:
    capabilities = stage.connector.capabilities
    for action, undoing in sorted(capabilities.undone_by.items()):
        before = stage.connector.read(stage.accounts)
        kept = json.loads(json.dumps({state.account.login: state.values for state in before}))
        stage.connector.act(action, stage.accounts, f"do-{action}")
        stage.settle()
        undone = stage.connector.act(undoing, stage.accounts, f"undo-{action}", kept)
        stage.settle()
        assert Outcome.FAILED not in {result.outcome for result in undone}
        assert [state.values for state in stage.connector.read(stage.accounts)] == [state.values for state in before]


def test_an_account_without_before_values_is_not_put_back(stage: Stage) -> None:
    for undoing in stage.connector.capabilities.undone_by.values():
        results = stage.connector.act(undoing, stage.accounts, "k1", {})
        assert {result.outcome for result in results} == {Outcome.FAILED}
        assert all(result.permanent and "before-values" in result.message for result in results)


def test_reading_by_way_of_an_action_changes_nothing(stage: Stage) -> None:
    before = stage.connector.read(stage.accounts)
    stage.connector.act(Action.READ_STATE, stage.accounts, "k1")
    stage.settle()
    assert [state.values for state in stage.connector.read(stage.accounts)] == [state.values for state in before]


def test_its_self_test_has_sentences(stage: Stage) -> None:
    findings = stage.connector.self_test()
    assert findings
    for finding in findings:
        assert finding.what.endswith(".")
        assert not finding.mend or finding.mend.endswith(".")


def test_it_can_be_closed_and_used_again(stage: Stage) -> None:
    stage.connector.close()
    assert len(stage.connector.read(stage.accounts)) == len(stage.accounts)
    stage.connector.close()


def test_every_fact_that_is_a_time_says_so_in_its_name() -> None:
    assert {fact for fact in Fact if fact.endswith("_at")} == {Fact.PASSWORD_CHANGED_AT, Fact.SESSIONS_ENDED_AT}
