"""What people and workers do with actions. One operation is one transaction, but for those that ask the world."""

from runbooks.actions.operations.controlling import cancel_rest, pause, resume, retry_failed
from runbooks.actions.operations.deciding import (
    Choice,
    ListChangedError,
    NotPreviewedError,
    OwnRequestError,
    WrongCountError,
    begin,
    break_glass,
    decide,
    request_approval,
    withdraw,
)
from runbooks.actions.operations.drafting import (
    BadActionError,
    Draft,
    draft_action,
    exclude,
    resolve_anew,
    take_in,
)
from runbooks.actions.operations.locking import WrongStatusError
from runbooks.actions.operations.planning import BadPlanError, NotPlannedError, StagePlan
from runbooks.actions.operations.reviewing import review_break_glass
from runbooks.actions.operations.rolling_back import CannotUndoError, draft_rollback
from runbooks.actions.operations.settling import receive_answer, settle
from runbooks.actions.operations.stages import GateClosedError, change_stop_rule, draft_stage, plan_stages

__all__ = [
    "BadActionError",
    "BadPlanError",
    "CannotUndoError",
    "Choice",
    "Draft",
    "GateClosedError",
    "ListChangedError",
    "NotPlannedError",
    "NotPreviewedError",
    "OwnRequestError",
    "StagePlan",
    "WrongCountError",
    "WrongStatusError",
    "begin",
    "break_glass",
    "cancel_rest",
    "change_stop_rule",
    "decide",
    "draft_action",
    "draft_rollback",
    "draft_stage",
    "exclude",
    "pause",
    "plan_stages",
    "receive_answer",
    "request_approval",
    "resolve_anew",
    "resume",
    "retry_failed",
    "review_break_glass",
    "settle",
    "take_in",
    "withdraw",
]
