"""What a tenant refuses for now: throttling, lost answers, spent tokens; and going on after it."""

import json
import logging
from typing import Any

import pytest

from runbooks.connectors.base import Action, ConnectorError, Outcome
from tests.connectors.entra import ANNA, MARA, OLAF, PEOPLE, outcomes
from tests.connectors.graph import Graph
from tests.connectors.graph_tenant import Fault, Reply, error, too_many, user
from tests.connectors.stages import refs


def disabled(graph: Graph) -> list[bool]:
    return [graph.tenant.true(upn)["accountEnabled"] is False for upn in PEOPLE]


def test_one_throttled_account_fails_by_itself_with_the_time_graph_names(graph: Graph, cloud: Any) -> None:
    graph.tenant.faults.append(Fault("PATCH", graph.tenant.id_of(OLAF), too_many("17"), times=1))
    results = cloud().act(Action.LOCK_ACCOUNT, refs(*PEOPLE), "k1")
    assert outcomes(results) == [Outcome.OK, Outcome.FAILED, Outcome.OK]
    assert (results[1].permanent, results[1].retry_after) == (False, 17.0)
    assert disabled(graph) == [True, False, True]


def test_without_a_time_another_try_is_worth_it_after_a_second(graph: Graph, cloud: Any) -> None:
    graph.tenant.faults.append(Fault("PATCH", graph.tenant.id_of(OLAF), too_many(), times=1))
    assert cloud().act(Action.LOCK_ACCOUNT, refs(OLAF), "k1")[0].retry_after == 1.0


