"""Where calls go: never to what only this machine reaches, whatever a name means by now."""

import ipaddress
from collections.abc import Callable
from typing import Any

import pytest

from runbooks.access.models import User
from runbooks.incidents.models import Incident
from runbooks.outbound import addresses
from runbooks.subscriptions.models import Subscription, SubscriptionAttempt
from tests.factories import make_entry
from tests.subscriptions.receiving import Clock, Receiver, carried, subscribed

pytestmark = pytest.mark.django_db
METADATA = "169.254.169.254"


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Answers names from lists of addresses, one list a question; the last stays."""

    def answers(*rounds: list[str]) -> list[str]:
        asked: list[str] = []

        def resolve(host: str, port: int) -> list[addresses.IPAddress]:
            asked.append(host)
            return [ipaddress.ip_address(text) for text in rounds[min(len(asked), len(rounds)) - 1]]

        monkeypatch.setattr(addresses, "found", resolve)
        return asked

    return answers


@pytest.fixture
def named(receiver: Receiver, incident: Incident, coordinator: User) -> Subscription:
    """Reached by a name; plain HTTP, as only this machine may be."""
    made = subscribed(receiver, coordinator, incident)
    port = receiver.url.split(":")[2]
    Subscription.objects.update(url=f"http://hook.example:{port}")
    return Subscription.objects.get(pk=made.subscription.pk)


def reason(subscription: Subscription) -> str:
    return SubscriptionAttempt.objects.filter(delivery__subscription=subscription).latest("pk").reason


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "::1", METADATA, "fd00:ec2::254", "100.64.0.1"])
def test_a_name_that_means_something_inside_is_not_called(
    address: str, receiver: Receiver, named: Subscription, incident: Incident, resolver: Any, settings: Any
) -> None:
    settings.OUTBOUND_PRIVATE_NETWORKS = []
    resolver([address])
    make_entry(incident)
    assert carried(named) == 0
    assert not receiver.asked
    assert "not a public address" in reason(named)


def test_a_name_that_means_something_else_a_moment_later_is_called_where_it_was_checked(
    receiver: Receiver, named: Subscription, incident: Incident, resolver: Any
) -> None:
    resolver(["127.0.0.1"], [METADATA])
    make_entry(incident)
    clock = Clock()
    assert carried(named, clock) == 1
    assert receiver.asked[0].headers["Host"].startswith("hook.example")
    make_entry(incident)
    assert carried(named, clock) == 0
    assert METADATA in reason(named)
    assert len(receiver.asked) == 1


def test_one_bad_address_among_good_ones_spoils_a_name(
    receiver: Receiver, named: Subscription, incident: Incident, resolver: Any
) -> None:
    resolver(["127.0.0.1", METADATA])
    make_entry(incident)
    assert carried(named) == 0
    assert not receiver.asked


def test_a_failure_tells_nothing_of_the_path(
    receiver: Receiver, subscription: Subscription, incident: Incident
) -> None:
    Subscription.objects.update(url="http://127.0.0.1:9/hook?key=of-theirs")
    make_entry(incident)
    carried(subscription)
    assert "of-theirs" not in reason(subscription)
    assert "127.0.0.1 does not answer" in reason(subscription)
