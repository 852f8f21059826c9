"""SCIM servers that take many changes in one request, throttle, and fail in the middle."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runbooks.connectors.base import Action, ConnectorError, Outcome
from tests.connectors.scim_fake import Narrow, refused
from tests.connectors.served import HANG_UP, Said, served
from tests.connectors.stages import refs

LOGINS = [f"person.{number}" for number in range(5)]


@pytest.fixture
def narrow() -> Narrow:
    return Narrow(*LOGINS)


@pytest.fixture
def scim(narrow: Narrow, scim_of: Any) -> Iterator[Callable[..., Any]]:
    with served(narrow) as url:
        yield lambda **options: scim_of(url, **options)


def lock(connector: Any, *logins: str) -> Any:
    return connector.act(Action.LOCK_ACCOUNT, refs(*(logins or LOGINS)), "k1")


def outcomes(results: Any) -> list[Outcome]:
    return [result.outcome for result in results]


# Bulk


def test_a_bulk_request_holds_what_the_server_says_it_does(narrow: Narrow, scim: Any) -> None:
    narrow.allow_bulk(2)
    assert outcomes(lock(scim())) == [Outcome.OK] * 5
    assert [len(asked.content["Operations"]) for asked in narrow.sent("POST")] == [2, 2]
    assert len(narrow.sent("PATCH")) == 1
    assert set(narrow.active().values()) == {False}


def test_a_bulk_request_is_no_larger_than_the_server_takes(narrow: Narrow, scim: Any) -> None:
    narrow.allow_bulk(100, payload=1100)
    assert outcomes(lock(scim())) == [Outcome.OK] * 5
    assert len(narrow.sent("POST")) > 1
    assert all(len(asked.body) <= 1100 for asked in narrow.sent("POST"))


def test_each_operation_inside_has_its_own_outcome(narrow: Narrow, scim: Any) -> None:
    narrow.allow_bulk(100)
    inner = {
        "/Users/id-person.0": ("429", "slow down"),
        "/Users/id-person.1": ({"code": "404"}, "gone"),
        "/Users/id-person.2": (403, "an administrator"),
        "/Users/id-person.3": ("500", "oops"),
    }
    narrow.inner = inner.get
    slow, gone, forbidden, lost, done = lock(scim())
    assert (slow.permanent, slow.retry_after) == (False, 5)
    assert "slow down" in slow.message
    assert (gone.permanent, forbidden.permanent, lost.permanent) == (True, True, False)
    assert "Forbidden (403): an administrator. Grant the token" in forbidden.message
    assert lost.message.startswith("Not known whether it was done")
    assert (done.outcome, done.before) == (Outcome.OK, {"active": ["true"]})


def bulk_answer(narrow: Narrow, said: Said) -> None:
    narrow.allow_bulk(100)
    narrow.fault = lambda asked: said if asked.path == "/Bulk" else None


@pytest.mark.parametrize("status", [400, 404, 405, 413, 501])
def test_a_server_that_takes_no_bulk_after_all_is_asked_one_by_one(narrow: Narrow, scim: Any, status: int) -> None:
    bulk_answer(narrow, refused(status, "no"))
    connector = scim()
    assert outcomes(lock(connector)) == [Outcome.OK] * 5
    assert outcomes(connector.act(Action.UNLOCK_ACCOUNT, refs(*LOGINS), "k2")) == [Outcome.OK] * 5
    assert len(narrow.sent("POST")) == 1


def test_a_bulk_answer_that_leaves_some_out_leaves_them_not_known(narrow: Narrow, scim: Any) -> None:
    told = [{"location": f"https://idp.example/Users/id-person.{number}", "status": "200"} for number in (3, 1)]
    bulk_answer(narrow, Said(200, {"Operations": told}))
    results = lock(scim())
    assert outcomes(results) == [Outcome.FAILED, Outcome.OK, Outcome.FAILED, Outcome.OK, Outcome.FAILED]
    assert "nothing was answered about it" in results[0].message


@pytest.mark.parametrize(
    "content", [None, [], {}, {"Operations": "all"}, {"Operations": [1]}, {"Operations": [{"status": "fine"}] * 5}]
)
def test_a_bulk_answer_of_another_shape_leaves_all_not_known(narrow: Narrow, scim: Any, content: Any) -> None:
    bulk_answer(narrow, Said(200, content))
    results = lock(scim())
    assert outcomes(results) == [Outcome.FAILED] * 5
    assert all("Not known" in result.message for result in results)


def test_bulk_can_be_switched_off(narrow: Narrow, scim: Any) -> None:
    narrow.allow_bulk(100)
    assert outcomes(lock(scim(bulk=False))) == [Outcome.OK] * 5
    assert narrow.sent("POST") == []


# Throttling and loss


def at(narrow: Narrow, number: int, said: Said) -> None:
    narrow.fault = lambda asked: said if asked.method == "PATCH" and len(narrow.sent("PATCH")) == number else None


def test_a_server_that_is_busy_at_once_did_nothing(narrow: Narrow, scim: Any) -> None:
    at(narrow, 1, Said(429, headers={"Retry-After": "11"}))
    with pytest.raises(ConnectorError) as later:
        lock(scim())
    assert (later.value.permanent, later.value.retry_after) == (False, 11)


def test_a_server_that_becomes_busy_has_the_rest_wait(narrow: Narrow, scim: Any) -> None:
    at(narrow, 3, Said(429, headers={"Retry-After": "11"}))
    connector = scim()
    results = lock(connector)
    assert outcomes(results) == [Outcome.OK] * 2 + [Outcome.FAILED] * 3
    assert results[2].retry_after == 11
    assert all(result.message.startswith("Not tried") and not result.permanent for result in results[2:])
    assert len(narrow.sent("PATCH")) == 3
    assert outcomes(lock(connector)) == [Outcome.ALREADY] * 2 + [Outcome.OK] * 3


@pytest.mark.parametrize("said", [Said(502), HANG_UP])
def test_one_that_is_lost_is_not_known_and_the_rest_not_tried(narrow: Narrow, scim: Any, said: Said) -> None:
    at(narrow, 2, said)
    results = lock(scim())
    assert outcomes(results) == [Outcome.OK] + [Outcome.FAILED] * 4
    assert results[1].message.startswith("Not known whether it was done")
    assert all(result.message.startswith("Not tried") for result in results[2:])


def test_a_user_that_may_not_be_written_keeps_nobody_else_from_it(narrow: Narrow, scim: Any) -> None:
    at(narrow, 2, refused(403, "an administrator"))
    results = lock(scim())
    assert outcomes(results) == [Outcome.OK, Outcome.FAILED, Outcome.OK, Outcome.OK, Outcome.OK]
    assert (results[1].permanent, "Grant the token" in results[1].message) == (True, True)


def test_a_token_that_runs_out_in_the_middle_is_told(narrow: Narrow, scim: Any) -> None:
    at(narrow, 3, refused(401))
    results = lock(scim())
    assert outcomes(results) == [Outcome.OK] * 2 + [Outcome.FAILED] * 3
    assert "CONNECTION_IDP_TOKEN" in results[2].message


def test_a_token_that_may_not_read_is_refused_with_what_to_grant(narrow: Narrow, scim: Any) -> None:
    narrow.fault = lambda asked: refused(403, "insufficient scope") if asked.path.startswith("/Users") else None
    with pytest.raises(ConnectorError, match=r"insufficient scope\. Grant the token to read users") as forbidden:
        scim().read(refs("person.0"))
    assert forbidden.value.permanent
