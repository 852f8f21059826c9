"""Looking afterwards at what one person began alone."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from runbooks.access.confirming import Confirmation, require_confirmed
from runbooks.access.permissions import Actor
from runbooks.actions.models import Action, ActionDecision
from runbooks.actions.operations.deciding import COMMENT_MAX, OwnRequestError
from runbooks.actions.operations.drafting import BadActionError
from runbooks.actions.operations.locking import WrongStatusError, action_entry, lock_action
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import record


@transaction.atomic
def review_break_glass(
    *, action_id: UUID, comment: str, confirmed: Confirmation | None, actor: Actor, at: datetime
) -> Action:
    """A second person says what they think of an action that was begun without one. Also after the incident."""
    incident, action = lock_action(action_id, actor, "approve_action", even_over=True)
    if not action.is_break_glass:
        raise WrongStatusError(f"Action {action.number} was not begun by one person alone: nothing is to be reviewed.")
    if actor.user_id is None or actor.user_id in {*action.authors, action.requested_by_id}:
        raise OwnRequestError("You began this or changed it, so somebody else reviews it. Ask another coordinator.")
    decisions = ActionDecision.objects.filter(action=action)
    if decisions.filter(kind=ActionDecision.Kind.REVIEWED).exists():
        raise WrongStatusError(f"Action {action.number} was reviewed already. Add a note to the timeline instead.")
    comment = comment.strip()[:COMMENT_MAX]
    if not comment:
        raise BadActionError("Write what you found: whether it was right, and what follows.")
    sure = require_confirmed(confirmed, actor, at)
    ActionDecision.objects.create(
        action=action,
        kind=ActionDecision.Kind.REVIEWED,
        digest=action.digest,
        requested_by_id=action.requested_by_id,
        decided_by_id=actor.user_id,
        decided_by_name=actor.name,
        credential=sure.credential,
        comment=comment,
        at=at,
    )
    details = {"digest": action.digest, "credential": sure.credential, "comment": comment}
    said = f"{actor} reviewed what was begun without a second person. {comment}"
    record(incident, action_entry(action, "reviewed", said, details, lane=Lane.DECISION), actor=actor, at=at)
    return action
