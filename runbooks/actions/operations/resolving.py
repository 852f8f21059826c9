"""Which accounts an action is for, in which order, and which it leaves alone by itself."""

from collections.abc import Collection, Sequence
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from runbooks.access.models import User
from runbooks.access.permissions import TALKING
from runbooks.actions.models import Action, ActionExclusion
from runbooks.affected_accounts.models import AffectedAccount, Tier
from runbooks.directory.models import Account, Protection
from runbooks.incidents.models import Incident

Why = ActionExclusion.Kind
# Giving back takes nothing from anybody: it needs no protection.
TAKING = frozenset(
    {
        Action.Kind.LOCK_ACCOUNT,
        Action.Kind.END_SESSIONS,
        Action.Kind.REQUIRE_PASSWORD_CHANGE,
        Action.Kind.RESTRICT_REMOTE_ACCESS,
    }
)
REST = 9


class Target(NamedTuple):
    account_id: int
    login: str
    external_id: str
    mail: str
    affected_id: int | None = None
    danger: int = REST
    """Lower is more dangerous and comes first."""


class Left(NamedTuple):
    """An account that is left alone, and why."""

    account_id: int
    login: str
    kind: str
    reason: str


def everyone(incident_id: UUID) -> list[Target]:
    """All accounts that the directory holds, the most dangerous first."""
    return _targets(incident_id, Account.objects.filter(gone_at__isnull=True))


def chosen(incident_id: UUID, affected_ids: Collection[int]) -> list[Target]:
    """The directory's accounts of these affected accounts of the incident."""
    return _targets(
        incident_id, Account.objects.filter(affected_in__incident_id=incident_id, affected_in__in=affected_ids)
    )


def named(incident_id: UUID, account_ids: Collection[int]) -> list[Target]:
    """These accounts of the directory."""
    return _targets(incident_id, Account.objects.filter(pk__in=account_ids))


def _targets(incident_id: UUID, accounts: QuerySet[Account]) -> list[Target]:
    affected = {
        account_id: (affected_id, tier)
        for account_id, affected_id, tier in AffectedAccount.objects.filter(incident_id=incident_id).values_list(
            "account_id", "id", "tier"
        )
    }
    rows = accounts.values_list("id", "login", "external_id", "mail", "is_privileged")
    found = []
    for account_id, login, external_id, mail, is_privileged in rows:
        affected_id, tier = affected.get(account_id, (None, ""))
        danger = _danger(tier, is_privileged=is_privileged)
        found.append(Target(account_id, login, external_id, mail, affected_id, danger))
    return sorted(found, key=lambda target: (target.danger, target.login))


def _danger(tier: str, *, is_privileged: bool) -> int:
    order = ((tier == Tier.A and is_privileged), tier == Tier.A, is_privileged, tier == Tier.B)
    return next((place for place, applies in enumerate(order) if applies), REST)


def left_alone(incident: Incident, kind: str, targets: Sequence[Target]) -> list[Left]:
    """Which of the targets an action of this kind leaves alone unless somebody takes them in. Three queries."""
    if kind not in TAKING:
        return []
    ids = [target.account_id for target in targets]
    why: dict[int, tuple[str, str]] = {}
    for account_id in Account.objects.filter(pk__in=ids, kind=Account.Kind.SERVICE).values_list("id", flat=True):
        why[account_id] = (Why.SERVICE, "A program signs in with it: what would stop working?")
    for account_id, name in _responders(incident, targets):
        why[account_id] = (Why.RESPONDER, f"{name} works on this incident")
    for account_id, protection, reason in Protection.objects.filter(account__in=ids).values_list(
        "account_id", "kind", "reason"
    ):
        why[account_id] = (protection, reason)
    return [
        Left(target.account_id, target.login, *why[target.account_id]) for target in targets if target.account_id in why
    ]


def _responders(incident: Incident, targets: Sequence[Target]) -> list[tuple[int, str]]:
    """Own accounts of those who work in the incident, by their sign-in name or address."""
    working = Q(memberships__incident=incident, memberships__ended_at__isnull=True, role__in=TALKING)
    names = {}
    for user in User.objects.filter(working, is_active=True):
        names[user.username.lower()] = str(user)
        if user.email:
            names[user.email.lower()] = str(user)
    found = []
    for target in targets:
        login = target.login.lower()
        name = names.get(login) or names.get(login.partition("@")[0]) or names.get(target.mail.lower() or login)
        if name:
            found.append((target.account_id, name))
    return found
