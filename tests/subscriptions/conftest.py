"""A receiver on this machine, and a subscription of the incident that goes there."""

from collections.abc import Iterator
from typing import Any

import pytest

from runbooks.access.models import User
from runbooks.incidents.models import Incident
from runbooks.subscriptions.models import Subscription
from runbooks.subscriptions.operations.managing import Made
from tests.connectors.served import served
from tests.subscriptions.receiving import Receiver, subscribed


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.OUTBOUND_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    receiver = Receiver()
    with served(receiver) as address:
        receiver.url = f"{address}/hook?key=of-theirs"
        yield receiver


@pytest.fixture
def made(receiver: Receiver, incident: Incident, coordinator: User) -> Made:
    """A new subscription of the incident, with its secret."""
    return subscribed(receiver, coordinator, incident)


@pytest.fixture
def subscription(made: Made) -> Subscription:
    return made.subscription
