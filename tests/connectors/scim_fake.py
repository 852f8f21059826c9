"""A SCIM server of a narrower mind than the real one: one dialect, limits, versions, and faults a test sets."""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.connectors.served import Asked, Said

SCIM = {"Content-Type": "application/scim+json"}
Operation = dict[str, Any]


def refused(status: int, detail: str = "") -> Said:
    return Said(status, {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "detail": detail}, SCIM)


class Narrow:
    def __init__(self, *logins: str) -> None:
        self.users: dict[str, dict[str, Any]] = {
            f"id-{login}": {"id": f"id-{login}", "userName": login, "active": True, "nickName": f"N. {login}"}
            for login in logins
        }
        self.groups: dict[str, dict[str, Any]] = {}
        self.support: dict[str, Any] = {"patch": {"supported": True}, "filter": {"supported": True}}
        self.takes: Callable[[Operation], bool] = lambda operation: True
        """The operations of a PATCH it knows; at another it answers 400."""
        self.fault: Callable[[Asked], Said | None] = lambda asked: None
        self.inner: Callable[[str], tuple[Any, str] | None] = lambda path: None
        """The status and the detail of an operation inside a bulk request that fails."""
        self.has_versions = False
        self.versions: dict[str, int] = {}
        self.asked: list[Asked] = []

    def __call__(self, asked: Asked) -> Said:
        self.asked.append(asked)
        if (fault := self.fault(asked)) is not None:
            return fault
        parts = urlsplit(asked.path)
        kind, _, key = unquote(parts.path).strip("/").partition("/")
        if kind == "ServiceProviderConfig":
            return Said(200, self.support, SCIM)
        if kind == "Bulk":
            return self._bulk(asked.content)
        if kind == "Users" and not key:
            return self._list(parse_qs(parts.query))
        return self._one(asked, {"Users": self.users, "Groups": self.groups}[kind], key)

    def sent(self, method: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == method]

    def allow_bulk(self, operations: int, payload: int = 1_000_000) -> None:
        self.support["bulk"] = {"supported": True, "maxOperations": operations, "maxPayloadSize": payload}

    def active(self) -> dict[str, Any]:
        return {user["userName"]: user.get("active") for user in self.users.values()}

    def _list(self, query: dict[str, list[str]]) -> Said:
        wanted = query.get("filter", [""])[0]
        keys = [json.loads(text) for text in re.findall(r'"(?:[^"\\]|\\.)*"', wanted)]
        attribute = wanted.partition(" ")[0] or "userName"
        found = [user for user in self.users.values() if not wanted or user.get(attribute) in keys]
        start = int(query.get("startIndex", ["1"])[0]) - 1
        page = found[start : start + 2]  # a small page, as a service may choose
        return Said(200, {"totalResults": len(found), "Resources": page}, SCIM)

    def _one(self, asked: Asked, held: dict[str, dict[str, Any]], key: str) -> Said:
        if key not in held:
            return refused(404, f"{key} not found")
        headers = {**SCIM, **({"ETag": f'W/"{self.versions.get(key, 0)}"'} if self.has_versions else {})}
        if asked.method == "GET":
            return Said(200, held[key], headers)
        given = asked.headers.get("If-Match")
        if given and given != headers.get("ETag"):
            return refused(412, "changed")
        self.versions[key] = self.versions.get(key, 0) + 1
        if asked.method == "PUT":
            held[key] = asked.content
            return Said(200, held[key], headers)
        return self._patch(held[key], asked.content)

    def _patch(self, resource: dict[str, Any], content: Any) -> Said:
        for operation in content["Operations"]:
            if not self.takes(operation):
                return refused(400, "invalidSyntax")
            self._apply(resource, operation)
        return Said(204)

    def _apply(self, resource: dict[str, Any], operation: Operation) -> None:
        path, op = operation.get("path", ""), operation["op"].lower()
        values = {path: operation.get("value")} if path else operation["value"]
        if path.startswith("members["):
            (key,) = re.findall(r'"(.*)"', path)
            resource["members"] = [one for one in resource["members"] if one["value"] != key]
        elif op == "remove":
            resource.pop(path, None)
        elif op == "add":
            resource["members"] = [*resource["members"], *values["members"]]
        else:
            texts = {"True": True, "False": False}
            resource.update({name: texts.get(value, value) for name, value in values.items()})

    def _bulk(self, content: Any) -> Said:
        told = []
        for operation in content["Operations"]:
            key = unquote(operation["path"]).rpartition("/")[2]
            status, detail = self.inner(operation["path"]) or (None, "")
            if status is None:
                status = str(self._patch(self.users[key], operation["data"]).status)
            response = {"response": {"detail": detail}} if detail else {}
            told.append({"method": "PATCH", "location": operation["path"], "status": status, **response})
        return Said(200, {"Operations": told}, SCIM)
