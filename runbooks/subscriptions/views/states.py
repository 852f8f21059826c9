"""How a subscription stands and where a page of a list goes on, in words that several pages use."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from runbooks.subscriptions.models import Subscription
from runbooks.subscriptions.queries import Place


@dataclass(frozen=True, slots=True)
class State:
    """`word` is for the chip, `key` for the pages to choose by."""

    key: str
    word: str
    icon: str
    tone: str


ENDED = State("ended", "Ended", "ban", "")
DISABLED = State("disabled", "Disabled", "fail", "bad")
PAUSED = State("paused", "Paused", "pause", "wait")
FAILING = State("failing", "Failing", "warn", "wait")
NEW = State("new", "No call yet", "clock", "")
ACTIVE = State("active", "Active", "check", "good")


def state_of(subscription: Subscription) -> State:
    if subscription.ended_at:
        return ENDED
    if subscription.disabled_at:
        return DISABLED
    if subscription.paused_at:
        return PAUSED
    if subscription.failing_since or subscription.failures:
        return FAILING
    return ACTIVE if subscription.called_at else NEW


def cursor_of(moment: datetime, row_id: UUID) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%S%f}.{row_id}"


def place_of(cursor: str) -> Place | None:
    """The place a link to older rows names; nonsense counts as the beginning."""
    moment, _, row_id = cursor.partition(".")
    try:
        return datetime.strptime(moment, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC), UUID(row_id)
    except ValueError:
        return None
