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
from runbooks.actions.operations.reviewing import review_break_glass
from runbooks.actions.operations.rolling_back import CannotUndoError, draft_rollback
from runbooks.actions.operations.settling import receive_answer, settle

__all__ = [
    "BadActionError",
    "CannotUndoError",
    "Choice",
    "Draft",
    "ListChangedError",
    "NotPreviewedError",
    "OwnRequestError",
    "WrongCountError",
    "WrongStatusError",
    "begin",
    "break_glass",
    "cancel_rest",
    "decide",
    "draft_action",
    "draft_rollback",
    "exclude",
    "pause",
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
