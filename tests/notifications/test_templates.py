"""Every event that is announced has its text, and every text keeps the promises made to those who get it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.template import Context, Template
from django.template.base import FilterExpression, Node, VariableNode
from django.template.defaulttags import IfNode
from django.template.loader import get_template

import runbooks

SOURCE = Path(runbooks.__file__).parent
TEMPLATES = Path(settings.BASE_DIR) / "templates" / "notifications"
EVENTS = sorted(path.stem for path in TEMPLATES.glob("[!_]*.txt"))
# About the portal and the person alone: of no incident, and checked on the person's own page.
OF_THE_PORTAL = frozenset(event for event in EVENTS if event.startswith(("contact.", "notice.", "watchdog.")))
FRAME = {
    "reference": "IR-2026-0001",
    "incident_title": "Password guessing",
    "tlp": "TLP:AMBER",
    "is_exercise": True,
    "entry": 12,
    "happened_at": "Tue 23 Jun 2026 09:07 BST",
    "portal": "portal.example",
}


@dataclass(frozen=True)
class Announcement:
    """An announce() call in the source; `keys` is None where the context is not a dict in sight."""

    where: str
    event: str | None
    keys: frozenset[str] | None


def announcements() -> Iterator[Announcement]:
    for path in sorted(SOURCE.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                yield from _announced_in(function, f"{path.relative_to(SOURCE)}:{function.name}")


def _announced_in(function: ast.FunctionDef, where: str) -> Iterator[Announcement]:
    dicts = {
        node.targets[0].id: node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Dict)
    }
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "announce":
            event, context = node.args[1], node.args[2]
            if isinstance(context, ast.Name):
                context = dicts.get(context.id, context)
            named = isinstance(event, ast.Constant)
            keys = (
                {key.value for key in context.keys if isinstance(key, ast.Constant)}
                if isinstance(context, ast.Dict)
                else None
            )
            yield Announcement(where, event.value if named else None, None if keys is None else frozenset(keys))


ANNOUNCED = list(announcements())


def test_the_source_announces_something() -> None:
    assert {one.event for one in ANNOUNCED} >= {"incident.status_changed", "member.added", "role.given"}


@pytest.mark.parametrize("announced", ANNOUNCED, ids=lambda one: one.where)
def test_what_is_announced_has_a_text_and_gives_it_all_it_says(announced: Announcement) -> None:
    assert announced.event in EVENTS, "name the event by a string, and write templates/notifications/<event>.txt"
    assert announced.keys is not None, "write the context as a dict in the same function, so that this test can read it"
    said = {name for name in names_in(f"notifications/{announced.event}.txt") if name not in FRAME}
    assert said <= announced.keys


@pytest.mark.parametrize("event", EVENTS)
def test_a_text_carries_all_that_every_notice_must(event: str) -> None:
    said = {name: f"<{name} & co>" for name in names_in(f"notifications/{event}.txt")} | FRAME
    text = get_template(f"notifications/{event}.txt").template.render(Context(said))
    subject, _, body = text.strip().partition("\n")
    assert subject.startswith("EXERCISE TLP:AMBER IR-2026-0001: ")
    assert not subject.endswith(": ")
    assert ("IR-2026-0001" in body) != (event in OF_THE_PORTAL)
    assert "EXERCISE" in body
    nobody = "Nobody" if event in OF_THE_PORTAL else "Nobody in this incident"
    assert f"{nobody} ever asks you for a password or a code" in body
    assert "To check this notice:" in body
    assert "://" not in text
    assert "&amp;" not in text
    assert "&lt;" not in text
    assert "!" not in text


def names_in(path: str) -> set[str]:
    """Every variable a text and its frame read."""
    template: Template = get_template(path).template
    names = set(_names(template.nodelist, template))
    parent = get_template("notifications/_notice.txt").template
    return names | set(_names(parent.nodelist, parent))


def _names(nodes: list[Node], template: Template) -> Iterator[str]:
    for node in nodes:
        expressions: list[object] = []
        if isinstance(node, VariableNode):
            expressions = [node.filter_expression]
        if isinstance(node, IfNode):
            expressions = [getattr(condition, "value", None) for condition, _ in node.conditions_nodelists]
        for expression in expressions:
            if isinstance(expression, FilterExpression) and hasattr(expression.var, "lookups"):
                yield expression.var.lookups[0]
        for name in node.child_nodelists:
            yield from _names(list(getattr(node, name, [])), template)
        if isinstance(node, IfNode):
            for _, nodelist in node.conditions_nodelists:
                yield from _names(list(nodelist), template)
