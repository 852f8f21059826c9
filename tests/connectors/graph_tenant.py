"""A Microsoft Entra tenant in memory: its accounts, one group, one policy, and what may go wrong with them.

What a request answers follows Graph's published reference; faults are set by the test.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.connectors.stages import Clock

ALL_ROLES = frozenset(
    {
        "User.Read.All",
        "User.EnableDisableAccount.All",
        "User.RevokeSessions.All",
        "User-PasswordProfile.ReadWrite.All",
        "GroupMember.ReadWrite.All",
        "Policy.Read.All",
        "Policy.ReadWrite.ConditionalAccess",
        "Application.Read.All",
    }
)
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sent:
    """A request as it arrived; the ones inside a $batch stand after it, one by one."""

    method: str
    path: str
    body: Any


@dataclass
class Fault:
    """Answers `reply` to requests of this method whose path ends so, as often as it says."""

    method: str
    ending: str
    reply: Reply
    times: int = 1_000_000
    is_done: bool = False
    """Whether the change is made all the same, as when an answer is lost."""


class Lagging:
    """A value whose readers see it as it was a while ago."""

    def __init__(self, value: Any) -> None:
        self._versions = [(datetime.min.replace(tzinfo=UTC), value)]

    @property
    def true(self) -> Any:
        return copy.deepcopy(self._versions[-1][1])

    def seen(self, now: datetime) -> Any:
        return copy.deepcopy(next(value for at, value in reversed(self._versions) if at <= now))

    def write(self, value: Any, visible_at: datetime) -> None:
        self._versions.append((visible_at, value))


def error(status: int, code: str, message: str, **headers: str) -> Reply:
    inner = {"date": "2017-06-23T20:00:00", "request-id": str(uuid4()), "client-request-id": str(uuid4())}
    return Reply(status, {"error": {"code": code, "message": message, "innerError": inner}}, headers)


def too_many(retry_after: str | None = None) -> Reply:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Reply(429, error(429, "TooManyRequests", "Too many requests.").body, headers)


def denied() -> Reply:
    return error(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def missing(name: str) -> Reply:
    text = f"Resource '{name}' does not exist or one of its queried reference-property objects are not present."
    return error(404, "Request_ResourceNotFound", text)


def user(upn: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "userPrincipalName": upn,
        "accountEnabled": True,
        "userType": "Member",
        "onPremisesSyncEnabled": None,
        "signInSessionsValidFromDateTime": "2017-01-09T08:00:00Z",
        "lastPasswordChangeDateTime": "2016-11-02T10:30:00Z",
        "passwordProfile": {"forceChangePasswordNextSignIn": False, "forceChangePasswordNextSignInWithMfa": False},
        "isAdministrator": False,
        **changes,
    }


class Tenant:
    def __init__(self, *upns: str) -> None:
        self.clock = Clock()
        self.tenant_id, self.client_id, self.secret = str(uuid4()), str(uuid4()), f"sk-{uuid4().hex}"
        self.roles = set(ALL_ROLES)
        self.users: dict[str, Lagging] = {}
        for upn in upns:
            self.add(user(upn))
        self.group_id, self.policy_id = str(uuid4()), str(uuid4())
        self.break_glass = [str(uuid4()), str(uuid4())]
        self.members = Lagging([])
        self.nested: list[str] = []
        self.policy = Lagging(self._policy())
        # What may go wrong
        self.lag_seconds = 0.0
        self.token_seconds = 3600
        self.writes_left: int | None = None
        self.percentage = ""
        self.faults: list[Fault] = []
        self._last_policy_call = datetime.min.replace(tzinfo=UTC)

    # For the test to arrange and to look

    def add(self, one: dict[str, Any]) -> str:
        self.users[one["id"]] = Lagging(one)
        return str(one["id"])

    def id_of(self, upn: str) -> str:
        return next(i for i, one in self.users.items() if one.true["userPrincipalName"].lower() == upn.lower())

    def true(self, upn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.users[self.id_of(upn)].true
        return found

    def change(self, upn: str, **values: Any) -> None:
        """As an administrator does in the portal of Entra, seen at once."""
        lagging = self.users[self.id_of(upn)]
        lagging.write({**lagging.true, **values}, self.clock())

    def join(self, *upns: str) -> None:
        self.members.write([*self.members.true, *(self.id_of(upn) for upn in upns)], self.clock())

    def set_policy(self, state: str | None = None, **users: Any) -> None:
        policy = self.policy.true
        policy["state"] = state or policy["state"]
        policy["conditions"]["users"] |= users
        self.policy.write(policy, self.clock())

    def included(self) -> list[str]:
        found: list[str] = self.policy.true["conditions"]["users"]["includeUsers"]
        return found

    def _policy(self) -> dict[str, Any]:
        return {
            "id": self.policy_id,
            "displayName": "No remote access",
            "state": "enabled",
            "conditions": {
                "clientAppTypes": ["all"],
                "applications": {"includeApplications": ["All"]},
                "locations": {"includeLocations": ["All"], "excludeLocations": ["AllTrusted"]},
                "users": {
                    "includeUsers": ["None"],
                    "excludeUsers": list(self.break_glass),
                    "includeGroups": [],
                    "excludeGroups": [],
                    "includeRoles": [],
                    "excludeRoles": [],
                },
            },
            "grantControls": {"operator": "OR", "builtInControls": ["block"]},
        }

    # What Graph answers

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Reply:
        for fault in self.faults:
            if fault.times > 0 and fault.method == method and path.endswith(fault.ending):
                fault.times -= 1
                if fault.is_done:
                    self._routed(method, path.strip("/").split("/"), query, body)
                return fault.reply
        if method != "GET" and self.writes_left is not None:
            if self.writes_left <= 0:
                return too_many("17")
            self.writes_left -= 1
        reply = self._routed(method, path.strip("/").split("/"), query, body)
        if self.percentage:
            return Reply(reply.status, reply.body, {**reply.headers, "x-ms-throttle-limit-percentage": self.percentage})
        return reply

    def _routed(self, method: str, parts: list[str], query: Mapping[str, str], body: Any) -> Reply:
        match (method, *parts):
            case ("GET", "users"):
                everybody = [{"id": one} for one in self.users][: int(query.get("$top", 100))]
                return self._if("User.Read.All", Reply(200, {"value": everybody}))
            case (_, "users", name, *rest):
                return self._of_user(method, name, rest, query, body)
            case ("GET", "groups", self.group_id):
                return self._if("GroupMember.ReadWrite.All", Reply(200, {"id": self.group_id, "displayName": "Remote"}))
            case ("GET", "groups", self.group_id, "members", *kind):
                return self._if("GroupMember.ReadWrite.All", self._page(query, is_groups=bool(kind)))
            case ("POST", "groups", self.group_id, "members", "$ref"):
                return self._if("GroupMember.ReadWrite.All") or self._join(str(body["@odata.id"]).rsplit("/", 1)[1])
            case ("DELETE", "groups", self.group_id, "members", name, "$ref"):
                return self._if("GroupMember.ReadWrite.All") or self._leave(name)
            case (_, "identity", "conditionalAccess", "policies", name):
                return self._of_policy(method, name, body)
            case (_, "groups", name, *_):
                return missing(name)
        return error(400, "BadRequest", f"Resource not found for the segment '{parts[0]}'.")

    def _if(self, role: str, reply: Reply | None = None) -> Any:
        return reply if role in self.roles else denied()

    def _visible_at(self) -> datetime:
        return self.clock() + timedelta(seconds=self.lag_seconds)

    def _of_user(self, method: str, name: str, rest: list[str], query: Mapping[str, str], body: Any) -> Reply:
        found = next(
            (one for i, one in self.users.items() if name.lower() in (i, one.true["userPrincipalName"].lower())), None
        )
        if found is None:
            return missing(name)
        if method == "GET" and not rest:
            wanted = query.get("$select", "id").split(",")
            if "passwordProfile" in wanted and "User-PasswordProfile.ReadWrite.All" not in self.roles:
                return denied()
            seen = found.seen(self.clock())
            return self._if("User.Read.All", Reply(200, {key: seen[key] for key in wanted}))
        if method == "GET" and rest[0] == "memberOf":
            groups = [self.group_id] if found.true["id"] in self.members.seen(self.clock()) else []
            return self._if("GroupMember.ReadWrite.All", Reply(200, {"value": [{"id": one} for one in groups]}))
        if method == "POST" and rest == ["revokeSignInSessions"]:
            return self._if("User.RevokeSessions.All") or self._revoke(found)
        if method == "PATCH" and not rest:
            return self._patch(found, body)
        return error(400, "BadRequest", "Resource not found for the segment.")

    def _revoke(self, found: Lagging) -> Reply:
        if found.true["userType"] != "Guest":  # Graph answers well, and a guest's sessions go on in the home tenant
            now = self.clock().isoformat().replace("+00:00", "Z")
            found.write({**found.true, "signInSessionsValidFromDateTime": now}, self._visible_at())
        return Reply(200, {"@odata.context": "https://graph.example/$metadata#Edm.Boolean", "value": True})

    def _patch(self, found: Lagging, body: Any) -> Reply:
        """All of it or nothing, as Graph does it: one refused property, and the account stays enabled."""
        needed = {
            "accountEnabled": "User.EnableDisableAccount.All",
            "passwordProfile": "User-PasswordProfile.ReadWrite.All",
        }
        if not set(body) <= set(needed):
            return error(400, "Request_BadRequest", "A property is unknown.")
        if len(body) > 1 or found.true["isAdministrator"] or any(needed[key] not in self.roles for key in body):
            return denied()
        value = found.true
        for key, new in body.items():
            value[key] = {**value[key], **new} if isinstance(new, dict) else new
        found.write(value, self._visible_at())
        return Reply(204)

    def _join(self, user_id: str) -> Reply:
        if user_id not in self.users:
            return missing(user_id)
        if user_id in self.members.true:
            text = "One or more added object references already exist for the following modified properties: 'members'."
            return error(400, "Request_BadRequest", text)
        self.members.write([*self.members.true, user_id], self._visible_at())
        return Reply(204)

    def _leave(self, user_id: str) -> Reply:
        if user_id not in self.members.true:
            return missing(user_id)
        self.members.write([one for one in self.members.true if one != user_id], self._visible_at())
        return Reply(204)

    def _page(self, query: Mapping[str, str], *, is_groups: bool) -> Reply:
        """`$skiptoken` is the place to go on from; the server makes the whole link of it."""
        everybody = self.nested if is_groups else self.members.seen(self.clock())
        start, size = int(query.get("$skiptoken", 0)), int(query.get("$top", 100))
        body: dict[str, Any] = {"value": [{"id": one} for one in everybody[start : start + size]]}
        if start + size < len(everybody):
            body["@odata.nextLink"] = (
                f"/groups/{self.group_id}/members?$select=id&$top={size}&$skiptoken={start + size}"
            )
        return Reply(200, body)

    def _of_policy(self, method: str, name: str, body: Any) -> Reply:
        now = self.clock()
        if now - self._last_policy_call < timedelta(seconds=1):
            return too_many()  # and without a Retry-After, as this part of Graph does it
        self._last_policy_call = now
        if "Policy.Read.All" not in self.roles:
            return denied()
        if name != self.policy_id:
            return missing(name)
        if method == "GET":
            return Reply(200, self.policy.seen(now))
        if "Policy.ReadWrite.ConditionalAccess" not in self.roles:
            return denied()
        policy = self.policy.true
        users = body.get("conditions", {}).get("users", {})
        if users.get("includeUsers") == []:
            return error(400, "BadRequest", "1009: the policy must include somebody, or None.")
        policy["conditions"]["users"] |= users
        self.policy.write(policy, self._visible_at())
        return Reply(204)
