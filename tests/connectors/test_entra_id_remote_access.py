"""Remote access in a Microsoft Entra tenant: by one group, or by one conditional access policy."""

from typing import Any

import pytest
from django.core.cache import cache
from redis.exceptions import ConnectionError as CacheIsGone

from runbooks.connectors.base import Action, ConnectorError, Fact, Outcome
from tests.connectors.entra import ANNA, MARA, OLAF, PEOPLE, by_group, by_policy, outcomes
from tests.connectors.graph import Graph
from tests.connectors.graph_tenant import Fault, Reply, error, too_many, user
from tests.connectors.stages import refs

RESTRICT, RESTORE = Action.RESTRICT_REMOTE_ACCESS, Action.RESTORE_REMOTE_ACCESS


def ids(graph: Graph, *upns: str) -> list[str]:
    return [graph.tenant.id_of(upn) for upn in upns]


def has_access(connector: Any, *upns: str) -> list[Any]:
    return [state.facts[Fact.REMOTE_ACCESS].value for state in connector.read(refs(*upns))]


# A group


def test_restricting_takes_the_member_out_by_its_reference_alone(graph: Graph, cloud: Any) -> None:
    connector, group = cloud(**by_group(graph)), graph.tenant.group_id
    (result,) = connector.act(RESTRICT, refs(ANNA), "k1")
    assert (result.outcome, result.before) == (Outcome.OK, {group: ids(graph, ANNA)})
    assert graph.tenant.members.true == ids(graph, OLAF, MARA)
    assert [one.path for one in graph.of("DELETE")] == [f"/groups/{group}/members/{graph.tenant.id_of(ANNA)}/$ref"]
    assert has_access(connector, ANNA, OLAF) == [False, True]


def test_who_was_no_member_before_is_none_after_the_restoration(graph: Graph, cloud: Any) -> None:
    graph.tenant.members.write(ids(graph, ANNA), graph.tenant.clock())
    connector = cloud(**by_group(graph))
    kept = {state.account.login: state.values for state in connector.read(refs(ANNA, OLAF))}
    assert outcomes(connector.act(RESTRICT, refs(ANNA, OLAF), "k1")) == [Outcome.OK, Outcome.ALREADY]
    assert outcomes(connector.act(RESTORE, refs(ANNA, OLAF), "k2", kept)) == [Outcome.OK, Outcome.ALREADY]
    assert graph.tenant.members.true == ids(graph, ANNA)


def test_a_restoration_is_not_left_out_because_a_read_does_not_show_the_restriction_yet(
    graph: Graph, cloud: Any
) -> None:
    graph.tenant.lag_seconds = 60
    connector = cloud(**by_group(graph))
    connector.act(RESTRICT, refs(ANNA), "k1")
    assert has_access(connector, ANNA) == [True]
    connector.act(RESTORE, refs(ANNA), "k2")
    graph.tenant.clock.wait(60)
    assert has_access(connector, ANNA) == [True]
    assert graph.tenant.id_of(ANNA) in graph.tenant.members.true


def test_half_a_batch_is_gone_on_with_when_nobody_remembers_it(graph: Graph, cloud: Any) -> None:
    connector = cloud(**by_group(graph))
    graph.tenant.writes_left = 2
    connector.act(RESTRICT, refs(*PEOPLE), "k1")
    graph.tenant.writes_left = None
    graph.tenant.clock.wait(17)
    cache.clear()
    results = connector.act(RESTRICT, refs(*PEOPLE), "k1")
    assert outcomes(results) == [Outcome.ALREADY, Outcome.ALREADY, Outcome.OK]
    assert graph.tenant.members.true == []


def test_many_are_read_by_the_pages_of_the_group(graph: Graph, cloud: Any) -> None:
    more = [f"person.{number}@parliament.example" for number in range(1010)]
    members = [graph.tenant.add(user(upn)) for upn in more]
    graph.tenant.members.write(members[:1005], graph.tenant.clock())
    connector = cloud(**by_group(graph))
    assert has_access(connector, *more[940:]) == [True] * 65 + [False] * 5
    assert len(graph.of("GET", "/members")) == 2


