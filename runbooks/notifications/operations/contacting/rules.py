"""Rules: in which order a person is reached, and how long is waited for an answer in between."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import Actor
from runbooks.contacts.models import ContactPoint, ContactRule
from runbooks.errors import DomainError
from runbooks.notifications.operations.contacting.owning import locked_owner
from runbooks.notifications.operations.contacting.telling import tell_rules_changed

LINES_MOST: Final = 10
WAIT_MOST: Final = 1440
KNOWN: Final = frozenset(ContactRule.Importance.values)


class BadRuleError(DomainError):
    status = 400


@dataclass(frozen=True, slots=True)
class Line:
    """After so many minutes without an answer to the line before, this point; 0: only when the one before failed."""

    point_id: UUID
    wait_minutes: int = 0


@transaction.atomic
def set_rule(*, importance: str, lines: Sequence[Line], actor: Actor, at: datetime) -> None:
    """These lines instead of those before. The first waits for nothing. What changes nothing is told to nobody."""
    owner = locked_owner(actor)
    if importance not in KNOWN:
        raise BadRuleError("There is a rule for important notices and one for all others.")
    if not 1 <= len(lines) <= LINES_MOST:
        raise BadRuleError(f"A rule has 1 to {LINES_MOST} lines.")
    if any(not 0 <= line.wait_minutes <= WAIT_MOST for line in lines):
        raise BadRuleError(f"Wait from 0 to {WAIT_MOST} minutes.")
    usable = ContactPoint.objects.filter(user=owner, verified_at__isnull=False, ended_at__isnull=True)
    known = set(usable.values_list("pk", flat=True))
    if any(line.point_id not in known for line in lines):
        raise BadRuleError("A line names a contact point that is not verified, or was taken out.")
    wanted = [(line.point_id, line.wait_minutes if place else 0) for place, line in enumerate(lines)]
    rules = ContactRule.objects.filter(user=owner, importance=importance)
    if wanted == list(rules.order_by("position").values_list("point_id", "wait_minutes")):
        return
    rules.delete()
    ContactRule.objects.bulk_create(
        ContactRule(user=owner, importance=importance, position=place, point_id=point_id, wait_minutes=wait)
        for place, (point_id, wait) in enumerate(wanted)
    )
    tell_rules_changed(owner, importance, at=at)


@transaction.atomic
def drop_rule(*, importance: str, actor: Actor, at: datetime) -> None:
    """Back to what the portal does by itself."""
    owner = locked_owner(actor)
    if importance not in KNOWN:
        raise BadRuleError("There is a rule for important notices and one for all others.")
    count, _ = ContactRule.objects.filter(user=owner, importance=importance).delete()
    if count:
        tell_rules_changed(owner, importance, at=at)
