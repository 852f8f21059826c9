"""The actions of an incident: all of them, those of a step, and those that are under way."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from runbooks.actions.models import Action, ActionAccount, ActionDecision
from runbooks.actions.queries.progress import Progress, progress_of_many

Status, RowStatus = Action.Status, ActionAccount.Status
PAGE: Final = 25
# A stage of the way back, by what it does for its accounts.
GIVE_BACK: Final = "Give back remote access"
ACTIVE: Final = (Status.APPROVED, Status.RUNNING, Status.PAUSED)


@dataclass(frozen=True, slots=True)
class ListedAction:
    action: Action
    progress: Progress
    is_unreviewed: bool
    """Begun by one person, and nobody else has looked at it yet."""


@dataclass(frozen=True, slots=True)
class Job:
    """An action that is being carried out, for the strip on every page of the room."""

    number: int
    title: str
    status: str
    total: int
    good: int
    bad: int
    pending: int
    left: int


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What is being carried out now, and how many requests wait for a second person."""

    jobs: tuple[Job, ...] = ()
    awaiting: int = 0


def title_of(action: Action) -> str:
    """What it does: its verb, the action that it rolls back, or that it is a stage of the way back."""
    if action.stage_id is not None:
        return GIVE_BACK
    if action.undoes is not None:
        return f"Roll back action {action.undoes.number}"
    return action.get_kind_display()


def actions_of(incident_id: UUID, now: datetime, *, before: int | None = None) -> tuple[list[ListedAction], int]:
    """A page of the incident's actions, newest first, and the number that the next one begins before (0: none).

    Two queries, whatever the number of actions and accounts.
    """
    actions = _listed(Action.objects.filter(incident_id=incident_id)).order_by("-number")
    if before is not None:
        actions = actions.filter(number__lt=before)
    found = list(actions[: PAGE + 1])
    return _with_progress(found[:PAGE], now), found[PAGE - 1].number if len(found) > PAGE else 0


def actions_of_step(step_id: int, now: datetime, *, most: int = 5) -> list[ListedAction]:
    """The newest actions that carried out a step. Two queries, one where there is none."""
    found = list(_listed(Action.objects.filter(step_id=step_id)).order_by("-number")[:most])
    return _with_progress(found, now) if found else []


def _listed(actions: QuerySet[Action]) -> QuerySet[Action]:
    reviewed = ActionDecision.objects.filter(action=OuterRef("pk"), kind=ActionDecision.Kind.REVIEWED)
    return actions.select_related("undoes", "step", "requested_by", "approved_by").annotate(
        is_reviewed=Exists(reviewed)
    )


def _with_progress(actions: list[Action], now: datetime) -> list[ListedAction]:
    counted = progress_of_many([action.pk for action in actions], now)
    return [
        ListedAction(
            action,
            counted.get(action.pk, Progress()),
            is_unreviewed=action.is_break_glass and not vars(action)["is_reviewed"],
        )
        for action in actions
    ]


def under_way(incident_id: UUID) -> UnderWay:
    """One query, whatever the number of actions and accounts."""
    counts = {
        "good": Q(accounts__status__in=[RowStatus.DONE, RowStatus.ALREADY]),
        "bad": Q(accounts__status__in=[RowStatus.FAILED, RowStatus.UNKNOWN]),
        "pending": Q(accounts__status=RowStatus.PENDING),
        "left": Q(accounts__status__in=[RowStatus.WAITING, RowStatus.SENDING]),
    }
    wanted = (*ACTIVE, Status.AWAITING_APPROVAL)
    rows = (
        Action.objects.filter(incident_id=incident_id, status__in=wanted)
        .select_related("undoes")
        .annotate(**{f"n_{name}": Count("accounts", filter=which) for name, which in counts.items()})
        .order_by("number")
    )
    found = list(rows)
    return UnderWay(
        jobs=tuple(_job(action) for action in found if action.status in ACTIVE),
        awaiting=sum(action.status == Status.AWAITING_APPROVAL for action in found),
    )


def _job(action: Action) -> Job:
    good, bad, pending, left = (getattr(action, f"n_{name}") for name in ("good", "bad", "pending", "left"))
    return Job(action.number, title_of(action), action.status, good + bad + pending + left, good, bad, pending, left)
