"""Deciding whom an event calls: each decision is a version of its own, with who decided and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from runbooks.access.permissions import Actor, require
from runbooks.errors import DomainError
from runbooks.notifications.models import EscalationPolicy
from runbooks.reminders.queries.policies import Policy, callables, policy_of

STEPS_MOST: Final = 8
WAIT_MOST: Final = 24 * 60
REPEATS_MOST: Final = 5
NOTE_MAX: Final = 300


class BadPolicyError(DomainError):
    """What was asked for cannot be. `field` names what is wrong."""

    status = 400

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class StalePolicyError(DomainError):
    """Somebody else decided since the form was opened."""


@dataclass(frozen=True, slots=True)
class NewPolicy:
    """Who is called: `steps` of (to, minutes to wait before)."""

    steps: Sequence[tuple[str, int]]
    severity_at_most: int
    repeats: int
    is_active: bool
    note: str


@transaction.atomic
def save_policy(*, event: str, version: int, policy: NewPolicy, actor: Actor, at: datetime) -> EscalationPolicy:
    """Decide it anew. `version` is the one the form was made from. Chains that run go on as they began."""
    require(actor, "manage_escalation")
    before = policy_of(event)
    _check(policy, before)
    kept = [{"to": to, "wait": wait} for to, wait in policy.steps]
    chain = before.chain
    same = (chain.steps, chain.severity_at_most, chain.repeats, before.is_active)
    if not before.is_shipped and same == (kept, policy.severity_at_most, policy.repeats, policy.is_active):
        raise BadPolicyError("note", "Nothing is different from what counts now.")
    return _new_version(
        before,
        version,
        EscalationPolicy(
            event=event,
            is_active=policy.is_active,
            severity_at_most=policy.severity_at_most,
            steps=kept,
            repeats=policy.repeats,
            note=_note(policy.note),
            edited_by=actor.name[:160],
            edited_at=at,
        ),
    )


@transaction.atomic
def back_to_shipped(*, event: str, version: int, note: str, actor: Actor, at: datetime) -> EscalationPolicy:
    """From now on as the portal came, and as later releases of it say."""
    require(actor, "manage_escalation")
    before = policy_of(event)
    if before.is_shipped:
        raise BadPolicyError("note", "It is as shipped already.")
    shipped = EscalationPolicy(event=event, steps=[], note=_note(note), edited_by=actor.name[:160], edited_at=at)
    return _new_version(before, version, shipped)


def _new_version(before: Policy, version: int, row: EscalationPolicy) -> EscalationPolicy:
    """Two who save at the same moment want the same number, and the table gives it once."""
    row.version = version + 1
    if before.version == version:
        EscalationPolicy.objects.bulk_create([row], ignore_conflicts=True)
        kept = EscalationPolicy.objects.get(event=row.event, version=row.version)
        if (kept.edited_by, kept.edited_at, kept.steps) == (row.edited_by, row.edited_at, row.steps):
            return kept
    raise StalePolicyError(
        "Somebody else decided on this since you opened it. It is shown as it stands now: compare, then save again."
    )


def _note(note: str) -> str:
    note = " ".join(note.split())
    if not note:
        raise BadPolicyError("note", "Say why: others will ask.")
    if len(note) > NOTE_MAX:
        raise BadPolicyError("note", f"At most {NOTE_MAX} characters.")
    return note


def _check(policy: NewPolicy, before: Policy) -> None:
    if not policy.steps:
        raise BadPolicyError("to_1", "Choose who is called first. To call nobody, switch the chain off.")
    if len(policy.steps) > STEPS_MOST:
        raise BadPolicyError("to_1", f"At most {STEPS_MOST} steps.")
    known = {one.to for one in callables()} | {str(step["to"]) for step in before.chain.steps}
    for number, (to, wait) in enumerate(policy.steps, start=1):
        if to not in known:
            raise BadPolicyError(f"to_{number}", "Choose somebody of the list.")
        if not 1 <= wait <= WAIT_MOST:
            raise BadPolicyError(f"wait_{number}", f"Wait between 1 and {WAIT_MOST:,} minutes.")
    if not 0 <= policy.repeats <= REPEATS_MOST:
        raise BadPolicyError("repeats", f"At most {REPEATS_MOST} times.")
    if policy.severity_at_most not in {1, 2, 3, 4}:
        raise BadPolicyError("severity_at_most", "Choose a severity of the list.")
