"""Asking for a second person, and deciding: bound to the exact parameters and list, and never one's own request."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from runbooks.access.confirming import Confirmation, require_confirmed
from runbooks.access.models import User
from runbooks.access.permissions import LEADING, PORTAL, Actor
from runbooks.actions.digest import digest_of
from runbooks.actions.models import Action, ActionAccount, ActionDecision
from runbooks.actions.operations.drafting import resolve
from runbooks.actions.operations.locking import about_action, action_entry, lock_action, move, only_while, settled
from runbooks.actions.operations.planning import NotPlannedError
from runbooks.actions.queries.stages import held_back, is_lock_down, leads_back, stopped_before
from runbooks.actions.queries.superseded import not_to_be_put_back
from runbooks.background import wake
from runbooks.containment.models import Step
from runbooks.containment.operations import NewStep, add_step
from runbooks.errors import DomainError, NotAllowedError
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.notifications.operations import announce, working_in
from runbooks.presentation import number, plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import record

Status = Action.Status
Decided = ActionDecision.Kind
COMMENT_MAX = 1000


class NotPreviewedError(DomainError):
    """Nobody has seen yet what it would change."""


class OwnRequestError(NotAllowedError):
    """Whoever asked for it, or changed it, does not decide on it."""


class ListChangedError(DomainError):
    """What is asked for is not what was seen."""


class WrongCountError(DomainError):
    """The number that proves that the page was read is another."""

    status = 400


@dataclass(frozen=True, slots=True)
class Choice:
    """What the second person chose. `digest` is what their page showed; `typed_count` proves that they read it."""

    kind: Decided
    digest: str
    typed_count: int | None = None
    has_read_exclusions: bool = False
    comment: str = ""


@transaction.atomic
def request_approval(*, action_id: UUID, actor: Actor, at: datetime, version: int | None = None) -> Action:
    """Ask for a second person. The request is bound to what stands now, and expires."""
    incident, action = lock_action(action_id, actor, "request_action", version=version)
    only_while(action, Status.DRAFT)
    user_id = _person(actor)
    count = _ready(incident, action)
    minutes = settings.APPROVAL_MINUTES
    move(
        action,
        status=Status.AWAITING_APPROVAL,
        requested_by_id=user_id,
        requested_at=at,
        expires_at=at + timedelta(minutes=minutes),
        authors=_with(action, user_id),
        digest=digest_of(action),
    )
    said = f"{actor} asked for a second person: {_what(action, count)}. {action.reason}"
    details = {"accounts": count, "digest": action.digest, "expires_in_minutes": minutes, "reason": action.reason}
    record(incident, action_entry(action, "requested", said, details, lane=Lane.DECISION), actor=actor, at=at)
    approvers = [user for user in working_in(incident.pk) if user.role in LEADING and user.pk not in action.authors]
    context = {"who": actor.name, "what": _what(action, count), "reason": action.reason, "expires": action.expires_at}
    announce(incident, "action.requested", context, at=at, to=approvers, about=about_action(action))
    return action


@transaction.atomic
def begin(*, action_id: UUID, actor: Actor, at: datetime, version: int | None = None) -> Action:
    """Start what needs no second person: it takes no access away."""
    incident, action = lock_action(action_id, actor, "request_action", version=version)
    only_while(action, Status.DRAFT)
    if action.needs_approval:
        raise NotAllowedError("This needs a second person. Ask for one.")
    count = _ready(incident, action)
    move(action, status=Status.APPROVED, requested_by_id=actor.user_id, requested_at=at, digest=digest_of(action))
    said = f"{actor} started: {_what(action, count)}. {action.reason}"
    details = {"accounts": count, "digest": action.digest, "reason": action.reason}
    record(incident, action_entry(action, "requested", said, details, lane=Lane.DECISION), actor=actor, at=at)
    wake("actions.run", action_id=str(action.pk))
    return action


@transaction.atomic
def decide(
    *, action_id: UUID, choice: Choice, confirmed: Confirmation | None = None, actor: Actor, at: datetime
) -> Action:
    """Approve (it then runs), ask for a change, or refuse.

    When the list or a parameter is no longer what was asked for, nothing is approved: the request is void, the action
    a draft again, and the caller sees that by its status.
    """
    incident, action = lock_action(action_id, actor, "approve_action")
    only_while(action, Status.AWAITING_APPROVAL)
    _another(action, actor)
    comment = choice.comment.strip()[:COMMENT_MAX]
    if action.expires_at is not None and action.expires_at <= at:
        return _void(incident, action, "the request has expired", actor, at)
    if choice.kind == Decided.CHANGE_ASKED:
        return _send_back(incident, action, comment, actor, at)
    if choice.kind == Decided.REFUSED:
        return _refuse(incident, action, comment, actor, at)
    if choice.kind != Decided.APPROVED:
        raise WrongCountError("Choose whether to approve, ask for a change, or refuse.")
    if choice.digest != action.digest:
        raise ListChangedError("The request changed since you opened this page. Look at what stands now.")
    if problem := _drift(incident, action) or _gate_problem(action):
        return _void(incident, action, problem, actor, at)
    count = ActionAccount.objects.filter(action=action).count()
    _check_read(action, choice, count)
    sure = require_confirmed(confirmed, actor, at)
    _note(action, Decided.APPROVED, actor, at, comment=comment, credential=sure.credential)
    move(action, status=Status.APPROVED, approved_by_id=actor.user_id, approved_at=at)
    said = f"{actor} approved: {_what(action, count)}" + (f". {comment}" if comment else "")
    details = {"digest": action.digest, "accounts": count, "credential": sure.credential, "comment": comment}
    record(incident, action_entry(action, "approved", said, details, lane=Lane.DECISION), actor=actor, at=at)
    settled(action, f"{actor} approved", at)
    announce(incident, "action.approved", {"who": actor.name, "what": _what(action, count)}, at=at)
    wake("actions.run", action_id=str(action.pk))
    return action


@transaction.atomic
def break_glass(*, action_id: UUID, reason: str, confirmed: Confirmation | None, actor: Actor, at: datetime) -> Action:
    """Begin without a second person, in an emergency: a reason, everyone is told, and a review becomes a step."""
    incident, action = lock_action(action_id, actor, "break_glass")
    only_while(action, Status.DRAFT, Status.AWAITING_APPROVAL)
    user_id = _person(actor)
    if not action.needs_approval:
        raise NotAllowedError("This needs no second person. Start it.")
    reason = reason.strip()[:COMMENT_MAX]
    if not reason:
        raise WrongCountError("Say why this cannot wait for a second person: it is reviewed afterwards.")
    count = _ready(incident, action)
    sure = require_confirmed(confirmed, actor, at)
    move(
        action,
        status=Status.APPROVED,
        is_break_glass=True,
        requested_by_id=user_id,
        requested_at=at,
        authors=_with(action, user_id),
        digest=digest_of(action),
    )
    _note(action, Decided.BREAK_GLASS, actor, at, comment=reason, credential=sure.credential)
    said = f"{actor} started without a second person: {_what(action, count)}. {reason}"
    details = {"digest": action.digest, "accounts": count, "reason": reason, "credential": sure.credential}
    record(incident, action_entry(action, "break_glass_used", said, details, lane=Lane.DECISION), actor=actor, at=at)
    settled(action, f"{actor} started it without a second person", at)
    announce(incident, "action.break_glass", {"who": actor.name, "what": _what(action, count), "reason": reason}, at=at)
    _add_review(incident, action, at)
    wake("actions.run", action_id=str(action.pk))
    return action


def _add_review(incident: Incident, action: Action, at: datetime) -> None:
    last = action.step or Step.objects.filter(incident=incident).order_by("-position").first()
    if last is None:
        return
    step = NewStep(
        title=f"Review action {action.number}, begun without a second person",
        after=last.key,
        role=IncidentRole.Kind.LEAD,
        instruction="Somebody else than the one who began it looks at what was done and why, and says if it was right.",
        due_at=at + timedelta(hours=24),
        evidence=["Who reviewed it, and what they found"],
        two_person=True,
    )
    add_step(incident_id=incident.pk, step=step, actor=PORTAL, at=at)


@transaction.atomic
def expire(*, action_id: UUID, at: datetime) -> None:
    """A request nobody decided on in time becomes a draft again."""
    incident, action = lock_action(action_id, PORTAL, "approve_action", even_over=True)
    if action.status == Status.AWAITING_APPROVAL and action.expires_at is not None and action.expires_at <= at:
        _void(incident, action, "nobody decided in time", PORTAL, at)


@transaction.atomic
def withdraw(*, action_id: UUID, actor: Actor, at: datetime) -> Action:
    """Take a draft or a request back. It stays to be seen."""
    incident, action = lock_action(action_id, actor, "request_action", even_over=True)
    only_while(action, Status.DRAFT, Status.AWAITING_APPROVAL)
    move(action, status=Status.CANCELLED, finished_at=at)
    record(incident, action_entry(action, "cancelled", "withdrawn before it began"), actor=actor, at=at)
    settled(action, f"{actor} withdrew it", at)
    return action


def void_before_start(incident: Incident, action: Action, at: datetime) -> bool:
    """Whether what was approved is no longer what would run; the approval is taken off then. Both are locked.

    Nor does it begin long after: whoever decided at night did not decide on what a worker finds on Monday.
    """
    if digest_of(action) != action.digest:
        why = "its parameters or list changed after the approval"
    elif action.needs_approval and _is_stale(action, at):
        why = f"it had not begun {settings.APPROVAL_MINUTES} minutes after it was decided on"
    else:
        return False
    _void(incident, action, why, PORTAL, at)
    return True


def _is_stale(action: Action, at: datetime) -> bool:
    decided_at = action.approved_at or action.requested_at
    return decided_at is None or at - decided_at > timedelta(minutes=settings.APPROVAL_MINUTES)


def _void(incident: Incident, action: Action, why: str, actor: Actor, at: datetime) -> Action:
    _note(action, Decided.VOID, actor, at, comment=why)
    people = list(User.objects.filter(pk__in=action.authors))
    move(
        action,
        status=Status.DRAFT,
        approved_by=None,
        approved_at=None,
        is_break_glass=False,
        requested_by=None,
        requested_at=None,
        expires_at=None,
        digest="",
    )
    said = f"request void: {why}. Ask for a second person again"
    record(incident, action_entry(action, "voided", said, {"why": why}, lane=Lane.DECISION), actor=PORTAL, at=at)
    settled(action, why, at)
    announce(incident, "action.voided", {"number": action.number, "why": why}, at=at, to=people)
    return action


def _send_back(incident: Incident, action: Action, comment: str, actor: Actor, at: datetime) -> Action:
    if not comment:
        raise WrongCountError("Write what should be changed.")
    _note(action, Decided.CHANGE_ASKED, actor, at, comment=comment)
    people = list(User.objects.filter(pk__in=action.authors))
    move(action, status=Status.DRAFT, requested_by=None, requested_at=None, expires_at=None, digest="")
    said = f"{actor} asked for a change. {comment}"
    record(
        incident,
        action_entry(action, "change_asked", said, {"comment": comment}, lane=Lane.DECISION),
        actor=actor,
        at=at,
    )
    settled(action, f"{actor} asked for a change", at)
    context = {"who": actor.name, "number": action.number, "comment": comment}
    announce(incident, "action.change_asked", context, at=at, to=people)
    return action


def _refuse(incident: Incident, action: Action, comment: str, actor: Actor, at: datetime) -> Action:
    if not comment:
        raise WrongCountError("Write why you refuse: it is recorded in the timeline.")
    _note(action, Decided.REFUSED, actor, at, comment=comment)
    people = list(User.objects.filter(pk__in=action.authors))
    move(action, status=Status.CANCELLED, finished_at=at)
    said = f"{actor} refused. {comment}"
    record(incident, action_entry(action, "refused", said, {"reason": comment}, lane=Lane.DECISION), actor=actor, at=at)
    settled(action, f"{actor} refused", at)
    context = {"who": actor.name, "number": action.number, "comment": comment}
    announce(incident, "action.refused", context, at=at, to=people)
    return action


def _note(
    action: Action, kind: Decided, actor: Actor, at: datetime, *, comment: str = "", credential: str = ""
) -> None:
    ActionDecision.objects.create(
        action=action,
        kind=kind,
        digest=action.digest,
        requested_by_id=action.requested_by_id,
        decided_by_id=actor.user_id,
        decided_by_name=actor.name,
        credential=credential,
        comment=comment,
        at=at,
    )


def _person(actor: Actor) -> int:
    if actor.user_id is None:
        raise NotAllowedError("Only a person who is signed in may ask for this or begin it.")
    return actor.user_id


def _with(action: Action, user_id: int) -> list[int]:
    return action.authors if user_id in action.authors else [*action.authors, user_id]


def _another(action: Action, actor: Actor) -> None:
    if _person(actor) in action.authors or actor.user_id == action.requested_by_id:
        raise OwnRequestError("You asked for this or changed it, so somebody else decides. Ask another coordinator.")


def _ready(incident: Incident, action: Action) -> int:
    """How many accounts it is for, when it may be asked for: previewed, not empty, and the list as it would be now."""
    if action.previewed_at is None:
        raise NotPreviewedError("The preview is still being read. Wait for it: nobody should decide blindly.")
    count = ActionAccount.objects.filter(action=action).count()
    if not count:
        raise ListChangedError("There is no account on the list. Take some in, or withdraw the draft.")
    if problem := _drift(incident, action):
        mend = "Make the list again, then look at the preview." if action.undoes is None else "Exclude them, then ask."
        raise ListChangedError(f"{problem[0].upper()}{problem[1:]}. {mend}")
    if problem := _gate_problem(action):
        mend = "Look at the stages." if stopped_before(action) else "Exclude them, then ask."
        raise ListChangedError(f"The gate closed since: {problem}. {mend}")
    if is_lock_down(action) and not action.stages.exists():
        raise NotPlannedError("Plan the way back first: nothing is taken from everyone without one.")
    return count


def _gate_problem(action: Action) -> str:
    """Who on the way back from a lock-down no longer passes, and whether too many were harmed since they came back.

    Harm may be seen between the draft and the decision.
    """
    if action.undoes is None or not leads_back(action.kind, action.undoes):
        return ""
    if stopped := stopped_before(action):
        return f"{stopped[0].lower()}{stopped[1:].rstrip('.')}"
    held = held_back(action)
    also = f" and {len(held) - 3} more" if len(held) > 3 else ""
    return f"{', '.join(held[:3])}{also} may not come back yet" if held else ""


def _drift(incident: Incident, action: Action) -> str:
    """How the list differs from what would be resolved now; empty when it does not.

    A way back keeps its list, for as long as there is something to put back.
    """
    if action.undoes_id is not None:
        moved_on = not_to_be_put_back(action)
        also = f" and {len(moved_on) - 3} more" if len(moved_on) > 3 else ""
        return f"a later action changed {', '.join(moved_on[:3])}{also}, or it was put back already" if moved_on else ""
    targets, left = resolve(incident, action)
    alone = {one.account_id for one in left}
    now = {target[:4] for target in targets if target.account_id not in alone}
    rows = ActionAccount.objects.filter(action=action)
    then = set(rows.values_list("account_id", "login", "external_id", "mail"))
    came, gone = len(now - then), len(then - now)
    if not came and not gone:
        return ""
    return f"the list changed since it was made: {number(came)} came or changed, {number(gone)} went or changed"


def _check_read(action: Action, choice: Choice, count: int) -> None:
    if choice.typed_count != count:
        raise WrongCountError(
            f"{number(choice.typed_count)} is not the number of accounts that will change. You find it under Scope."
            if choice.typed_count is not None
            else "Type the number of accounts that will change. You find it under Scope."
        )
    if not choice.has_read_exclusions and action.exclusions.exists():
        raise WrongCountError("Read the exclusions, then tick that you did.")


def _what(action: Action, count: int) -> str:
    if action.undoes is not None:
        return f"roll back action {action.undoes.number} for {plural(count, 'account')}"
    return f"{action.get_kind_display().lower()} for {plural(count, 'account')}"
