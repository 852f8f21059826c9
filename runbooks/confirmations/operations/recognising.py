"""How the desk makes sure whom it speaks with. Nothing that can be read in the mailbox proves anything."""

from datetime import datetime
from typing import Final

from runbooks.confirmations.models import DeskCall
from runbooks.confirmations.queries.planning import ago, fresh_days
from runbooks.directory.models import Account
from runbooks.errors import DomainError

Check = DeskCall.Check
NEEDS_NOTE: Final = {
    Check.VOUCHED: "Name the colleague who vouched.",
    Check.TWO_FACTS: "Say which two facts were asked for, not what the answers were.",
}


class NotRecognisedError(DomainError):
    """It is not said, or not enough, how the holder was recognised."""

    status = 400


def recognised(check: str, note: str, account: Account, at: datetime) -> str:
    """The sentence that is kept of it. Raises NotRecognisedError."""
    if check not in Check.values:
        raise NotRecognisedError("Say how the holder was recognised. Without that, nobody was reached.")
    if check in NEEDS_NOTE and not note.strip():
        raise NotRecognisedError(NEEDS_NOTE[Check(check)])
    days = fresh_days(account, at)
    if check == Check.CALLED_BACK and days is not None:
        raise NotRecognisedError(
            f"What is on file changed {ago(days)}, so calling back proves nothing: whoever broke in may have done it. "
            "Recognise the holder by two facts, a pass or a colleague."
        )
    label = Check(check).label
    return f"{label}: {note.strip()}"[:200] if note.strip() else label
