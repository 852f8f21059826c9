"""Locking, ending sessions and requiring a new password in a Microsoft Entra tenant."""

from datetime import UTC, datetime
from typing import Any

import pytest

from runbooks.connectors.base import AccountRef, Action, Fact, Outcome
from runbooks.connectors.entra_id.connector import SYNCHRONISED
from tests.connectors.entra import ANNA, MARA, OLAF, outcomes
from tests.connectors.graph import Graph
from tests.connectors.graph_tenant import Fault, Reply, error, user
from tests.connectors.stages import refs


def test_a_locked_account_is_disabled_by_a_request_that_says_nothing_else(graph: Graph, cloud: Any) -> None:
    (result,) = cloud().act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")
    assert (result.outcome, result.before) == (Outcome.OK, {"accountEnabled": ["true"]})
    assert graph.tenant.true(ANNA)["accountEnabled"] is False
    assert [one.body for one in graph.writes()] == [{"accountEnabled": False}]


def test_locking_and_requiring_a_new_password_are_two_requests_in_the_order_asked(graph: Graph, cloud: Any) -> None:
    connector = cloud()
    connector.act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")
    connector.act(Action.REQUIRE_PASSWORD_CHANGE, refs(ANNA), "k2")
    assert [one.body for one in graph.writes()] == [
        {"accountEnabled": False},
        {"passwordProfile": {"forceChangePasswordNextSignIn": True}},
    ]
    assert graph.tenant.true(ANNA)["accountEnabled"] is False


def test_both_in_one_request_would_have_left_the_account_enabled(graph: Graph) -> None:
    body = {"accountEnabled": False, "passwordProfile": {"forceChangePasswordNextSignIn": True}}
    assert graph.tenant.answer("PATCH", f"/users/{ANNA}", {}, body).status == 403
    assert graph.tenant.true(ANNA)["accountEnabled"] is True


def test_a_new_password_is_never_sent(graph: Graph, cloud: Any) -> None:
    connector = cloud()
    for action in sorted(connector.capabilities.actions):
        connector.act(action, refs(ANNA, OLAF), f"k-{action}")
    assert not [one for one in graph.writes() if "'password'" in str(one.body)]
    assert graph.writes()


def test_an_account_that_was_disabled_before_stays_so_when_the_lock_is_undone(graph: Graph, cloud: Any) -> None:
    graph.tenant.change(OLAF, accountEnabled=False)
    connector = cloud()
    results = connector.act(Action.LOCK_ACCOUNT, refs(ANNA, OLAF), "k1")
    assert outcomes(results) == [Outcome.OK, Outcome.ALREADY]
    kept = {result.account.login: result.before for result in results}
    connector.act(Action.UNLOCK_ACCOUNT, refs(ANNA, OLAF), "k2", kept)
    assert [graph.tenant.true(upn)["accountEnabled"] for upn in (ANNA, OLAF)] == [True, False]


def test_an_unlock_is_not_left_out_because_a_read_does_not_show_the_lock_yet(graph: Graph, cloud: Any) -> None:
    graph.tenant.lag_seconds = 60
    connector = cloud()
    connector.act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")
    assert connector.read(refs(ANNA))[0].facts[Fact.LOCKED].value is False
    connector.act(Action.UNLOCK_ACCOUNT, refs(ANNA), "k2")
    assert graph.tenant.true(ANNA)["accountEnabled"] is True


