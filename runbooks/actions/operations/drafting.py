"""Making the draft of an action, and changing its list before anybody decided on it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection as db
from django.db import transaction
from django.db.models import Max

from runbooks.access.permissions import Actor, require
from runbooks.actions.models import Action, ActionAccount, ActionExclusion
from runbooks.actions.operations.locking import action_entry, lock_action, move, only_while
from runbooks.actions.operations.planning import default_plan, write_plan
from runbooks.actions.operations.resolving import Left, Target, chosen, everyone, left_alone, named
from runbooks.actions.queries.stages import is_lock_down
from runbooks.actions.verbs import needs_two
from runbooks.background import wake
from runbooks.connectors import connection
from runbooks.connectors.base import Action as Verb
from runbooks.connectors.base import words as verb_words
from runbooks.containment.models import Step
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock_running
from runbooks.presentation import plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import record

BATCH = 2000
REASON_MAX = 4000
STOP_AFTER = 5
Status, Kind, Scope = Action.Status, Action.Kind, Action.Scope


class BadActionError(DomainError):
    """The draft lacks something, or asks for what cannot be."""

    status = 400


@dataclass(frozen=True, slots=True)
class Draft:
    """What is wanted. `affected_ids` are chosen accounts of the incident, for everyone it is empty.

    `step_key` is the incident's step that it carries out. `batch_size` 0 takes the connection's own.
    """

    kind: str
    connection: str
    reason: str
    affected_ids: Collection[int] = ()
    everyone: bool = False
    step_key: str = ""
    expected_harm: str = ""
    review_at: datetime | None = None
    batch_size: int = 0
    stop_after_failures: int = STOP_AFTER


def draft_action(*, incident_id: UUID, draft: Draft, actor: Actor, at: datetime) -> Action:
    """Write down what is wanted and for whom; a worker then reads what it would change. Nothing is done yet.

    What the connection can do is asked for before the transaction: it may read files.
    """
    require(actor, "request_action", incident_id)
    incident = Incident.objects.get(pk=incident_id)
    most = _most_at_once(draft.kind, draft.connection, is_exercise=incident.is_exercise)
    return _write_draft(incident_id=incident_id, draft=_checked(draft, most, at), actor=actor, at=at)


def _most_at_once(kind: str, name: str, *, is_exercise: bool) -> int:
    """The connection's batch size. Raises BadActionError where it cannot do this."""
    if kind not in Kind.values:
        raise BadActionError("Choose what to do.")
    with connection(name, exercise=is_exercise) as connector:
        capabilities = connector.capabilities
    if Verb(kind) not in capabilities.actions:
        raise BadActionError(f"{name} cannot {verb_words(Verb(kind))}. Choose another connection, or people.")
    return capabilities.batch_size


def _checked(draft: Draft, most: int, at: datetime) -> Draft:
    reason = draft.reason.strip()
    if not reason:
        raise BadActionError("Say why: the second person decides on it, and auditors read it.")
    if len(reason) > REASON_MAX or len(draft.expected_harm) > REASON_MAX:
        raise BadActionError(f"Keep the reason and the expected harm under {REASON_MAX} characters each.")
    is_lock_down = draft.everyone and draft.kind == Kind.RESTRICT_REMOTE_ACCESS
    if is_lock_down and not draft.expected_harm.strip():
        raise BadActionError("Write down what harm the lock-down will do: the decision is judged on it.")
    if is_lock_down and (draft.review_at is None or draft.review_at <= at):
        raise BadActionError("Set a time in the future at which the lock-down is looked at again.")
    if draft.stop_after_failures < 0:
        raise BadActionError("The number of failures to stop after cannot be negative.")
    if not draft.everyone and not draft.affected_ids:
        raise BadActionError("No accounts are chosen. Tick some first.")
    size = min(draft.batch_size, most) if draft.batch_size > 0 else most
    return Draft(
        kind=draft.kind,
        connection=draft.connection,
        reason=reason,
        affected_ids=draft.affected_ids,
        everyone=draft.everyone,
        step_key=draft.step_key,
        expected_harm=draft.expected_harm.strip(),
        review_at=draft.review_at,
        batch_size=size,
        stop_after_failures=draft.stop_after_failures,
    )


