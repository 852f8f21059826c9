"""What holders, the desk and the directory say."""

from runbooks.confirmations.operations.confirming import CodeDidNotWorkError, Opened, answer, open_code, reopen
from runbooks.confirmations.operations.genuine import is_call_open
from runbooks.confirmations.operations.issuing import CannotIssueError, Issued, Order, issue_codes
from runbooks.confirmations.operations.keeping import NotKeptError

__all__ = [
    "CannotIssueError",
    "CodeDidNotWorkError",
    "Issued",
    "NotKeptError",
    "Opened",
    "Order",
    "answer",
    "is_call_open",
    "issue_codes",
    "open_code",
    "reopen",
]
