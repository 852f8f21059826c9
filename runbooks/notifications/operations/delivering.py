"""Delivering what is due: claim (transaction), send, note (one statement), each message by itself.

The world outside is called in no transaction. Delivery is at least once: a worker killed between the other side's
answer and the note of it leaves a message of which nobody can know whether it left. It is sent again under the same
key, by which mail servers and providers show it once, and its row says that it may have come twice. There is at most
one such message a worker that dies, since the start of each is noted with the end of the one before.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection

from runbooks.notifications.channels import channel
from runbooks.notifications.channels.base import OF_THE_ADDRESS, ChannelError, Line
from runbooks.notifications.models import Notification
from runbooks.notifications.operations.breaking import (
    note_bad_point,
    note_fault,
    note_good_point,
    note_success,
)
from runbooks.notifications.operations.claiming import ATTEMPTS, Outgoing, claim

BATCH: Final = 50
LONGEST: Final = timedelta(minutes=4)
# What is left of a lease when the next message is begun: more than any channel takes for one.
SPARE: Final = timedelta(seconds=45)
BEFORE_THE_NEXT: Final = 3
LONGEST_WAIT: Final = timedelta(hours=1)
REASON_MAX: Final = 300
Status = Notification.Status

ATTEMPT: Final = """
INSERT INTO runbooks_notificationattempt
    (notification_id, at, channel, point_id, address, is_delivered, provider_id, reason_code, reason, outcome)
VALUES
    (%(id)s, %(at)s, %(channel)s, %(point)s, %(address)s, %(is_delivered)s, %(provider_id)s, %(code)s, %(reason)s, '')
"""
# A worker that outlived its lease changes a notice only if it did deliver it; one that was answered meanwhile stays so.
ENDED: Final = """
UPDATE runbooks_notification SET
    status = CASE WHEN status = 'waiting' THEN %(status)s WHEN %(is_delivered)s THEN 'delivered' ELSE status END,
    reason_code = CASE WHEN status = 'waiting' THEN %(code)s ELSE reason_code END,
    reason = CASE WHEN status = 'waiting' THEN %(reason)s ELSE reason END,
    attempts_made = CASE WHEN position = %(position)s THEN attempts_made ELSE 0 END,
    position = %(position)s,
    next_attempt_at = %(next_attempt_at)s,
    delivered_at = CASE WHEN %(is_delivered)s THEN coalesce(delivered_at, %(at)s) ELSE delivered_at END,
    leased_until = NULL,
    sending_since = NULL