@transaction.atomic
def _write_draft(*, incident_id: UUID, draft: Draft, actor: Actor, at: datetime) -> Action:
    require(actor, "request_action", incident_id)
    incident = lock_running(incident_id)
    step = Step.objects.filter(incident=incident, key=draft.step_key).first() if draft.step_key else None
    targets = everyone(incident_id) if draft.everyone else chosen(incident_id, draft.affected_ids)
    left = left_alone(incident, draft.kind, targets)
    action = new_action(
        incident,
        Action(
            kind=draft.kind,
            connection=draft.connection,
            scope=Scope.EVERYONE if draft.everyone else Scope.SELECTION,
            step=step,
            reason=draft.reason,
            expected_harm=draft.expected_harm,
            review_at=draft.review_at,
            batch_size=draft.batch_size,
            stop_after_failures=draft.stop_after_failures,
            needs_approval=needs_two(draft.kind, len(targets), everyone=draft.everyone),
        ),
        targets,
        left,
        actor=actor,
        at=at,
    )
    if is_lock_down(action):
        write_plan(action, default_plan())
    return action


def new_action(
    incident: Incident, action: Action, targets: Sequence[Target], left: Sequence[Left], *, actor: Actor, at: datetime
) -> Action:
    """Save a draft with its list and its number, record it, and have it previewed. The incident is locked."""
    last = Action.objects.filter(incident=incident).aggregate(last=Max("number"))["last"]
    action.incident, action.number = incident, (last or 0) + 1
    action.drafted_by, action.drafted_at = actor.name, at
    action.authors = [] if actor.user_id is None else [actor.user_id]
    action.save(force_insert=True)
    alone = {one.account_id for one in left}
    fill([target for target in targets if target.account_id not in alone], action)
    leave_out(left, action, actor.name, at)
    count = len(targets) - len(left)
    said = f"{action.get_kind_display().lower()} for {plural(count, 'account')} drafted, {len(left)} excluded"
    record(
        incident,
        action_entry(action, "drafted", said, {"accounts": count, "excluded": len(left), "reason": action.reason}),
        actor=actor,
        at=at,
    )
    wake("actions.preview", action_id=str(action.pk))
    return action


def fill(targets: Sequence[Target], action: Action, *, first: int = 1) -> None:
    ActionAccount.objects.bulk_create(
        (
            ActionAccount(
                action=action,
                account_id=target.account_id,
                affected_account_id=target.affected_id,
                login=target.login,
                external_id=target.external_id,
                mail=target.mail,
                position=position,
            )
            for position, target in enumerate(targets, start=first)
        ),
        batch_size=BATCH,
    )
    if len(targets) >= BATCH:
        # A plan that takes the ledger for empty, as it was a moment ago, compares every row with every other.
        with db.cursor() as cursor:
            cursor.execute("ANALYZE runbooks_actionaccount")


def leave_out(left: Sequence[Left], action: Action, by: str, at: datetime) -> None:
    ActionExclusion.objects.bulk_create(
        (
            ActionExclusion(
                action=action,
                account_id=one.account_id,
                login=one.login,
                kind=one.kind,
                reason=one.reason,
                added_by=by if one.kind == ActionExclusion.Kind.CHOSEN else "IR Portal, by rule",
                added_at=at,
            )
            for one in left
        ),
        batch_size=BATCH,
    )


@transaction.atomic
def exclude(
    *, action_id: UUID, logins: Collection[str], reason: str, actor: Actor, at: datetime, version: int | None = None
) -> Action:
    """Take accounts off the list, by login. What was asked for is void then and has to be asked for again."""
    incident, action = lock_action(action_id, actor, "request_action", version=version)
    only_while(action, Status.DRAFT, Status.AWAITING_APPROVAL)
    wanted = {login.strip().lower() for login in logins if login.strip()}
    if not wanted:
        raise BadActionError("Name the accounts to leave alone, one a line.")
    if not reason.strip():
        raise BadActionError("Say why these accounts are left alone: the second person asks.")
    rows = [row for row in ActionAccount.objects.filter(action=action) if row.login.lower() in wanted]
    if strange := sorted(wanted - {row.login.lower() for row in rows}):
        raise BadActionError(f"Not on the list: {', '.join(strange[:5])}. Check the spelling; nothing was changed.")
    kind = ActionExclusion.Kind.CHOSEN
    ActionExclusion.objects.filter(action=action, account__in=[row.account_id for row in rows]).delete()
    leave_out([Left(row.account_id, row.login, kind, reason.strip()[:400]) for row in rows], action, actor.name, at)
    ActionAccount.objects.filter(pk__in=[row.pk for row in rows]).delete()
    said = f"{plural(len(rows), 'account')} left alone. {reason.strip()}"
    _changed(incident, action, "excluded", said, [row.login for row in rows], actor, at)
    return action


