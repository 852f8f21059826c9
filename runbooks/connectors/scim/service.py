"""A SCIM 2.0 service (RFC 7644): what it supports, its users and one group, and requests in its own words."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote

import httpx

from runbooks import outbound
from runbooks.connectors.base import AccountRef, ConnectorError
from runbooks.connectors.scim.dialect import ShapeError, member, quoted
from runbooks.connectors.web import WebSession, from_outbound, said, words_of
from runbooks.outbound import OutboundError

MEDIA: Final = "application/scim+json"
BULK_REQUEST: Final = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
SOUGHT_AT_ONCE, MOST_PAGES = 20, 50
UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404
USER_NAME, EXTERNAL_ID, ID = "userName", "externalId", "id"

Resource = Mapping[str, Any]


class RefusedError(ConnectorError):
    """A read was refused by a status of 400 to 499."""


@dataclass(frozen=True, slots=True)
class Support:
    """What the service says of itself."""

    patch: bool = True
    filters: bool = True
    bulk_operations: int = 0
    """The most operations of one bulk request; 0 where there is no bulk."""
    bulk_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What the service holds for one account: its user, or why there is none."""

    account: AccountRef
    user: Resource = field(default_factory=dict)
    problem: str = ""

    @property
    def id(self) -> str:
        return str(self.user[ID])

    @property
    def path(self) -> str:
        return f"/Users/{quote(self.id, safe='')}"


@dataclass(frozen=True, slots=True)
class Held:
    """A whole resource, and the version it must still have to be replaced."""

    resource: Resource
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    words: str = ""
    content: Any = None