def test_while_graph_asks_for_a_pause_nothing_is_sent(graph: Graph, cloud: Any) -> None:
    graph.tenant.faults.append(Fault("PATCH", graph.tenant.id_of(ANNA), too_many("17"), times=1))
    connector = cloud()
    connector.act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")
    sent = len(graph.sent)
    graph.tenant.clock.wait(10)
    with pytest.raises(ConnectorError) as paused:
        connector.act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")
    assert (paused.value.permanent, paused.value.retry_after) == (False, 7.0)
    assert len(graph.sent) == sent
    graph.tenant.clock.wait(7)
    assert outcomes(connector.act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")) == [Outcome.OK]


def test_a_throttled_batch_is_an_error_of_the_whole(graph: Graph, cloud: Any) -> None:
    graph.outer.append(too_many("9"))
    with pytest.raises(ConnectorError) as busy:
        cloud().act(Action.LOCK_ACCOUNT, refs(*PEOPLE), "k1")
    assert (busy.value.permanent, busy.value.retry_after) == (False, 9.0)
    assert disabled(graph) == [False, False, False]


def test_a_gateway_that_throttles_without_json_is_understood(graph: Graph, cloud: Any) -> None:
    graph.outer.append(Reply(503, None, {"Retry-After": "30"}))
    with pytest.raises(ConnectorError) as busy:
        cloud().read(refs(ANNA))
    assert (busy.value.permanent, busy.value.retry_after) == (False, 30.0)


def test_a_reader_throttled_in_part_is_told_to_come_again(graph: Graph, cloud: Any) -> None:
    graph.tenant.faults.append(Fault("GET", OLAF, too_many("5"), times=1))
    with pytest.raises(ConnectorError) as paused:
        cloud().read(refs(*PEOPLE))
    assert paused.value.retry_after == 5.0


def test_what_was_done_before_the_budget_ran_out_is_not_done_again(graph: Graph, cloud: Any) -> None:
    connector = cloud()
    graph.tenant.writes_left = 2
    first = connector.act(Action.LOCK_ACCOUNT, refs(*PEOPLE), "k1")
    assert outcomes(first) == [Outcome.OK, Outcome.OK, Outcome.FAILED]
    graph.tenant.writes_left = None
    graph.tenant.clock.wait(17)
    second = connector.act(Action.LOCK_ACCOUNT, refs(*PEOPLE), "k1")
    assert outcomes(second) == [Outcome.ALREADY, Outcome.ALREADY, Outcome.OK]
    assert [result.before for result in second] == [{"accountEnabled": ["true"]}] * 3
    assert disabled(graph) == [True, True, True]
    done = [one.path for one in graph.of("PATCH")]
    assert [done.count(f"/users/{graph.tenant.id_of(upn)}") for upn in PEOPLE] == [1, 1, 2]


def test_another_worker_goes_on_where_the_first_was_killed(graph: Graph, cloud: Any) -> None:
    graph.tenant.writes_left = 2
    cloud().act(Action.END_SESSIONS, refs(*PEOPLE), "k1")
    graph.tenant.writes_left = None
    results = cloud().act(Action.END_SESSIONS, refs(*PEOPLE), "k1")
    assert outcomes(results) == [Outcome.ALREADY, Outcome.ALREADY, Outcome.OK]
    assert len(graph.of("POST", "revokeSignInSessions")) == 4  # one of them throttled


def test_a_refused_account_in_a_batch_leaves_the_others_alone(graph: Graph, cloud: Any) -> None:
    broken = error(500, "InternalServerError", "Try again.")
    conflict = error(409, "Request_Conflict", "The object is being changed.")
    graph.tenant.faults += [
        Fault("PATCH", graph.tenant.id_of(ANNA), broken, times=1),
        Fault("PATCH", graph.tenant.id_of(OLAF), conflict, times=1),
    ]
    results = cloud().act(Action.LOCK_ACCOUNT, refs(*PEOPLE), "k1")
    assert outcomes(results) == [Outcome.FAILED, Outcome.FAILED, Outcome.OK]
    assert all(not result.permanent and result.retry_after for result in results[:2])


def test_a_malformed_request_is_not_tried_again(graph: Graph, cloud: Any) -> None:
    refused = error(400, "Request_BadRequest", "Unable to update the specified properties.")
    graph.tenant.faults.append(Fault("PATCH", graph.tenant.id_of(ANNA), refused, times=1))
    (result,) = cloud().act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")
    assert (result.permanent, result.retry_after) == (True, None)
    assert "Unable to update" in result.message


def test_when_the_answer_to_a_batch_of_changes_is_lost_nobody_says_it_was_not_done(graph: Graph, cloud: Any) -> None:
    connector = cloud(password_change=False)
    connector.read(refs(ANNA))
    graph.outer += [Reply(200, {"responses": [_seen(graph, ANNA)]}), error(504, "GatewayTimeout", "No answer.")]
    (result,) = connector.act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")
    assert (result.outcome, result.permanent) == (Outcome.FAILED, False)
    assert result.message.startswith("Not known whether it was done")
    assert result.retry_after


def _seen(graph: Graph, upn: str) -> dict[str, Any]:
    return {"id": "0", "status": 200, "headers": {}, "body": graph.tenant.true(upn)}


def test_an_account_left_out_of_an_answer_may_or_may_not_be_done(graph: Graph, cloud: Any) -> None:
    connector = cloud()
    graph.outer += [Reply(200, {"responses": [_seen(graph, ANNA)]}), Reply(200, {"responses": []})]
    (result,) = connector.act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")
    assert result.message.startswith("Not known whether it was done")
    assert not result.permanent


def test_after_a_pause_is_asked_for_the_rest_of_a_large_batch_is_not_sent(graph: Graph, cloud: Any) -> None:
    more = [f"person.{number}@parliament.example" for number in range(50)]
    for upn in more:
        graph.tenant.add(user(upn))
    policy = {"policy": graph.tenant.policy_id, "break_glass": ",".join(graph.tenant.break_glass)}
    graph.tenant.writes_left = 30
    results = cloud(**policy).act(Action.LOCK_ACCOUNT, refs(*more), "k1")
    assert outcomes(results) == [Outcome.OK] * 30 + [Outcome.FAILED] * 20
    assert {result.retry_after for result in results[30:]} == {17.0}
    assert len(graph.of("PATCH")) == 40
    assert "not tried" in results[-1].message


def test_a_limit_that_is_near_is_logged(graph: Graph, cloud: Any, caplog: pytest.LogCaptureFixture) -> None:
    graph.tenant.percentage = "0.9"
    cloud().act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")
    assert "90 % of its limit are used" in caplog.text


# Tokens


def test_a_token_serves_many_requests_and_many_connections(graph: Graph, cloud: Any) -> None:
    for _ in range(3):
        cloud().read(refs(ANNA))
    assert len(graph.of("POST", "/token")) == 1


def test_a_token_is_renewed_before_it_ends(graph: Graph, cloud: Any) -> None:
    connector = cloud()
    connector.read(refs(ANNA))
    graph.tenant.clock.wait(3600 - 301)
    connector.read(refs(ANNA))
    assert len(graph.of("POST", "/token")) == 1
    graph.tenant.clock.wait(2)
    connector.read(refs(ANNA))
    assert len(graph.of("POST", "/token")) == 2


def test_a_token_that_is_refused_early_is_renewed_once(graph: Graph, cloud: Any) -> None:
    connector = cloud()
    connector.read(refs(ANNA))
    graph.tokens.clear()
    assert outcomes(connector.act(Action.LOCK_ACCOUNT, refs(ANNA), "k1")) == [Outcome.OK]
    assert len(graph.of("POST", "/token")) == 2


def test_a_tenant_that_refuses_every_token_is_not_asked_for_ever(graph: Graph, cloud: Any) -> None:
    graph.outer += [error(401, "InvalidAuthenticationToken", "Access has been blocked.")] * 3
    with pytest.raises(ConnectorError, match="refuses the portal's token") as refused:
        cloud().read(refs(ANNA))
    assert refused.value.permanent
    assert len(graph.of("POST", "/token")) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"client_id": "8a6f5a1e-1111-4222-8333-444455556666"}, "AADSTS700016). Check client_id"),
        ({"tenant": "elsewhere.example"}, "AADSTS90002). Check tenant"),
    ],
)
def test_a_sign_in_that_fails_says_what_to_check(graph: Graph, cloud: Any, options: Any, said: str) -> None:
    with pytest.raises(ConnectorError) as refused:
        cloud(**options).read(refs(ANNA))
    assert refused.value.permanent
    assert said in str(refused.value)