@transaction.atomic
def take_in(
    *, action_id: UUID, login: str, reason: str, actor: Actor, at: datetime, version: int | None = None
) -> Action:
    """Put an account on the list that was left alone, by a decision of its own with a reason."""
    incident, action = lock_action(action_id, actor, "request_action", version=version)
    only_while(action, Status.DRAFT, Status.AWAITING_APPROVAL)
    found = ActionExclusion.objects.filter(action=action, login=login, taken_in_at__isnull=True).first()
    if found is None:
        raise BadActionError(f"{login} is not among those left alone.")
    if not reason.strip():
        raise BadActionError(f"Say why {login} is taken in although it is protected.")
    if found.kind == ActionExclusion.Kind.CHOSEN:
        found.delete()
    else:
        found.taken_in_at, found.taken_in_by, found.taken_in_reason = at, actor.name, reason.strip()[:400]
        found.save(update_fields=["taken_in_at", "taken_in_by", "taken_in_reason"])
    last = ActionAccount.objects.filter(action=action).aggregate(last=Max("position"))["last"] or 0
    fill(named(incident.pk, [found.account_id]), action, first=last + 1)
    said = f"{login} ({found.get_kind_display().lower()}) taken in. {reason.strip()}"
    _changed(incident, action, "taken_in", said, [login], actor, at)
    return action


@transaction.atomic
def resolve_anew(*, action_id: UUID, actor: Actor, at: datetime) -> Action:
    """Make the list again from the directory as it is now, keeping what people excluded and took in."""
    incident, action = lock_action(action_id, actor, "request_action")
    only_while(action, Status.DRAFT, Status.AWAITING_APPROVAL)
    if action.undoes_id is not None or action.stage_id is not None:
        raise BadActionError("The list of a way back is that of the first action. Make a new draft instead.")
    targets, left = resolve(incident, action)
    ActionAccount.objects.filter(action=action).delete()
    alone = {one.account_id for one in left}
    fill([target for target in targets if target.account_id not in alone], action)
    kept = ActionExclusion.objects.filter(action=action)
    known = set(kept.values_list("account_id", flat=True))
    leave_out([one for one in left if one.account_id not in known], action, actor.name, at)
    said = f"list made again: {plural(len(targets) - len(left), 'account')}, {len(left)} excluded"
    _changed(incident, action, "resolved", said, [], actor, at)
    return action


def resolve(incident: Incident, action: Action) -> tuple[list[Target], list[Left]]:
    """The list as it would be made now: targets, and which of them are left alone by rule or by a person."""
    if action.scope == Scope.EVERYONE:
        targets = everyone(incident.pk)
    else:
        rows = ActionExclusion.objects.filter(action=action, taken_in_at__isnull=True)
        on_list = set(ActionAccount.objects.filter(action=action).values_list("account_id", flat=True))
        targets = named(incident.pk, on_list | set(rows.values_list("account_id", flat=True)))
    taken_in, left = set(), {one.account_id: one for one in left_alone(incident, action.kind, targets)}
    present = {target.account_id for target in targets}
    for row in ActionExclusion.objects.filter(action=action):
        if row.taken_in_at is not None:
            taken_in.add(row.account_id)
        elif row.account_id in present:
            left[row.account_id] = Left(row.account_id, row.login, row.kind, row.reason)
    return targets, [one for account_id, one in left.items() if account_id not in taken_in]


def _changed(
    incident: Incident, action: Action, verb: str, said: str, logins: Sequence[str], actor: Actor, at: datetime
) -> None:
    """Back to the draft, with its preview to be read anew and its author noted."""
    authors = action.authors if actor.user_id in {None, *action.authors} else [*action.authors, actor.user_id]
    move(
        action,
        status=Status.DRAFT,
        digest="",
        requested_by=None,
        requested_at=None,
        expires_at=None,
        previewed_at=None,
        preview_problem="",
        authors=authors,
    )
    record(
        incident, action_entry(action, verb, said, {"accounts": list(logins)}, lane=Lane.DECISION), actor=actor, at=at
    )
    wake("actions.preview", action_id=str(action.pk))
