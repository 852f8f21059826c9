"""Ways to reach people, as tests need them: straight into the tables, verified unless said otherwise."""

from datetime import UTC, datetime
from typing import Any

from runbooks.access.models import User
from runbooks.contacts.models import ContactPoint, ContactRule, Rota, RotaShift

LONG_AGO = datetime(2026, 1, 5, 9, tzinfo=UTC)


def make_point(user: User, channel: str = "email", address: str = "", **changes: Any) -> ContactPoint:
    fields = {
        "address": address or f"{user.username}@{channel}.example",
        "added_at": LONG_AGO,
        "verified_at": LONG_AGO,
        **changes,
    }
    return ContactPoint.objects.create(user=user, channel=channel, **fields)


def make_rules(user: User, importance: str, *lines: tuple[ContactPoint, int]) -> None:
    for position, (point, minutes) in enumerate(lines):
        ContactRule.objects.create(
            user=user, importance=importance, position=position, point=point, wait_minutes=minutes
        )


def make_rota(name: str = "Out of hours", **changes: Any) -> Rota:
    return Rota.objects.create(name=name, made_by="a test", made_at=LONG_AGO, **changes)


def make_shift(rota: Rota, user: User, starts_at: datetime, ends_at: datetime, **changes: Any) -> RotaShift:
    fields = {"added_by": "a test", "added_at": LONG_AGO, **changes}
    return RotaShift.objects.create(rota=rota, user=user, starts_at=starts_at, ends_at=ends_at, **fields)
