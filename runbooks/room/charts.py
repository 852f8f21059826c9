"""Geometry of the two charts. Marks are SVG attributes in per cent, so that no style stands inline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.safestring import SafeString, mark_safe

from runbooks.affected_accounts.queries import BurnUpPoint, GroupCounts
from runbooks.presentation import clock, full_clock

# A segment of one account among thousands must still be seen, and its number read.
LEAST_SHARE = 4.0
GAP = 0.25
FILLS = ("suspected", "confirmed", "contained", "reset", "restored", "cleared")


@dataclass(frozen=True, slots=True)
class Segment:
    """`x`, `width` and `middle` in per cent of the bar."""

    fill: str
    count: int
    x: str
    width: str
    middle: str


@dataclass(frozen=True, slots=True)
class Bracket:
    """A brace over the segments that belong together."""

    count: int
    words: str
    x: str
    right: str
    middle: str


def segments(counts: GroupCounts) -> list[Segment]:
    present = [(fill, getattr(counts, fill)) for fill in FILLS if getattr(counts, fill)]
    if not present:
        return []
    shares = [max(count / counts.total * 100, LEAST_SHARE) for _, count in present]
    scale = (100 - GAP * (len(present) - 1)) / sum(shares)
    drawn, x = [], 0.0
    for (fill, count), share in zip(present, shares, strict=True):
        width = share * scale
        drawn.append(Segment(fill, count, f"{x:.2f}%", f"{width:.2f}%", f"{x + width / 2:.2f}%"))
        x += width + GAP
    return drawn


def brackets(drawn: Sequence[Segment]) -> list[Bracket]:
    groups = (("", FILLS[:1]), ("compromised", FILLS[1:5]), ("not affected", FILLS[5:]))
    found = []
    for words, fills in groups:
        inside = [segment for segment in drawn if segment.fill in fills]
        if inside:
            left = float(inside[0].x[:-1])
            right = float(inside[-1].x[:-1]) + float(inside[-1].width[:-1])
            total = sum(segment.count for segment in inside)
            found.append(Bracket(total, words, f"{left:.2f}%", f"{right:.2f}%", f"{(left + right) / 2:.2f}%"))
    return found


@dataclass(frozen=True, slots=True)
class Tick:
    """A label on an axis: where, in per cent, and its words."""

    place: str
    words: str
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """The number at the end of a line."""

    tone: str
    count: int
    words: str
    y: str


@dataclass(frozen=True, slots=True)
class Stairs:
    """What of the chart follows from the points alone: paths in seconds from its start across, in HEIGHT down.

    Each line is to go on to the present; `back` leads from there along the line of the contained to the corner below.
    """

    confirmed: str
    contained: str
    reset: str
    back: str
    y_ticks: list[Tick]
    endings: list[Ending]
    gap: int
    widest: int
    table: list[BurnUpPoint]


@dataclass(frozen=True, slots=True)
class BurnUp:
    """Paths in a box of `width` (seconds) x HEIGHT, everything else in per cent."""

    width: int
    confirmed: str
    contained: str
    reset: str
    area: str
    y_ticks: list[Tick]
    x_ticks: list[Tick]
    endings: list[Ending]
    gap: int
    widest: int
    table: list[BurnUpPoint]


HEIGHT = 300
TICK_STEPS = (1, 2, 3, 6, 12, 24, 48, 96, 168)
LINE_HEIGHT = 6.5
# More labels would run into each other.
MOST_TICKS = 6


def stairs(points: Sequence[BurnUpPoint], start: datetime) -> Stairs | None:
    """The lines of the points, in order of time; None where nothing was confirmed yet."""
    if not points or not points[-1].compromised:
        return None
    top = _round_up(max(point.compromised for point in points))
    xs = [max(int((point.at - start).total_seconds()), 0) for point in points]
    confirmed, contained, reset = ([getattr(p, name) for p in points] for name in ("compromised", "contained", "reset"))
    heights = {count: f"{HEIGHT - count / top * HEIGHT:.1f}" for count in {0, *confirmed, *contained, *reset}}
    last = points[-1]
    return Stairs(
        confirmed=_path(xs, [heights[count] for count in confirmed]),
        contained=_path(xs, [heights[count] for count in contained]),
        reset=_path(xs, [heights[count] for count in reset]),
        back=_back(xs, [heights[count] for count in (0, *contained)]),
        y_ticks=[Tick(f"{100 - share:.0f}%", str(round(top * share / 100))) for share in (0, 25, 50, 75, 100)],
        endings=_endings(last, top),
        gap=last.compromised - last.contained,
        widest=max(point.compromised - point.contained for point in points),
        table=_thinned(points),
    )


def burn_up(drawn: Stairs, start: datetime, now: datetime, zone: ZoneInfo) -> BurnUp:
    """The chart up to the present."""
    width = max(int((now - start).total_seconds()), 1)
    return BurnUp(
        width=width,
        confirmed=f"{drawn.confirmed}H{width}",
        contained=f"{drawn.contained}H{width}",
        reset=f"{drawn.reset}H{width}",
        area=f"{drawn.confirmed}H{width}{drawn.back}",
        y_ticks=drawn.y_ticks,
        x_ticks=_x_ticks(start, now, zone),
        endings=drawn.endings,
        gap=drawn.gap,
        widest=drawn.widest,
        table=drawn.table,
    )


def _path(xs: Sequence[int], ys: Sequence[str]) -> str:
    """Stairs from the corner below: to each place across, then to its height."""
    stairs, before = [f"M0 {HEIGHT}"], ""
    for x, y in zip(xs, ys, strict=True):
        if y != before:
            stairs.append(f"H{x}V{y}")
            before = y
    return "".join(stairs)


def _back(xs: Sequence[int], ys: Sequence[str]) -> str:
    """The same stairs from the right to the corner; `ys` begins with the height before the first place."""
    stairs = [f"V{ys[-1]}"]
    stairs += [f"H{x}V{before}" for x, before, y in zip(xs[::-1], ys[-2::-1], ys[:0:-1], strict=True) if before != y]
    return "".join([*stairs, "Z"])


def _round_up(count: int) -> int:
    """The least height with round quarters that holds the count: 4, 8, 12, 20, 40, 60, 80, 100, 200 ..."""
    scale = 1
    while True:
        for quarter in (1, 2, 3, 5):
            if 4 * quarter * scale >= count:
                return 4 * quarter * scale
        if 100 * scale >= count > 80 * scale:
            return 100 * scale
        scale *= 10


def _endings(last: BurnUpPoint, top: int) -> list[Ending]:
    """End labels, pushed apart where lines end close together."""
    wanted = [
        ("bad", last.compromised, "confirmed"),
        ("held", last.contained, "contained"),
        ("good", last.reset, "reset"),
    ]
    endings, lowest = [], -LINE_HEIGHT
    for tone, count, words in wanted:
        place = max(100 - count / top * 100, lowest + LINE_HEIGHT)
        lowest = place
        endings.append(Ending(tone, count, words, f"{place:.1f}%"))
    return endings


def _x_ticks(start: datetime, now: datetime, zone: ZoneInfo) -> list[Tick]:
    hours = max((now - start).total_seconds() / 3600, 0.01)
    step = next((step for step in TICK_STEPS if hours / step <= MOST_TICKS), TICK_STEPS[-1])
    local = start.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    moment = local + timedelta(hours=(-local.hour) % min(step, 24))
    ticks: list[Tick] = []
    day = None
    while moment <= now:
        place = (moment - start).total_seconds() / 3600 / hours * 100
        words = f"{moment:%a %H:%M}" if moment.date() != day else f"{moment:%H:%M}"
        if 0 <= place <= 97:
            ticks.append(Tick(f"{place:.2f}%", words, is_optional=len(ticks) % 2 == 1))
            day = moment.date()
        moment = (moment.astimezone(ZoneInfo("UTC")) + timedelta(hours=step)).astimezone(zone)
    return ticks


def _thinned(points: Sequence[BurnUpPoint]) -> list[BurnUpPoint]:
    """At most twelve rows for the table under the chart, the last one always."""
    stride = max(1, -(-len(points) // 12))
    return list(reversed(points[::-1][::stride]))


def table_rows(points: Sequence[BurnUpPoint], zone: ZoneInfo, now: datetime) -> SafeString:
    """The points as rows of a table: numbers and times only, so that nothing has to be escaped."""
    return mark_safe("".join(_table_row(point, zone, now) for point in points))


def _table_row(point: BurnUpPoint, zone: ZoneInfo, now: datetime) -> str:
    iso, full = point.at.astimezone(zone).isoformat(timespec="seconds"), full_clock(point.at, zone)
    numbers = "".join(f'<td class="num">{count:,}</td>' for count in (point.compromised, point.contained, point.reset))
    return f'<tr><td><time datetime="{iso}" title="{full}">{clock(point.at, zone, now)}</time></td>{numbers}</tr>'