def test_a_next_page_somewhere_else_gets_no_token(graph: Graph, cloud: Any) -> None:
    away = {"value": [], "@odata.nextLink": "https://elsewhere.example/v1.0/groups"}
    graph.tenant.faults.append(Fault("GET", "/members", Reply(200, away)))
    with pytest.raises(ConnectorError, match="somewhere else"):
        cloud(**by_group(graph))._directory.remote.members()


def test_a_group_that_is_gone_is_not_taken_for_one_nobody_is_in(graph: Graph, cloud: Any) -> None:
    connector = cloud(group="11111111-2222-4333-8444-555555555555")
    with pytest.raises(ConnectorError, match="no group") as gone:
        connector.act(RESTRICT, refs(ANNA), "k1")
    assert gone.value.permanent


def test_without_the_right_to_the_group_every_account_fails_for_good(graph: Graph, cloud: Any) -> None:
    graph.tenant.roles -= {"GroupMember.ReadWrite.All"}
    connector = cloud(**by_group(graph))
    (result,) = connector.act(RESTRICT, refs(ANNA), "k1")
    assert result.permanent
    assert "Grant GroupMember.ReadWrite.All" in result.message
    with pytest.raises(ConnectorError, match=r"Grant GroupMember\.ReadWrite\.All"):
        connector.read(refs(ANNA))


# A policy


def test_a_batch_is_one_change_of_the_policy_and_names_included_users_only(graph: Graph, cloud: Any) -> None:
    connector = cloud(**by_policy(graph))
    results = connector.act(RESTRICT, refs(ANNA, OLAF), "k1")
    assert outcomes(results) == [Outcome.OK, Outcome.OK]
    assert results[0].before == {graph.tenant.policy_id: []}
    (change,) = graph.of("PATCH")
    assert change.body == {"conditions": {"users": {"includeUsers": ids(graph, ANNA, OLAF)}}}
    assert has_access(connector, *PEOPLE) == [False, False, True]


def test_the_last_one_restored_leaves_a_policy_for_nobody(graph: Graph, cloud: Any) -> None:
    connector = cloud(**by_policy(graph))
    connector.act(RESTRICT, refs(ANNA), "k1")
    connector.act(RESTORE, refs(ANNA), "k2")
    assert graph.tenant.included() == ["None"]
    assert has_access(connector, ANNA) == [True]


def test_who_was_restricted_before_stays_so_when_the_restriction_is_undone(graph: Graph, cloud: Any) -> None:
    graph.tenant.set_policy(includeUsers=ids(graph, OLAF))
    connector = cloud(**by_policy(graph))
    kept = {state.account.login: state.values for state in connector.read(refs(ANNA, OLAF))}
    assert outcomes(connector.act(RESTRICT, refs(ANNA, OLAF), "k1")) == [Outcome.OK, Outcome.ALREADY]
    connector.act(RESTORE, refs(ANNA, OLAF), "k2", kept)
    assert graph.tenant.included() == ids(graph, OLAF)


def test_a_second_batch_keeps_the_first_though_a_read_does_not_show_it_yet(graph: Graph, cloud: Any) -> None:
    graph.tenant.lag_seconds = 60
    cloud(**by_policy(graph)).act(RESTRICT, refs(ANNA), "k1")
    cloud(**by_policy(graph)).act(RESTRICT, refs(OLAF), "k2")
    assert sorted(graph.tenant.included()) == sorted(ids(graph, ANNA, OLAF))


def test_what_others_changed_in_the_policy_later_is_kept(graph: Graph, cloud: Any) -> None:
    connector = cloud(**by_policy(graph), lag_seconds=60)
    connector.act(RESTRICT, refs(ANNA), "k1")
    graph.tenant.clock.wait(121)
    graph.tenant.set_policy(includeUsers=ids(graph, MARA))
    connector.act(RESTRICT, refs(OLAF), "k2")
    assert graph.tenant.included() == ids(graph, MARA, OLAF)