def test_a_server_that_is_gone_is_worth_another_try(graph: Graph, cloud: Any) -> None:
    connector = cloud(base_url="http://127.0.0.1:9/v1.0", authority="http://127.0.0.1:9")
    with pytest.raises(ConnectorError, match="does not answer") as gone:
        connector.act(Action.LOCK_ACCOUNT, refs(MARA), "k1")
    assert not gone.value.permanent
    assert gone.value.retry_after


# Secrets


def test_neither_secret_nor_token_is_in_a_message_or_a_log(
    graph: Graph, cloud: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("httpx", "httpcore", "runbooks"):
        caplog.set_level(logging.DEBUG, logger=name)
    connector = cloud()
    said = [repr(connector.read(refs(ANNA))), repr(connector.self_test()), repr(vars(connector))]
    said.append(repr(connector.act(Action.LOCK_ACCOUNT, refs(ANNA, "no.body@x.example"), "k1")))
    said.append(repr(vars(connector._directory.session)))
    secrets = [graph.tenant.secret, *graph.tokens]
    graph.tenant.secret = "changed over there"
    graph.tokens.clear()
    with pytest.raises(ConnectorError) as refused:
        connector.read(refs(ANNA))
    assert "AADSTS7000215). Check the client_secret: its value, not its id." in str(refused.value)
    said += [str(refused.value), repr(refused.value.__cause__), caplog.text, json.dumps(graph_bodies(graph))]
    assert caplog.text
    for secret in secrets:
        assert secret not in "".join(said)


def graph_bodies(graph: Graph) -> list[Any]:
    return [one.body for one in graph.sent if not one.path.endswith("/token")]
