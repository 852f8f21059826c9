"""A system that was subscribed, and what drives the portal's side of it without a worker."""

import base64
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.incidents.models import Incident
from runbooks.subscriptions.models import Subscription
from runbooks.subscriptions.operations.delivering import deliver_due
from runbooks.subscriptions.operations.managing import Made, subscribe
from runbooks.subscriptions.operations.sweeping import sweep
from tests.connectors.served import Asked, Said

TAKEN = Said(204)


class Receiver:
    """Keeps what it was sent. A test may put another answer in the place of 204."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], Said] = lambda _: TAKEN

    def __call__(self, asked: Asked) -> Said:
        self.asked.append(asked)
        return self.answer(asked)

    @property
    def sequences(self) -> list[int]:
        return [asked.content["sequence"] for asked in self.asked]


def is_signed(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Written from the specification, apart from the portal's own code: Standard Webhooks, symmetric signatures."""
    kind, _, encoded = secret.partition("_")
    if kind != "whsec":
        return False
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = base64.b64encode(hmac.digest(base64.b64decode(encoded), signed, sha256)).decode()
    given = [one.split(",", 1) for one in headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(value, expected) for version, value in given)


def subscribed(receiver: Receiver, actor: User, incident: Incident | None = None, **changes: Any) -> Made:
    given = {"name": "Security operations", "url": receiver.url, "kinds": [], "at": timezone.now(), **changes}
    return subscribe(**given, incident_id=incident and incident.pk, actor=actor_for(actor))


class Clock:
    """Time that stands until a test moves it on."""

    def __init__(self, at: datetime | None = None) -> None:
        self.at = at or timezone.now()

    def __call__(self) -> datetime:
        return self.at

    def go(self, **length: float) -> None:
        self.at += timedelta(**length)


def carried(subscription: Subscription | UUID, clock: Clock | None = None) -> int:
    """What beat and one worker do: sweep, then deliver; how many calls were taken."""
    clock = clock or Clock()
    sweep(clock=clock)
    return deliver_due(subscription_id=getattr(subscription, "pk", subscription), clock=clock)
