"""Changing an attribute of many users: by bulk requests where the service has them, else one by one."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from runbooks.connectors.base import ActionResult, ConnectorError, Outcome, Values, failure
from runbooks.connectors.scim.dialect import Attribute, Dialect, ShapeError
from runbooks.connectors.scim.service import FORBIDDEN, NOT_FOUND, UNAUTHORIZED, Found, Reply, Service
from runbooks.connectors.web import AGAIN_SECONDS, NOT_IMPLEMENTED, NOT_NOW, LostError

T = TypeVar("T")
CHANGED_MEANWHILE: Final = frozenset({409, 412})
AROUND_BYTES: Final = 512
"""What a bulk request takes besides its operations, generously."""


@dataclass(frozen=True, slots=True)
class Change:
    found: Found
    attribute: Attribute
    wanted: tuple[str, ...]
    before: Values


class Writer:
    def __init__(self, service: Service, dialect: Dialect, *, uses_bulk: bool) -> None:
        self._service, self._dialect, self._uses_bulk = service, dialect, uses_bulk
        self._bulk_failed = False

    @property
    def patches(self) -> bool:
        return self._dialect.patches and self._service.support().patch

    @property
    def bulk_operations(self) -> int:
        """The most of one bulk request; 0 where changes go one by one."""
        is_used = self._uses_bulk and self.patches and not self._bulk_failed
        return self._service.support().bulk_operations if is_used else 0

    def forget(self) -> None:
        self._bulk_failed = False

    def write(self, changes: Sequence[Change]) -> list[ActionResult]:
        """A result a change. Raises ConnectorError where nothing at all was done."""
        return in_turn(list(self._batches(changes)), self._write, failed) if changes else []

    def write_one(self, change: Change) -> ActionResult:
        """Raises ConnectorError, LostError."""
        path, before = change.found.path, change.before
        if self.patches:
            reply = self._service.send("PATCH", path, self._dialect.change(change.attribute, change.wanted))
        else:
            reply = self._replace(change)
        result = judged(change.found, reply, before)
        if result.outcome is Outcome.OK and isinstance(reply.content, dict):
            return _compared(change, reply.content, result)
        return result

    def _write(self, batch: Sequence[Change]) -> list[ActionResult]:
        if len(batch) == 1:
            return [self.write_one(batch[0])]
        if not self._bulk_failed:
            return self._write_bulk(batch)
        return in_turn([[change] for change in batch], self._write, failed)

    def _write_bulk(self, batch: Sequence[Change]) -> list[ActionResult]:
        reply = self._service.bulk([self._operation(change) for change in batch])
        if reply.status == FORBIDDEN:
            return [judged(change.found, reply, change.before) for change in batch]
        if reply.status >= 400:  # not one of them was done
            self._bulk_failed = True
            return self._write(batch)
        try:
            inner = self._service.replies(reply.content, [change.found.path for change in batch])
        except ShapeError as error:
            raise LostError(str(error), permanent=True) from error
        unsaid = "Not known whether it was done: nothing was answered about it."
        return [
            judged(change.found, one, change.before)
            if one
            else failure(change.found.account, unsaid, permanent=False, before=change.before)
            for change, one in zip(batch, inner, strict=True)
        ]

    def _replace(self, change: Change) -> Reply:
        """The whole user as it is, but for the one attribute; once more when somebody else changed it meanwhile."""
        reply = Reply(NOT_FOUND)
        for _ in range(2):
            held = self._service.get(change.found.path)
            if held is None:
                return Reply(NOT_FOUND)
            whole = change.attribute.written(held.resource, self._dialect.value(change.wanted))
            whole.pop("meta", None)  # the service's own, which some refuse to be told
            reply = self._service.send("PUT", change.found.path, whole, held.etag)
            if reply.status not in CHANGED_MEANWHILE:
                break
        return reply

    def _operation(self, change: Change) -> dict[str, Any]:
        return self._service.operation(change.found.path, self._dialect.change(change.attribute, change.wanted))

    def _batches(self, changes: Sequence[Change]) -> Iterator[list[Change]]:
        """As many at once as a bulk request holds, by number and by size; else one by one."""
        most = self.bulk_operations
        if not most:
            yield from ([change] for change in changes)
            return
        room = self._service.support().bulk_bytes - AROUND_BYTES
        batch: list[Change] = []
        size = 0
        for change in changes:
            takes = len(json.dumps(self._operation(change), ensure_ascii=False).encode()) + 2
            if batch and (len(batch) == most or size + takes > room):
                yield batch
                batch, size = [], 0
            batch.append(change)
            size += takes
        yield batch


def judged(found: Found, reply: Reply, before: Values) -> ActionResult:
    """What one status means for one account; a bulk answer of 200 says nothing of those inside."""
    status, account = reply.status, found.account
    why = f": {reply.words.rstrip('.')}" if reply.words else ""
    if 200 <= status < 300:
        return ActionResult(account, Outcome.OK, before)
    if status == NOT_FOUND:
        return failure(account, f"It is not there any more ({status}).", permanent=True, before=before)
    if status in {UNAUTHORIZED, FORBIDDEN}:
        mend = "Grant the token to write this user."
        return failure(account, f"Forbidden ({status}){why}. {mend}", permanent=True, before=before)
    if status in CHANGED_MEANWHILE or status in NOT_NOW:
        reason = f"Somebody else changes it, or too many do ({status}){why}."
        return failure(account, reason, permanent=False, before=before, retry_after=AGAIN_SECONDS)
    if status >= 500 and status != NOT_IMPLEMENTED:
        reason = f"Not known whether it was done: the service failed ({status}){why}."
        return failure(account, reason, permanent=False, before=before, retry_after=AGAIN_SECONDS)
    return failure(account, f"Refused ({status}){why}. Another dialect may be needed.", permanent=True, before=before)


def in_turn(
    batches: Sequence[Sequence[T]],
    write: Callable[[Sequence[T]], list[ActionResult]],
    fail: Callable[[T, str, ConnectorError], ActionResult],
) -> list[ActionResult]:
    """Writes batch after batch until one is lost or put off: of the rest it is told that they were not tried.

    Raises ConnectorError only where nothing at all was done.
    """
    results: list[ActionResult] = []
    for number, batch in enumerate(batches):
        try:
            results += write(batch)
        except LostError as error:
            results += [fail(one, "Not known whether it was done", error) for one in batch]
        except ConnectorError as error:
            if not results:
                raise
            results += [fail(one, "Not tried", error) for one in batch]
        else:
            continue
        stopped = ConnectorError("The one before it went wrong.", permanent=False, retry_after=AGAIN_SECONDS)
        results += [fail(one, "Not tried", stopped) for later in batches[number + 1 :] for one in later]
        break
    return results


def failed(change: Change, what: str, error: ConnectorError) -> ActionResult:
    return unwritten(change.found, what, error, change.before)


def unwritten(found: Found, what: str, error: ConnectorError, before: Values) -> ActionResult:
    return failure(
        found.account,
        f"{what}: {error}",
        permanent=error.permanent,
        before=before,
        retry_after=error.retry_after,
    )


def _compared(change: Change, user: Mapping[str, Any], result: ActionResult) -> ActionResult:
    """A service that does not know the dialect may answer well, change nothing, and show it."""
    try:
        now = change.attribute.raw(user)
    except ShapeError:
        now = []
    if not now or tuple(now) == change.wanted or not change.wanted:
        return result
    reason = f"It answered well, and {change.attribute.path} is still {now[0]}. Try another dialect."
    return failure(change.found.account, reason, permanent=True, before=change.before)