WHERE id = %(id)s AND (leased_until = %(lease)s OR %(is_delivered)s)
"""
BEGUN: Final = """
UPDATE runbooks_notification SET sending_since = %(begun_at)s, attempts_made = attempts_made + 1
WHERE id = %(next)s AND status = 'waiting' AND leased_until = %(next_lease)s
RETURNING attempts_made
"""
ENDED_ALONE: Final = f"WITH attempt AS ({ATTEMPT}) {ENDED}"
ENDED_AND_BEGUN: Final = f"WITH attempt AS ({ATTEMPT}), ended AS ({ENDED}) {BEGUN}"


@dataclass(frozen=True, slots=True)
class Ending:
    """How one attempt ended."""

    outgoing: Outgoing
    at: datetime
    error: ChannelError | None
    provider_id: str = ""


def deliver(*, clock: Callable[[], datetime], only: Collection[UUID] | None = None) -> int:
    """Deliver what is due, the important first, until nothing is or four minutes are over; how many were due.

    `only` narrows it to these. Never inside a transaction.
    """
    began, found = clock(), 0
    while clock() - began < LONGEST:
        due, leaving = claim(clock(), limit=BATCH, only=only)
        for name, group in groupby(sorted(leaving, key=_channel_of), key=_channel_of):
            _send_all(name, list(group), clock)
        found += due
        if due < BATCH:
            break
    return found


def _channel_of(one: Outgoing) -> str:
    return one.place.channel


def _send_all(name: str, leaving: Sequence[Outgoing], clock: Callable[[], datetime]) -> None:
    """One message after the other over one line. A channel that rests from now on leaves the others for later."""
    last: Ending | None = None
    with ExitStack() as stack:
        line: Line | None = None
        for one in leaving:
            at = clock()
            if one.notice.leased_until is None or one.notice.leased_until - at < SPARE:
                break
            attempts, last = _note(last, one, at), None
            if attempts is None:
                continue
            one.notice.attempts_made = attempts
            try:
                line = line or stack.enter_context(channel(name).line())
                last = Ending(one, clock(), None, line.send(one.message).provider_id)
                if one.is_failing and one.place.point_id:
                    note_good_point(one.place.point_id)
            except ChannelError as error:
                last = Ending(one, clock(), error)
                if error.is_of_the_channel:
                    stack.close()
                    line = None
                    if note_fault(name, error, last.at).opened_until:
                        break
                elif one.place.point_id and error.reason in OF_THE_ADDRESS:
                    note_bad_point(one.place.point_id, error, last.at)
    _release(leaving)
    if last is not None:
        _note(last, None, clock())
        if last.error is None:
            note_success(name, last.at)


def _note(ending: Ending | None, following: Outgoing | None, at: datetime) -> int | None:
    """Keep how one ended and that the next begins, in one statement; the attempts of the next, None if it may not."""
    values: dict[str, Any] = {"begun_at": at}
    if following is not None:
        values |= {"next": following.notice.pk, "next_lease": following.notice.leased_until}
    if ending is not None:
        values |= _values(ending)
    statement = BEGUN if ending is None else ENDED_ALONE if following is None else ENDED_AND_BEGUN
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        begun = cursor.fetchone() if following is not None else None
    if ending is not None and ending.outgoing.carries:
        _note_carried(ending.outgoing.notice.pk)
    return begun[0] if begun else None


def _values(ending: Ending) -> dict[str, Any]:
    one, error = ending.outgoing, ending.error
    notice = one.notice
    status, position, next_attempt_at = _next(ending)
    return {
        "id": notice.pk,
        "at": ending.at,
        "lease": notice.leased_until,
        "channel": one.place.channel,
        "point": one.place.point_id,
        "address": channel(one.place.channel).shown(one.message.address)[:320],
        "is_delivered": error is None,
        "provider_id": ending.provider_id[:200],
        "code": error.reason if error else "",
        "reason": str(error)[:REASON_MAX] if error else "",
        "status": status,
        "position": position,
        "next_attempt_at": next_attempt_at,
    }


def _next(ending: Ending) -> tuple[Status, int, datetime]:
    """What comes of the notice: its status, the place of its route that is next, and when."""
    one, notice, error, at = ending.outgoing, ending.outgoing.notice, ending.error, ending.at
    if error is None:
        asks_on = notice.importance == Notification.Importance.IMPORTANT or one.then_waits
        if one.then is not None and asks_on:
            return Status.WAITING, one.then, at + one.then_waits
        return Status.DELIVERED, notice.position, at
    if error.permanent or notice.attempts_made >= (ATTEMPTS if one.then is None else BEFORE_THE_NEXT):
        if one.then is not None:
            return Status.WAITING, one.then, at
        return (Status.DELIVERED if notice.delivered_at else Status.FAILED), notice.position, at
    wait = wait_after(notice.attempts_made, notice.idempotency_key)
    return Status.WAITING, notice.position, at + max(wait, timedelta(seconds=error.retry_after or 0))


def _note_carried(carrier_id: UUID) -> None:
    """Whoever travels in another's message fares as that one does."""
    carrier = Notification.objects.get(pk=carrier_id)
    if carrier.delivered_at is not None or carrier.status != Status.WAITING:
        Notification.objects.filter(carried_by=carrier, status=Status.WAITING).update(
            status=Status.DELIVERED if carrier.delivered_at else carrier.status,
            delivered_at=carrier.delivered_at,
            reason_code=carrier.reason_code,
            reason=carrier.reason,
        )


def _release(leaving: Sequence[Outgoing]) -> None:
    """Give back what was leased and not begun."""
    ids = [one.notice.pk for one in leaving]
    leased = {one.notice.leased_until for one in leaving}
    unbegun = Notification.objects.filter(pk__in=ids, leased_until__in=leased, sending_since__isnull=True)
    unbegun.update(leased_until=None)


def wait_after(attempts_made: int, idempotency_key: str) -> timedelta:
    """The site's first wait, doubled with each attempt, at most 1 h; up to a quarter less by the notice's own key.

    So those that failed together do not all come back together, and nothing here is left to chance.
    """
    longest = min(timedelta(seconds=settings.NOTICE_RETRY_SECONDS) * (1 << (attempts_made - 1)), LONGEST_WAIT)
    return longest * (1 - int(idempotency_key[:4], 16) / 0xFFFF / 4)
