"""Whether a call is ours: what a holder may ask while somebody who says they are the desk is on the telephone."""

from datetime import datetime

from runbooks.confirmations.codes import CALL, digest_of
from runbooks.confirmations.models import DeskCall
from runbooks.confirmations.throttle import Origin, count_wrong, may_try


def is_call_open(*, login: str, reference: str, origin: Origin, at: datetime) -> bool:
    """Whether the desk is calling this holder now under this reference. Wrong ones count as wrong codes do.

    A reference that is not ours is what a false caller gives: the count of them raises the alarm.
    """
    if not may_try(origin):
        return False
    calls = DeskCall.objects.filter(
        reference_digest=digest_of(CALL, login, reference), reference_until__gt=at, ended_at__isnull=True
    )
    is_open = calls.exists()
    if not is_open:
        count_wrong(origin, login)
    return is_open