@pytest.mark.parametrize("action", [RESTRICT, RESTORE])
def test_without_its_break_glass_exclusions_a_policy_is_never_changed(graph: Graph, cloud: Any, action: Any) -> None:
    one, other = graph.tenant.break_glass
    graph.tenant.set_policy(excludeUsers=[one], includeUsers=ids(graph, OLAF))
    with pytest.raises(ConnectorError, match=f"does not exclude the break-glass accounts {other}") as refused:
        cloud(**by_policy(graph)).act(action, refs(ANNA, OLAF), "k1")
    assert refused.value.permanent
    assert not graph.of("PATCH")


@pytest.mark.parametrize("state", ["disabled", "enabledForReportingButNotEnforced"])
def test_a_policy_that_is_not_enforced_restricts_nobody_and_is_not_said_to(
    graph: Graph, cloud: Any, state: str
) -> None:
    graph.tenant.set_policy(state, includeUsers=ids(graph, OLAF))
    connector = cloud(**by_policy(graph))
    assert has_access(connector, OLAF) == [True]
    with pytest.raises(ConnectorError, match=f"{state}: restricting has no effect"):
        connector.act(RESTRICT, refs(ANNA), "k1")
    assert outcomes(connector.act(RESTORE, refs(OLAF), "k2")) == [Outcome.OK]


def test_an_excluded_account_is_refused_since_restricting_it_has_no_effect(graph: Graph, cloud: Any) -> None:
    break_glass = user("break.glass@parliament.example", id=graph.tenant.break_glass[0])
    graph.tenant.add(break_glass)
    connector = cloud(**by_policy(graph))
    results = connector.act(RESTRICT, refs(ANNA, break_glass["userPrincipalName"]), "k1")
    assert outcomes(results) == [Outcome.OK, Outcome.FAILED]
    assert results[1].permanent
    assert graph.tenant.included() == ids(graph, ANNA)
    assert has_access(connector, break_glass["userPrincipalName"]) == [True]


def test_a_policy_for_everyone_is_left_to_people(graph: Graph, cloud: Any) -> None:
    graph.tenant.set_policy(includeUsers=["All"])
    connector = cloud(**by_policy(graph))
    assert has_access(connector, ANNA) == [False]
    assert outcomes(connector.act(RESTRICT, refs(ANNA), "k1")) == [Outcome.ALREADY]
    (refused,) = connector.act(RESTORE, refs(ANNA), "k2")
    assert (refused.outcome, refused.permanent) == (Outcome.FAILED, True)
    assert not graph.of("PATCH")


def test_requests_to_the_policy_are_a_second_apart(graph: Graph, cloud: Any) -> None:
    connector, began = cloud(**by_policy(graph)), graph.tenant.clock()
    connector.act(RESTRICT, refs(ANNA), "k1")
    connector.act(RESTRICT, refs(OLAF), "k2")
    assert (graph.tenant.clock() - began).total_seconds() == 3
    assert len(graph.of("GET", graph.tenant.policy_id)) == 2


def test_a_second_used_by_others_is_waited_out(graph: Graph, cloud: Any) -> None:
    graph.tenant.faults.append(Fault("GET", graph.tenant.policy_id, too_many(), times=2))
    began = graph.tenant.clock()
    assert outcomes(cloud(**by_policy(graph)).act(RESTRICT, refs(ANNA), "k1")) == [Outcome.OK]
    assert (graph.tenant.clock() - began).total_seconds() == 3


def test_a_policy_throttled_for_long_is_left_for_later(graph: Graph, cloud: Any) -> None:
    graph.tenant.faults.append(Fault("PATCH", graph.tenant.policy_id, too_many()))
    with pytest.raises(ConnectorError) as busy:
        cloud(**by_policy(graph)).act(RESTRICT, refs(ANNA), "k1")
    assert (busy.value.permanent, busy.value.retry_after) == (False, 1.0)
    assert graph.tenant.included() == ["None"]


