"""The page of the docs about states, drawn from the table of transitions. `manage.py draw_states` writes it."""

from collections.abc import Iterable
from html import escape
from typing import Final

from runbooks.affected_accounts.models import State
from runbooks.affected_accounts.transitions import (
    ASSESSING,
    GROUP_LABELS,
    GROUPS,
    SIDE,
    STALE_AFTER_REOPENING,
    TABLE,
    WAY,
    Transition,
)

BOX_WIDTH: Final = 168
BOX_HEIGHT: Final = 34
STEP: Final = 84
COLUMNS: Final = {"assessing": 24, "way": 300, "side": 720}
WIDTH: Final = 912
INTRODUCTION: Final = """\
# States of an affected account

<!-- Written by manage.py draw_states from runbooks/affected_accounts/transitions.py. Do not edit. -->

An account has one state and any number of dated facts. A state follows another only as listed here, and only when the
facts of its guard hold. A fact is never a bare tick: it has a time and a source, and can be found to hold no longer.

Recording a fact does not move the state. When the last fact of a guard is there, the account's page and the overview
offer the next state; "Change state" on many accounts moves those that pass and says which do not, and why. While an
account is being assessed its tier moves it: A and B confirm it, C marks it targeted, D suspected.

![The way of an account from assessment to closing](account-states.svg)

The drawing shows what needs no reason. Everything else is in the table.
"""


def draw_page() -> str:
    """docs/account-states.md"""
    lines = [INTRODUCTION, "## Marks", "", "| Mark | States |", "|---|---|"]
    lines += [
        f"| {label} | {'; '.join(state.label for state in State if GROUPS[state] == group)} |"
        for group, label in GROUP_LABELS.items()
    ]
    lines += ["", "## What may follow what", "", "| From | To | Facts that must hold | Needs |", "|---|---|---|---|"]
    lines += [_table_row(step) for step in sorted(TABLE, key=_place)]
    stale = ", ".join(kind.label.lower() for kind in STALE_AFTER_REOPENING)
    lines += [
        "",
        f"A reopening drops these facts, which have to be found anew: {stale}. Their history stays.",
        "",
        "What takes something back needs a reason. Where the table says two people, a second person has to agree as "
        "soon as dual approval is built; until then the reason alone is asked for.",
        "",
    ]
    return "\n".join(lines)


def _place(step: Transition) -> tuple[int, int]:
    order = list(State)
    return order.index(step.before), order.index(step.after)


def _table_row(step: Transition) -> str:
    facts = ", ".join(kind.label for kind in step.facts)
    needs = ["a reason"] if step.needs_reason else []
    needs += ["two people"] if step.needs_second_person else []
    needs += ["reopens"] if step.reopens else []
    return f"| {step.before.label} | {step.after.label} | {facts} | {', '.join(needs)} |"


def draw_picture() -> str:
    """docs/account-states.svg: the states, and the transitions that need no reason."""
    places = _places()
    height = max(y for _, y in places.values()) + BOX_HEIGHT + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="States of an affected account">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 8 4 0 8Z" fill="#3d4650"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    parts += [_arrow(step, places) for step in TABLE if not step.needs_reason]
    parts += [_box(state, *place) for state, place in places.items()]
    return "\n".join([*parts, "</svg>", ""])


def _places() -> dict[State, tuple[int, int]]:
    """Where each state stands: assessment on the left, the way down the middle, what lies beside it on the right."""
    before = [state for state in (*ASSESSING, State.FALSE_POSITIVE) if state not in WAY]
    return {
        **_column(before, "assessing", 0),
        **_column(WAY, "way", 0),
        **_column(SIDE, "side", 1),
    }


def _column(states: Iterable[State], column: str, first: int) -> dict[State, tuple[int, int]]:
    return {state: (COLUMNS[column], 24 + STEP * (first + number)) for number, state in enumerate(states)}


def _box(state: State, x: int, y: int) -> str:
    colour = {
        "suspected": "#fdf3d8",
        "confirmed": "#fde7e7",
        "contained": "#efeafb",
        "reset": "#e4f4ea",
        "restored": "#cfead9",
        "cleared": "#eef0f2",
    }[GROUPS[state]]
    return (
        f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="4" fill="{colour}" stroke="#3d4650"/>'
        f'<text x="{x + BOX_WIDTH // 2}" y="{y + 22}" text-anchor="middle">{escape(state.label)}</text>'
    )


def _arrow(step: Transition, places: dict[State, tuple[int, int]]) -> str:
    (from_x, from_y), (to_x, to_y) = places[step.before], places[step.after]
    middle = BOX_HEIGHT // 2
    if from_x == to_x and abs(from_y - to_y) == STEP:
        x = from_x + BOX_WIDTH // 2
        start, end = (from_y + BOX_HEIGHT, to_y) if from_y < to_y else (from_y, to_y + BOX_HEIGHT)
        words = _words(step, x + 10, (start + end) // 2)
        return f'<path d="M{x} {start}V{end}" stroke="#3d4650" marker-end="url(#tip)"/>{words}'
    if from_x == to_x:
        x, bend = from_x, from_x - 16
        return (
            f'<path d="M{x} {from_y + middle}H{bend}V{to_y + middle}H{x}" fill="none" stroke="#3d4650" '
            'marker-end="url(#tip)"/>'
        )
    start, end = (from_x + BOX_WIDTH, to_x) if from_x < to_x else (from_x, to_x + BOX_WIDTH)
    from_y, to_y, bend = from_y + middle, to_y + middle, (start + end) // 2
    return (
        f'<path d="M{start} {from_y}C{bend} {from_y} {bend} {to_y} {end} {to_y}" fill="none" stroke="#3d4650" '
        'marker-end="url(#tip)"/>'
    )


def _words(step: Transition, x: int, y: int) -> str:
    """The facts of the guard beside the arrow, two a line."""
    facts = [kind.label.lower() for kind in step.facts]
    lines = [", ".join(facts[place : place + 2]) for place in range(0, len(facts), 2)]
    top = y + 4 - 8 * (len(lines) - 1)
    return "".join(
        f'<text x="{x}" y="{top + 16 * number}" font-size="12" fill="#3d4650">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
