"""How a SCIM server wants to be told: RFC 7644 allows several ways, and many servers take only one of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runbooks.connectors.base import ConnectorError

PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
TEXTS: Final = {"true": True, "false": False}


class ShapeError(ConnectorError):
    """What came back is not SCIM."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, permanent=True)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A boolean of a user: a name of the core schema, or urn:…:User:name of an extension."""

    path: str

    @property
    def _parts(self) -> tuple[str, str]:
        """The extension's address and the name; the address is empty in the core schema."""
        schema, _, name = self.path.rpartition(":")
        return schema, name

    def raw(self, resource: Mapping[str, Any]) -> list[str]:
        """["true"], ["false"], or nothing where the user has none. Raises ShapeError at any other value."""
        schema, name = self._parts
        holder = member(resource, schema) if schema else resource
        value = member(holder, name) if isinstance(holder, Mapping) else None
        if value is None:
            return []
        text = str(value).lower() if isinstance(value, bool | str) else ""
        if text not in TEXTS:
            raise ShapeError(f"{self.path} is neither true nor false.")
        return [text]

    def nested(self, value: bool | str) -> dict[str, Any]:
        schema, name = self._parts
        return {schema: {name: value}} if schema else {name: value}

    def written(self, resource: Mapping[str, Any], value: bool | str | None) -> dict[str, Any]:
        """The whole resource with another value, or without one; everything else is as it was read."""
        schema, name = self._parts
        if not schema:
            return _with(resource, name, value)
        inner = member(resource, schema)
        whole = _with(resource, schema, _with(inner if isinstance(inner, Mapping) else {}, name, value))
        known = whole.get("schemas", [])
        return whole if schema in known else {**whole, "schemas": [*known, schema]}


def member(resource: Mapping[str, Any], name: str) -> Any:
    """By a name without case (RFC 7643, 2.1)."""
    return next((value for key, value in resource.items() if key.lower() == name.lower()), None)


def _with(resource: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    others = {key: kept for key, kept in resource.items() if key.lower() != name.lower()}
    return others if value is None else {**others, name: value}


ACTIVE: Final = Attribute("active")


@dataclass(frozen=True, slots=True)
class Dialect:
    name: str
    is_capitalised: bool = False
    has_path: bool = True
    """Whether a replacement names its path; else its value is an object."""
    is_textual: bool = False
    """Whether true is written "True"."""
    patches: bool = True

    def value(self, raw: Sequence[str]) -> bool | str | None:
        if not raw:
            return None
        return raw[0].capitalize() if self.is_textual else TEXTS[raw[0]]

    def change(self, attribute: Attribute, raw: Sequence[str]) -> dict[str, Any]:
        """The body of a PATCH that leaves the attribute as `raw` says; without a value it is removed."""
        value = self.value(raw)
        if value is None:
            return self._patch([{"op": self._word("remove"), "path": attribute.path}])
        if self.has_path:
            return self._patch([{"op": self._word("replace"), "path": attribute.path, "value": value}])
        return self._patch([{"op": self._word("replace"), "value": attribute.nested(value)}])

    def members(self, ids: Sequence[str], *, add: bool) -> dict[str, Any]:
        """The body of a PATCH that takes users into a group, or out of it.

        Out by a filter in the path in every dialect: where it stands in the value, RFC 7644 removes all members.
        """
        values = [{"value": one} for one in ids]
        if add and self.has_path:
            return self._patch([{"op": self._word("add"), "path": "members", "value": values}])
        if add:
            return self._patch([{"op": self._word("add"), "value": {"members": values}}])
        paths = [f"members[value eq {quoted(one)}]" for one in ids]
        return self._patch([{"op": self._word("remove"), "path": path} for path in paths])

    def _word(self, op: str) -> str:
        return op.capitalize() if self.is_capitalised else op

    def _patch(self, operations: list[dict[str, Any]]) -> dict[str, Any]:
        return {"schemas": [PATCH_OP], "Operations": operations}


def quoted(text: str) -> str:
    """A text in a filter: a JSON string (RFC 7644, 3.4.2.2)."""
    return json.dumps(text, ensure_ascii=False)


DIALECTS: Final = {
    dialect.name: dialect
    for dialect in (
        Dialect("rfc7644"),
        Dialect("value_object", has_path=False),
        Dialect("capitalised", is_capitalised=True),
        Dialect("text", is_capitalised=True, is_textual=True),
        Dialect("put", patches=False),
    )
}