class Service:
    """Every call raises ConnectorError; LostError where a change may have been made."""

    def __init__(self, name: str, session: WebSession, find_by: str) -> None:
        self.name, self.session, self.find_by = name, session, find_by
        self._base, self.host = session.where.url.rstrip("/"), session.where.host
        self._support: Support | None = None

    def close(self) -> None:
        self._support = None
        self.session.close()

    def support(self) -> Support:
        """From /ServiceProviderConfig, asked once; where there is none: PATCH and filters, no bulk."""
        if self._support is None:
            told = self.get("/ServiceProviderConfig")
            self._support = Support() if told is None else _support(told.resource)
        return self._support

    def find(self, accounts: Sequence[AccountRef], attributes: Sequence[str]) -> list[Found]:
        """Each account's user, in the order given."""
        found: dict[str, list[Resource]] = {}
        if self.find_by == ID:
            held = {key: self.get(f"/Users/{quote(key, safe='')}") for key in map(self.key, accounts) if key}
            found = {key: [one.resource] for key, one in held.items() if one and _is_resource(one.resource)}
        elif not self.support().filters:
            raise ConnectorError(f"{self.host} has no filters. Set find_by to id.", permanent=True)
        else:
            keys = list(dict.fromkeys(key for key in map(self.key, accounts) if key))
            for start in range(0, len(keys), SOUGHT_AT_ONCE):
                for user in self._matching(keys[start : start + SOUGHT_AT_ONCE], attributes):
                    found.setdefault(self._normal(str(member(user, self.find_by))), []).append(user)
        return [self._found(account, found.get(self._normal(self.key(account)), [])) for account in accounts]

    def key(self, account: AccountRef) -> str:
        return account.login if self.find_by == USER_NAME else account.external_id

    def count(self) -> int:
        """How many users can be read."""
        told = self.get("/Users", {"count": "1"})
        total = member(told.resource, "totalResults") if told else 0
        if not isinstance(total, int):
            raise self._misunderstood("there is no totalResults")
        return total

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Held | None:
        """One resource, or None where there is none."""
        response = self.session.call("GET", self._base + path, params=params)
        status = response.status_code
        if status == NOT_FOUND:
            return None
        self._check(response)
        if status != 200:
            raise RefusedError(f"{self.host} refuses to read ({status}){said(response)}.", permanent=True)
        content = self._content(response)
        if not isinstance(content, dict):
            raise self._misunderstood("it is no resource")
        meta = member(content, "meta")
        version = member(meta, "version") if isinstance(meta, dict) else ""
        return Held(content, response.headers.get("ETag") or (version if isinstance(version, str) else ""))

    def send(self, method: str, path: str, body: Mapping[str, Any], etag: str = "") -> Reply:
        """A change. A refusal is a reply, but for that of the token."""
        headers = {"Content-Type": MEDIA, **({"If-Match": etag} if etag else {})}
        data = json.dumps(body, ensure_ascii=False).encode()
        response = self.session.call(method, self._base + path, body=data, headers=headers)
        if response.status_code == UNAUTHORIZED:
            self._check(response)
        if response.is_success and response.content:
            return Reply(response.status_code, content=self._content(response))
        return Reply(response.status_code, said(response).removeprefix(": "))

    def operation(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A PATCH as one of a bulk request."""
        return {"method": "PATCH", "path": path, "data": body}

    def bulk(self, operations: Sequence[Mapping[str, Any]]) -> Reply:
        return self.send("POST", "/Bulk", {"schemas": [BULK_REQUEST], "Operations": list(operations)})

    def replies(self, content: Any, paths: Sequence[str]) -> list[Reply | None]:
        """What a bulk answer says of each path; None where nothing. Raises ShapeError."""
        told = member(content, "Operations") if isinstance(content, dict) else None
        if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
            raise self._misunderstood("a bulk answer has no Operations")
        ends, wanted = [_end(member(one, "location")) for one in told], [_end(path) for path in paths]
        if len(told) == len(paths) and all(end in {"", want} for end, want in zip(ends, wanted, strict=True)):
            return [_inner(one) for one in told]  # in the order sent; a refusal may name no place
        by_end = dict(zip(ends, told, strict=True))
        return [_inner(by_end[want]) if want in by_end else None for want in wanted]

    def _matching(self, keys: Sequence[str], attributes: Sequence[str]) -> list[Resource]:
        try:
            return list(self._listed(" or ".join(f"{self.find_by} eq {quoted(key)}" for key in keys), attributes))
        except RefusedError:
            if len(keys) == 1:
                raise
            return [user for key in keys for user in self._matching([key], attributes)]  # some know no "or"

    def _listed(self, wanted: str, attributes: Sequence[str]) -> Iterator[Resource]:
        """All pages of a list."""
        params = {"filter": wanted, "attributes": ",".join((self.find_by, *attributes))}
        start = 1
        for _ in range(MOST_PAGES):
            told = self.get("/Users", {**params, "startIndex": str(start)})
            page = (member(told.resource, "Resources") or []) if told else []
            total = member(told.resource, "totalResults") if told else 0
            if not isinstance(page, list) or not isinstance(total, int) or not all(map(_is_resource, page)):
                raise self._misunderstood("it is no list of users")
            yield from page
            start += len(page)
            if not page or start > total:
                return

    def _normal(self, key: str) -> str:
        """User names have no case, ids and external ids do (RFC 7643, 4.1.1 and 3.1)."""
        return key.lower() if self.find_by == USER_NAME else key

    def _found(self, account: AccountRef, users: Sequence[Resource]) -> Found:
        if len(users) == 1:
            return Found(account, users[0])
        problem = f"{len(users)} users have" if users else "No user has"
        return Found(account, problem=f"{problem} the {self.find_by} {self.key(account) or 'this account lacks'}.")

    def _check(self, response: httpx.Response) -> None:
        if response.status_code == UNAUTHORIZED:
            variable = f"CONNECTION_{self.name}_TOKEN".upper().replace("-", "_")
            raise ConnectorError(f"{self.host} refuses the token (401). Put a new one into {variable}.", permanent=True)
        if response.status_code == FORBIDDEN:
            mend = "Grant the token to read users, and the group where one is set."
            raise ConnectorError(f"{self.host} forbids reading (403){said(response)}. {mend}", permanent=True)

    def _content(self, response: httpx.Response) -> Any:
        try:
            return outbound.content_of(response)
        except OutboundError as error:
            raise from_outbound(error) from error

    def _misunderstood(self, reason: str) -> ShapeError:
        return ShapeError(f"The answer of {self.host} is not understood: {reason}. Check that url is that of SCIM 2.0.")


def _end(place: Any) -> str:
    """The id at the end of an address."""
    return unquote(place.rstrip("/").rpartition("/")[2]) if isinstance(place, str) else ""


def _is_resource(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get(ID), str) and bool(one[ID]) and one[ID].isprintable()


def _support(told: Resource) -> Support:
    def of(name: str) -> Mapping[str, Any]:
        value = member(told, name)
        return value if isinstance(value, dict) else {}

    bulk = of("bulk")
    most, size = bulk.get("maxOperations"), bulk.get("maxPayloadSize")
    has_bulk = bulk.get("supported") is True and isinstance(most, int) and most > 1
    return Support(
        patch=of("patch").get("supported") is not False,
        filters=of("filter").get("supported") is not False,
        bulk_operations=most if has_bulk and isinstance(most, int) else 0,
        bulk_bytes=size if isinstance(size, int) and size > 0 else 1024 * 1024,
    )


def _inner(operation: Mapping[str, Any]) -> Reply:
    """The status is a text, a number, or an object of the drafts."""
    status, response = member(operation, "status"), member(operation, "response")
    code = status.get("code") if isinstance(status, dict) else status
    text = str(code)
    if not (text.isascii() and text.isdigit() and len(text) == 3):
        raise ShapeError("An operation of a bulk answer has no status.")
    return Reply(int(text), words_of(response.get("detail")) if isinstance(response, dict) else "")