def test_a_lock_that_did_not_stick_is_made_again_by_the_same_request_once_a_read_shows_it(
    graph: Graph, cloud: Any
) -> None:
    connector = cloud(lag_seconds=60)
    connector.act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")
    graph.tenant.change(ANNA, accountEnabled=True)
    graph.tenant.clock.wait(61)
    assert outcomes(connector.act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")) == [Outcome.OK]
    assert graph.tenant.true(ANNA)["accountEnabled"] is False


def test_facts_come_with_their_times_and_sources(graph: Graph, cloud: Any) -> None:
    graph.tenant.change(ANNA, accountEnabled=False, signInSessionsValidFromDateTime=None)
    facts = cloud().read(refs(ANNA))[0].facts
    assert facts[Fact.LOCKED].value is True
    assert facts[Fact.LOCKED].source == "cloud: accountEnabled"
    assert facts[Fact.LOCKED].read_at == graph.tenant.clock()
    assert facts[Fact.PASSWORD_CHANGED_AT].value == datetime(2016, 11, 2, 10, 30, tzinfo=UTC)
    assert facts[Fact.SESSIONS_ENDED_AT].value is None
    assert facts[Fact.MUST_CHANGE_PASSWORD].value is False


def test_ended_sessions_are_read_back_by_their_time(graph: Graph, cloud: Any) -> None:
    connector = cloud()
    connector.act(Action.END_SESSIONS, refs(ANNA), "k1")
    assert connector.read(refs(ANNA))[0].facts[Fact.SESSIONS_ENDED_AT].value == graph.tenant.clock()


def test_sessions_are_ended_once_by_one_request_and_again_by_another(graph: Graph, cloud: Any) -> None:
    connector = cloud(lag_seconds=1)
    for _ in range(2):
        connector.act(Action.END_SESSIONS, refs(ANNA), "k1")
        graph.tenant.clock.wait(3600)
    assert len(graph.of("POST", "revokeSignInSessions")) == 1
    assert outcomes(connector.act(Action.END_SESSIONS, refs(ANNA), "k2")) == [Outcome.OK]
    assert len(graph.of("POST", "revokeSignInSessions")) == 2


def test_sessions_that_were_not_ended_after_all_are_ended_by_the_same_request_later(graph: Graph, cloud: Any) -> None:
    graph.tenant.faults.append(Fault("POST", "revokeSignInSessions", Reply(200, {"value": True}), times=1))
    connector = cloud(lag_seconds=60)
    connector.act(Action.END_SESSIONS, refs(ANNA), "k1")
    graph.tenant.clock.wait(61)
    assert outcomes(connector.act(Action.END_SESSIONS, refs(ANNA), "k1")) == [Outcome.OK]
    assert connector.read(refs(ANNA))[0].facts[Fact.SESSIONS_ENDED_AT].value == graph.tenant.clock()


def test_the_sessions_of_a_guest_are_not_said_to_be_ended(graph: Graph, cloud: Any) -> None:
    guest = "eva.lund_example.org#EXT#@parliament.example"
    graph.tenant.add(user(guest, userType="Guest"))
    (result,) = cloud().act(Action.END_SESSIONS, refs(guest), "k1")
    assert (result.outcome, result.permanent) == (Outcome.FAILED, True)
    assert "guest" in result.message
    assert not graph.writes()


def test_a_guest_can_be_locked(graph: Graph, cloud: Any) -> None:
    guest = "eva.lund_example.org#EXT#@parliament.example"
    graph.tenant.add(user(guest, userType="Guest"))
    assert outcomes(cloud().act(Action.LOCK_ACCOUNT, refs(guest), "k1")) == [Outcome.OK]
    assert graph.tenant.true(guest)["accountEnabled"] is False


def test_an_administrator_is_refused_with_what_to_grant_and_the_others_are_not(graph: Graph, cloud: Any) -> None:
    graph.tenant.change(OLAF, isAdministrator=True)
    results = cloud().act(Action.LOCK_ACCOUNT, refs(ANNA, OLAF, MARA), "k1")
    assert outcomes(results) == [Outcome.OK, Outcome.FAILED, Outcome.OK]
    assert results[1].permanent
    assert "User.EnableDisableAccount.All" in results[1].message
    assert "Privileged Authentication Administrator" in results[1].message


def test_without_its_permission_a_new_password_is_refused_and_a_lock_is_not(graph: Graph, cloud: Any) -> None:
    graph.tenant.roles -= {"User-PasswordProfile.ReadWrite.All"}
    connector = cloud()
    (refused,) = connector.act(Action.REQUIRE_PASSWORD_CHANGE, refs(ANNA), "k1")
    assert refused.permanent
    assert "Grant User-PasswordProfile.ReadWrite.All" in refused.message
    assert outcomes(connector.act(Action.LOCK_ACCOUNT, refs(ANNA), "k2")) == [Outcome.OK]
    assert Fact.MUST_CHANGE_PASSWORD not in connector.read(refs(ANNA))[0].facts


def test_without_the_right_to_read_an_account_fails_for_good(graph: Graph, cloud: Any) -> None:
    graph.tenant.roles -= {"User.Read.All"}
    (result,) = cloud().act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")
    assert result.permanent
    assert "Grant User.Read.All" in result.message


def test_an_account_from_a_directory_on_premises_is_locked_with_a_word_of_warning(graph: Graph, cloud: Any) -> None:
    graph.tenant.change(ANNA, onPremisesSyncEnabled=True)
    (result,) = cloud().act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")
    assert (result.outcome, result.message) == (Outcome.OK, SYNCHRONISED)


def test_an_account_that_is_not_there_fails_and_the_others_do_not(graph: Graph, cloud: Any) -> None:
    results = cloud().act(Action.LOCK_ACCOUNT, refs(ANNA, "no.body@parliament.example", MARA), "k1")
    assert outcomes(results) == [Outcome.OK, Outcome.FAILED, Outcome.OK]
    assert results[1].message == "No account of the tenant is no.body@parliament.example."
    assert results[1].permanent


def test_an_account_deleted_between_the_read_and_the_write_fails_for_good(graph: Graph, cloud: Any) -> None:
    gone = error(404, "Request_ResourceNotFound", "It does not exist.")
    graph.tenant.faults.append(Fault("PATCH", graph.tenant.id_of(ANNA), gone))
    (result,) = cloud().act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")
    assert (result.permanent, result.message) == (True, "The account is no longer in the tenant.")


@pytest.mark.parametrize("login", ["delta", "$count", "$anna@x.example", "../groups", "a/b@x.example", "a?b@x", ""])
def test_a_login_that_is_no_user_principal_name_is_never_sent(graph: Graph, cloud: Any, login: str) -> None:
    (state,) = cloud().read([AccountRef(login)])
    assert "not a user principal name" in state.problem
    assert not [one for one in graph.of("GET") if one.path.startswith("/users")]


def test_a_login_without_a_domain_gets_the_one_of_the_settings(graph: Graph, cloud: Any) -> None:
    assert outcomes(cloud(domain="parliament.example").act(Action.LOCK_ACCOUNT, refs("anna.berg"), "k1")) == [
        Outcome.OK
    ]
    assert graph.tenant.true(ANNA)["accountEnabled"] is False


def test_accounts_can_be_found_by_their_object_id(graph: Graph, cloud: Any) -> None:
    connector = cloud(find_by="external_id")
    renamed = AccountRef("renamed.since", external_id=graph.tenant.id_of(ANNA).upper())
    assert outcomes(connector.act(Action.LOCK_ACCOUNT, [renamed], "k1")) == [Outcome.OK]
    assert graph.tenant.true(ANNA)["accountEnabled"] is False
    (state,) = connector.read([AccountRef(ANNA, external_id="E-17")])
    assert state.problem == "The external id E-17 is not an object id of Entra."


def test_many_accounts_are_read_twenty_at_a_time_and_answered_in_order(graph: Graph, cloud: Any) -> None:
    more = [f"person.{number}@parliament.example" for number in range(45)]
    for upn in more:
        graph.tenant.add(user(upn))
    states = cloud().read(refs(*more))
    assert [state.account.login for state in states] == more
    assert not any(state.problem for state in states)
    sizes = [len(one.body["requests"]) for one in graph.of("POST", "$batch")]
    assert sizes == [20, 20, 5]
