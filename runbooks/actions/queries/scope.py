"""What somebody reads before deciding: how many, who is left alone and why, who is so already, who is taken in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count, Q

from runbooks.access.models import User
from runbooks.access.permissions import LEADING
from runbooks.actions.models import Action, ActionAccount, ActionDecision, ActionExclusion
from runbooks.affected_accounts.models import Tier
from runbooks.incidents.models import Incident
from runbooks.notifications.operations import working_in

NAMED_AT_MOST = 50
EXCLUDED_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class Counts:
    """Of the list. `unknown` could not be read, so nobody knows whether they are so already."""

    accounts: int
    already: int
    unknown: int
    problems: int
    tier_a: int
    privileged: int
    excluded: int

    @property
    def in_scope(self) -> int:
        return self.accounts + self.excluded


def counts_of(action: Action) -> Counts:
    """Two queries."""
    found: dict[str, int] = ActionAccount.objects.filter(action=action).aggregate(
        accounts=Count("id"),
        already=Count("id", filter=Q(was_so=True)),
        unknown=Count("id", filter=Q(was_so__isnull=True)),
        problems=Count("id", filter=~Q(message="")),
        tier_a=Count("id", filter=Q(affected_account__tier=Tier.A)),
        privileged=Count("id", filter=Q(account__is_privileged=True)),
    )
    excluded = ActionExclusion.objects.filter(action=action, taken_in_at__isnull=True).count()
    return Counts(**found, excluded=excluded)


class Excluded(NamedTuple):
    """Accounts left alone for one reason. `is_chosen`: a person left them alone, no rule did."""

    what: str
    accounts: int
    why: str
    added_by: str
    is_chosen: bool


def exclusions_of(action: Action) -> list[Excluded]:
    """By what they are, why, and who left them alone; those that a person added come last. One query."""
    rows = ActionExclusion.objects.filter(action=action, taken_in_at__isnull=True)
    grouped = rows.values_list("kind", "reason", "added_by").annotate(n=Count("id")).order_by("kind", "reason")
    found = [
        Excluded(ActionExclusion.Kind(kind).label, n, reason, by, kind == ActionExclusion.Kind.CHOSEN)
        for kind, reason, by, n in grouped[:EXCLUDED_AT_MOST]
    ]
    return sorted(found, key=lambda one: one.is_chosen)


def excluded_logins(action: Action) -> list[str]:
    rows = ActionExclusion.objects.filter(action=action, taken_in_at__isnull=True).order_by("login")
    return list(rows.values_list("login", flat=True)[:EXCLUDED_AT_MOST])


class TakenIn(NamedTuple):
    login: str
    what: str
    why: str
    by: str
    at: datetime


def taken_in(action: Action) -> list[TakenIn]:
    """Protected accounts that are on the list because somebody decided so."""
    rows = ActionExclusion.objects.filter(action=action, taken_in_at__isnull=False).order_by("login")
    return [
        TakenIn(login, ActionExclusion.Kind(kind).label, why, by, at)
        for login, kind, why, by, at in rows.values_list(
            "login", "kind", "taken_in_reason", "taken_in_by", "taken_in_at"
        )[:EXCLUDED_AT_MOST]
        if at is not None
    ]


def privileged_logins(action: Action) -> list[str]:
    rows = ActionAccount.objects.filter(action=action, account__is_privileged=True).order_by("position")
    return list(rows.values_list("login", flat=True)[:NAMED_AT_MOST])


@dataclass(frozen=True, slots=True)
class Names:
    """A page of the list in its order. `after` is the position the next page begins behind, 0 at the end."""

    rows: Sequence[tuple[str, str, bool | None, str]]
    """(login, tier, whether it is so already, what kept it from being read)"""
    after: int


def names_of(action: Action, after: int) -> Names:
    rows: list[Any] = list(
        ActionAccount.objects.filter(action=action, position__gt=after)
        .order_by("position")
        .values_list("position", "login", "affected_account__tier", "was_so", "message")[: NAMED_AT_MOST + 1]
    )
    shown = rows[:NAMED_AT_MOST]
    more = shown[-1][0] if len(rows) > NAMED_AT_MOST else 0
    return Names([(login, tier or "", was_so, message) for _, login, tier, was_so, message in shown], more)


def decisions_of(action: Action) -> list[ActionDecision]:
    """Every decision on this action and every request that was void, in order."""
    return list(ActionDecision.objects.filter(action=action).order_by("at", "pk"))


def undone_before(action: Action) -> tuple[datetime, int] | None:
    """When an action of this kind was last rolled back here through the same connection, and for how many accounts."""
    undoings = Action.objects.filter(
        incident=action.incident_id,
        connection=action.connection,
        undoes__kind=action.kind,
        status=Action.Status.DONE,
        finished_at__isnull=False,
    )
    last = undoings.annotate(n=Count("accounts")).order_by("-finished_at").values_list("finished_at", "n").first()
    return None if last is None or last[0] is None else (last[0], last[1])


def deciders(incident: Incident, action: Action) -> list[User]:
    """Who may decide on it: leading, in the incident, and with no part in the request. By name."""
    people = [user for user in working_in(incident.pk) if user.role in LEADING and user.pk not in action.authors]
    return sorted(people, key=str)
