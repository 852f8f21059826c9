"""Remote access by membership of one group: one request for all of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from runbooks.connectors.base import ActionResult, ConnectorError
from runbooks.connectors.scim.dialect import Dialect, ShapeError, member
from runbooks.connectors.scim.service import Found, Held, Reply, Service
from runbooks.connectors.scim.writing import CHANGED_MEANWHILE, in_turn, judged, unwritten

REFUSED_TOGETHER: Final = frozenset({400, 409, 412, 413, 422})
"""One of them may be the reason; each alone may pass."""


@dataclass(frozen=True, slots=True)
class Group:
    members: frozenset[str]
    """Ids of users, and of groups inside."""
    groups: tuple[str, ...] = ()
    """Those that are groups."""


class GroupWriter:
    def __init__(self, service: Service, dialect: Dialect, group_id: str) -> None:
        self._service, self._dialect, self.id = service, dialect, group_id
        self._path = f"/Groups/{quote(group_id, safe='')}"

    @property
    def _patches(self) -> bool:
        return self._dialect.patches and self._service.support().patch

    def read(self) -> Group:
        """Raises ConnectorError where there is no such group."""
        entries = _entries(self._held({"attributes": "members"}))
        ids = frozenset(str(entry.get("value")) for entry in entries)
        return Group(ids, tuple(str(entry.get("value")) for entry in entries if entry.get("type") == "Group"))

    def before(self, found: Found, group: Group) -> dict[str, list[str]]:
        """Under the group's id the user's own, if it is in."""
        return {self.id: [found.id] if found.id in group.members else []}

    def change(self, to_add: Sequence[Found], to_remove: Sequence[Found], group: Group) -> list[ActionResult]:
        """Raises ConnectorError where nothing at all was done."""
        batches = [[(one, add) for one in found] for add, found in ((True, to_add), (False, to_remove)) if found]
        return self._in_turn(batches, group)

    def _in_turn(self, batches: Sequence[Sequence[tuple[Found, bool]]], group: Group) -> list[ActionResult]:
        def write(batch: Sequence[tuple[Found, bool]]) -> list[ActionResult]:
            reply = self._send([found for found, _ in batch], add=batch[0][1])
            if reply.status in REFUSED_TOGETHER and len(batch) > 1:
                return self._in_turn([[one] for one in batch], group)
            return [judged(found, reply, self.before(found, group)) for found, _ in batch]

        def fail(one: tuple[Found, bool], what: str, error: ConnectorError) -> ActionResult:
            return unwritten(one[0], what, error, self.before(one[0], group))

        return in_turn(batches, write, fail)

    def _send(self, changing: Sequence[Found], *, add: bool) -> Reply:
        ids = [one.id for one in changing]
        if self._patches:
            return self._service.send("PATCH", self._path, self._dialect.members(ids, add=add))
        reply = Reply(0)
        for _ in range(2):
            held = self._held()
            # Left out unless asked for by some, who would then take the group for empty.
            entries = _entries(held if member(held.resource, "members") else self._held({"attributes": "members"}))
            others = [entry for entry in entries if entry.get("value") not in ids]
            members = [*others, *({"value": one} for one in ids)] if add else others
            whole = {key: value for key, value in held.resource.items() if key.lower() not in {"members", "meta"}}
            reply = self._service.send("PUT", self._path, {**whole, "members": members}, held.etag)
            if reply.status not in CHANGED_MEANWHILE:
                break
        return reply

    def _held(self, params: dict[str, str] | None = None) -> Held:
        held = self._service.get(self._path, params)
        if held is None:
            raise ConnectorError(f"There is no group {self.id}. Set group to the id of one.", permanent=True)
        return held


def _entries(held: Held) -> list[dict[str, Any]]:
    entries = member(held.resource, "members") or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ShapeError("The members of the group are no list.")
    return entries
