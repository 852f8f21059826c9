"""Drawings of the report, as SVG made of numbers alone: the accounts by state, and how they came to be contained."""

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import segno

from runbooks.affected_accounts.queries import BurnUpPoint, GroupCounts
from runbooks.affected_accounts.transitions import GROUP_LABELS
from runbooks.room import charts

# As the pages draw them, dark enough for a printer without colours; the number stands in each.
FILLS: Final = {
    "suspected": "#d9a514",
    "confirmed": "#b3261e",
    "contained": "#44618f",
    "reset": "#2c7a78",
    "restored": "#2f7d3b",
    "cleared": "#8a919b",
}
INK, QUIET, GRID = "#15181c", "#444a53", "#d5d9df"
FONT: Final = 'font-family="Source Sans 3" font-size="11"'
BAR_WIDTH, BAR_HEIGHT = 700, 58
WIDTH, HEIGHT = 700, 250
LEFT, TOP, RIGHT, BOTTOM = 34, 12, 590, 222
LINES: Final = (
    ("compromised", FILLS["confirmed"], ""),
    ("contained", FILLS["contained"], ' stroke-dasharray="7 4"'),
    ("reset", FILLS["restored"], ' stroke-dasharray="1.5 3.5"'),
)


def qr(words: str) -> str:
    drawing = io.BytesIO()
    segno.make_qr(words, error="m").save(drawing, kind="svg", border=2, xmldecl=False)
    return drawing.getvalue().decode()


def bar(counts: GroupCounts) -> str:
    """The accounts by state: a box each, with its number, and its name below; empty where there are no accounts."""
    drawn = []
    for segment in charts.segments(counts):
        x, width = (float(part[:-1]) / 100 * BAR_WIDTH for part in (segment.x, segment.width))
        drawn.append(
            f'<rect x="{x:.1f}" y="0" width="{width:.1f}" height="26" fill="{FILLS[segment.fill]}"/>'
            f'<text x="{x + width / 2:.1f}" y="17.5" text-anchor="middle" fill="#fff" {FONT} font-weight="600">'
            f"{segment.count:,}</text>"
        )
    return _svg(BAR_WIDTH, BAR_HEIGHT, [*drawn, *_key(counts)]) if drawn else ""


def _key(counts: GroupCounts) -> list[str]:
    """Which box is which, in a row of its own: a box of one account is too narrow for its name."""
    drawn, x = [], 0.0
    for group, label in GROUP_LABELS.items():
        if getattr(counts, group.value):
            drawn.append(f'<rect x="{x:.0f}" y="40" width="11" height="11" fill="{FILLS[group.value]}"/>')
            drawn.append(f'<text x="{x + 16:.0f}" y="49.5" fill="{INK}" {FONT}>{label}</text>')
            x += 32 + 6.1 * len(label)
    return drawn


def bar_words(counts: GroupCounts) -> str:
    said = [
        f"{getattr(counts, group.value):,} {label.lower()}"
        for group, label in GROUP_LABELS.items()
        if getattr(counts, group.value)
    ]
    return f"Bar of {counts.total:,} accounts by state: {', '.join(said)}."


def burn_up(points: Sequence[BurnUpPoint], start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """Three lines as stairs, from the first notice to the end; empty where nothing was confirmed."""
    stairs = charts.stairs(points, start)
    if stairs is None:
        return ""
    axes = charts.burn_up(stairs, start, end, zone)
    top = int(axes.y_ticks[-1].words)
    drawn = [_across(float(tick.place[:-1]), tick.words) for tick in axes.y_ticks]
    drawn += [_upright(float(tick.place[:-1]), tick.words) for tick in axes.x_ticks if not tick.is_optional]
    seconds = max((end - start).total_seconds(), 1)
    for name, colour, dashes in reversed(LINES):
        path = _stairs(points, name, start, seconds, top)
        drawn.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
    for ending, (_, colour, _) in zip(axes.endings, LINES, strict=True):
        y = TOP + float(ending.y[:-1]) / 100 * (BOTTOM - TOP) + 4
        words = f'<tspan font-weight="600">{ending.count:,}</tspan> {ending.words}'
        drawn.append(f'<text x="{RIGHT + 8}" y="{y:.1f}" fill="{colour}" {FONT}>{words}</text>')
    return _svg(WIDTH, HEIGHT, drawn)


def burn_up_words(points: Sequence[BurnUpPoint]) -> str:
    last = points[-1]
    widest = max(point.compromised - point.contained for point in points)
    return (
        f"Chart over time: confirmed rose to {last.compromised:,}, contained to {last.contained:,}, reset confirmed to "
        f"{last.reset:,}. The gap between confirmed and contained was at most {widest:,}."
    )


def _across(place: float, words: str) -> str:
    y = TOP + place / 100 * (BOTTOM - TOP)
    line = f'<line x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}" stroke-width="0.8"/>'
    return f'{line}<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{QUIET}" {FONT}>{words}</text>'


def _upright(place: float, words: str) -> str:
    x = LEFT + place / 100 * (RIGHT - LEFT)
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{BOTTOM}" y2="{BOTTOM + 5}" stroke="{QUIET}" stroke-width="0.8"/>'
    return f'{line}<text x="{x:.1f}" y="{BOTTOM + 18}" text-anchor="middle" fill="{QUIET}" {FONT}>{words}</text>'


def _stairs(points: Sequence[BurnUpPoint], name: str, start: datetime, seconds: float, top: int) -> str:
    path = [f"M{LEFT} {BOTTOM}"]
    for point in points:
        x = LEFT + max((point.at - start).total_seconds(), 0) / seconds * (RIGHT - LEFT)
        y = BOTTOM - getattr(point, name) / top * (BOTTOM - TOP)
        path.append(f"H{x:.1f}V{y:.1f}")
    return "".join([*path, f"H{RIGHT}"])


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    box = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f"<svg {box}>{''.join(parts)}</svg>"
