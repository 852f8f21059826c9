"""What wrong tries cost, and whom: nobody but those who make them."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings

from ir_portal.cache import client_of
from runbooks.confirmations.throttle import NETWORK_CAPACITY, Origin, count_wrong, may_try, origin


@pytest.fixture(autouse=True)
def _empty(running_engines: None) -> Iterator[None]:
    yield
    client = client_of(settings.REDIS_URL)
    for key in client.scan_iter("tries:*"):
        client.delete(key)


def wrong(of: Origin, times: int, now: float) -> int:
    """How many of these tries were looked at."""
    looked_at = 0
    for _ in range(times):
        if may_try(of, now=now):
            looked_at += 1
            count_wrong(of, "ola.dahl", now=now)
    return looked_at


def test_one_network_on_one_account_waits_longer_and_longer() -> None:
    here = origin("203.0.113.9", "ola.dahl")
    assert wrong(here, 10, now=1000.0) == 3
    assert not may_try(here, now=1001.9)
    assert may_try(here, now=1002.1)
    assert wrong(here, 1, now=1002.1) == 1
    assert not may_try(here, now=1005.0)
    assert may_try(here, now=1006.2)


def test_the_same_account_from_elsewhere_is_not_kept_waiting() -> None:
    assert wrong(origin("203.0.113.9", "ola.dahl"), 10, now=1000.0) == 3
    assert may_try(origin("198.51.100.7", "ola.dahl"), now=1000.0)


def test_one_network_runs_out_over_many_accounts_and_comes_back() -> None:
    looked_at = sum(wrong(origin("203.0.113.9", f"holder{number}"), 1, now=1000.0) for number in range(100))
    assert looked_at == NETWORK_CAPACITY
    assert not may_try(origin("203.0.113.77", "holder200"), now=1000.0)
    assert may_try(origin("203.0.114.9", "holder200"), now=1000.0)
    assert may_try(origin("203.0.113.77", "holder200"), now=1003.0)


def test_all_of_the_world_together_cannot_keep_the_house_out(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OWN_NETWORKS = ["192.0.2.0/24"]
    monkeypatch.setattr("runbooks.confirmations.throttle.OVERALL_CAPACITY", 50.0)
    for number in range(60):
        wrong(origin(f"198.51.{number}.1", f"holder{number}"), 1, now=1000.0)
    assert not may_try(origin("203.0.113.9", "ola.dahl"), now=1000.0)
    assert may_try(origin("192.0.2.5", "ola.dahl"), now=1000.0)
    assert may_try(origin("203.0.113.9", "ola.dahl"), now=1002.0)


def test_addresses_of_one_household_are_one_network() -> None:
    assert origin("2001:db8:17:1::5", "x").network == origin("2001:db8:17:ffff::9", "x").network
    assert origin("::ffff:203.0.113.9", "x").network == origin("203.0.113.200", "x").network
    assert origin("not an address", "x").network == "unknown"


def test_without_valkey_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> redis.Redis:
        return redis.Redis(port=1, socket_connect_timeout=0.1)

    monkeypatch.setattr("runbooks.confirmations.throttle.client", broken)
    assert not may_try(origin("203.0.113.9", "ola.dahl"), now=1000.0)


@pytest.fixture
def full() -> Iterator[None]:
    """Valkey answers, and takes nothing more: as on a full disk, or a full memory."""
    client = client_of(settings.REDIS_URL)
    kept = client.config_get("min-replicas-to-write")["min-replicas-to-write"]
    client.config_set("min-replicas-to-write", 1)
    yield
    client.config_set("min-replicas-to-write", kept)


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("networks", [[], ["203.0.113.0/24"]])
def test_where_nothing_can_be_counted_nothing_is_looked_at(networks: list[str], settings: Any) -> None:
    settings.OWN_NETWORKS = networks
    assert not may_try(origin("203.0.113.9", "ola.dahl"))


@pytest.mark.usefixtures("full")
def test_a_count_that_fails_meanwhile_breaks_no_answer_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    count_wrong(origin("203.0.113.9", "ola.dahl"), "ola.dahl")
    assert caplog.messages == ["Valkey failed just now: a wrong try is not counted"]


def test_nobody_waits_long_for_a_valkey_that_is_silent() -> None:
    limits = client_of(settings.REDIS_URL).get_connection_kwargs()
    assert 0 < limits["socket_timeout"] <= 3
    assert 0 < limits["socket_connect_timeout"] <= 3