def test_a_conflict_is_worth_another_try(graph: Graph, cloud: Any) -> None:
    conflict = error(409, "Conflict", "The policy was changed by another request.")
    graph.tenant.faults.append(Fault("PATCH", graph.tenant.policy_id, conflict, times=1))
    connector = cloud(**by_policy(graph))
    with pytest.raises(ConnectorError, match="was changed") as refused:
        connector.act(RESTRICT, refs(ANNA), "k1")
    assert not refused.value.permanent
    assert outcomes(connector.act(RESTRICT, refs(ANNA), "k1")) == [Outcome.OK]


def test_when_the_answer_to_the_change_is_lost_the_next_try_finds_it_done(graph: Graph, cloud: Any) -> None:
    lost = error(504, "GatewayTimeout", "No answer.")
    graph.tenant.faults.append(Fault("PATCH", graph.tenant.policy_id, lost, times=1, is_done=True))
    connector = cloud(**by_policy(graph))
    (unknown,) = connector.act(RESTRICT, refs(ANNA), "k1")
    assert (unknown.outcome, unknown.permanent) == (Outcome.FAILED, False)
    assert unknown.message.startswith("Not known whether it was done")
    assert outcomes(connector.act(RESTRICT, refs(ANNA), "k1")) == [Outcome.ALREADY]


def test_two_workers_do_not_change_the_policy_at_once(graph: Graph, cloud: Any) -> None:
    first, second = cloud(**by_policy(graph)), cloud(**by_policy(graph))
    with first._directory.remote._pending.held():
        with pytest.raises(ConnectorError, match="being changed for other accounts") as busy:
            second.act(RESTRICT, refs(ANNA), "k1")
        assert busy.value.retry_after
    assert outcomes(second.act(RESTRICT, refs(ANNA), "k1")) == [Outcome.OK]


def test_without_the_cache_a_policy_is_not_changed_and_accounts_are(
    graph: Graph, cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*arguments: Any, **options: Any) -> Any:
        raise CacheIsGone

    for name in ("add", "get", "get_many", "set", "set_many", "delete"):
        monkeypatch.setattr(type(cache._connections["default"]), name, gone, raising=False)
    connector = cloud(**by_policy(graph))
    assert outcomes(connector.act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")) == [Outcome.OK]
    with pytest.raises(ConnectorError, match="cache does not answer") as refused:
        connector.act(RESTRICT, refs(ANNA), "k2")
    assert not refused.value.permanent
    assert not graph.of("PATCH", graph.tenant.policy_id)


def test_without_the_right_to_the_policy_it_says_what_to_grant(graph: Graph, cloud: Any) -> None:
    graph.tenant.roles -= {"Policy.ReadWrite.ConditionalAccess"}
    with pytest.raises(ConnectorError, match=r"Grant Policy\.Read\.All, Policy\.ReadWrite") as refused:
        cloud(**by_policy(graph)).act(RESTRICT, refs(ANNA), "k1")
    assert refused.value.permanent


def test_a_policy_that_is_not_there_is_said_to_be(graph: Graph, cloud: Any) -> None:
    options = {**by_policy(graph), "policy": "11111111-2222-4333-8444-555555555555"}
    with pytest.raises(ConnectorError, match="There is no policy 11111111") as gone:
        cloud(**options).act(RESTRICT, refs(ANNA), "k1")
    assert gone.value.permanent


def test_two_hundred_are_one_change(graph: Graph, cloud: Any) -> None:
    more = [f"person.{number}@parliament.example" for number in range(200)]
    for upn in more:
        graph.tenant.add(user(upn))
    results = cloud(**by_policy(graph)).act(RESTRICT, refs(*more), "k1")
    assert set(outcomes(results)) == {Outcome.OK}
    assert len(graph.of("PATCH")) == 1
    assert len(graph.tenant.included()) == 200
