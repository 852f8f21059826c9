"""The histogram as it is drawn: two paths of bars, ticks, the chosen range, and the same as a table."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.safestring import SafeString, mark_safe

from runbooks.presentation import full_clock, plural, span
from runbooks.timeline.histogram import DAY, HOUR, Histogram
from runbooks.timeline.models import Lane
from runbooks.timeline.moments import written_in_full

WIDTH, HEIGHT = 640.0, 132
ALL_BASE, ALL_HEIGHT = 56.0, 54.0
LANE_TOP, LANE_STEP, LANE_HEIGHT = 76.0, 18.0, 12.0
SHOWN = (
    ("", "All entries"),
    (Lane.DETECTION, "Detection"),
    (Lane.ACTION, "Actions"),
    (Lane.DECISION, "Decisions"),
    (Lane.CONTACT, "Contact"),
)
TABLE = (*SHOWN, (Lane.NOTE, "Notes"))
TICKS = (HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY, 365 * DAY)
TICKS_MAX = 9


@dataclass(frozen=True, slots=True)
class Tick:
    """`x` in the drawing's units, `place` in per cent of its width."""

    x: str
    place: str
    words: str


@dataclass(frozen=True, slots=True)
class Swimlanes:
    """`moments` are the spellings of the bars' beginnings and the last one's end, for the range's handles."""

    chosen_bars: str
    other_bars: str
    ticks: list[Tick]
    rules: list[int]
    brush_x: str
    brush_width: str
    first: int
    last: int
    bars: int
    moments: str
    words: str
    width_words: str
    table: list[tuple[str, SafeString]]
    names: list[str]


def draw(histogram: Histogram, chosen: tuple[datetime | None, datetime | None], zone: ZoneInfo) -> Swimlanes:
    first, last = _bars_of(histogram, chosen)
    step = WIDTH / histogram.bars
    return Swimlanes(
        chosen_bars=_path(histogram, first, last, step),
        other_bars=_path(histogram, 0, first, step) + _path(histogram, last, histogram.bars, step),
        ticks=list(_ticks(histogram, zone)),
        rules=[int(LANE_TOP + lane * LANE_STEP) + 1 for lane in range(len(SHOWN) - 1)],
        brush_x=f"{first * step:.2f}",
        brush_width=f"{(last - first) * step:.2f}",
        first=first,
        last=last,
        bars=histogram.bars,
        moments="|".join(written_in_full(histogram.begins(bar), zone) for bar in range(histogram.bars + 1)),
        words=_words(histogram, first, last, zone),
        width_words=span(histogram.width),
        table=list(_table(histogram, zone)),
        names=[name for _, name in TABLE],
    )


def _bars_of(histogram: Histogram, chosen: tuple[datetime | None, datetime | None]) -> tuple[int, int]:
    """The chosen range as bars: from the one its start falls into, up to but not with the one after its end."""
    start, end = chosen
    first = (start - histogram.start) // histogram.width if start else 0
    last = -((histogram.start - end) // histogram.width) if end else histogram.bars
    first = min(max(first, 0), histogram.bars - 1)
    return first, min(max(last, first + 1), histogram.bars)


def _path(histogram: Histogram, first: int, last: int, step: float) -> str:
    """Bars as one path: five hundred elements of a template would take longer than the whole page."""
    parts: list[str] = []
    for place, (lane, _) in enumerate(SHOWN):
        counts = histogram.counts.get(lane)
        if counts is None:
            continue
        most = max(max(counts), 1)
        base, height, least = (
            (ALL_BASE, ALL_HEIGHT, 1.3) if lane == "" else (LANE_TOP + (place - 1) * LANE_STEP, LANE_HEIGHT, 3.0)
        )
        for bar in range(first, last):
            if counts[bar]:
                tall = max(height * counts[bar] / most, least)
                parts.append(f"M{bar * step + 0.1 * step:.1f} {base:g}v-{tall:.1f}h{0.8 * step:.1f}v{tall:.1f}z")
    return "".join(parts)


def _ticks(histogram: Histogram, zone: ZoneInfo) -> Iterator[Tick]:
    length = histogram.end - histogram.start
    step = next((step for step in TICKS if length / step <= TICKS_MAX), TICKS[-1])
    for moment in _marks(histogram, step, zone):
        share = (moment - histogram.start) / length
        local = moment.astimezone(zone)
        is_day = step >= DAY or (local.hour == 0 and local.minute == 0)
        words = f"{local.day} {local:%b}" if step >= DAY else f"{local:%a} {local.day}" if is_day else f"{local:%H:%M}"
        yield Tick(f"{share * WIDTH:.1f}", f"{share * 100:.2f}%", words)


def _marks(histogram: Histogram, step: timedelta, zone: ZoneInfo) -> Iterator[datetime]:
    """Full local steps inside the drawn range; days are counted on the local calendar, across changes of the clock."""
    local = histogram.start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    while (moment := local.astimezone(UTC)) < histogram.end:
        if moment >= histogram.start:
            yield moment
        # Naive arithmetic on purpose: the wall clock goes on by the step.
        local = local + step


def _words(histogram: Histogram, first: int, last: int, zone: ZoneInfo) -> str:
    counts = histogram.counts[""]
    busiest = max(range(histogram.bars), key=counts.__getitem__)
    said = (
        f"Entries for each {span(histogram.width)} from {full_clock(histogram.start, zone)} "
        f"to {full_clock(histogram.end, zone)}. "
    )
    if counts[busiest]:
        most = plural(counts[busiest], "entry", "entries")
        said += f"Busiest at {full_clock(histogram.begins(busiest), zone)} with {most}."
    if (first, last) != (0, histogram.bars):
        said += f" Chosen: {full_clock(histogram.begins(first), zone)} to {full_clock(histogram.begins(last), zone)}."
    return said


def _table(histogram: Histogram, zone: ZoneInfo) -> Iterator[tuple[str, SafeString]]:
    empty = [0] * histogram.bars
    lanes = [histogram.counts.get(lane, empty) for lane, _ in TABLE]
    for bar, total in enumerate(histogram.counts[""]):
        if total:
            local = histogram.begins(bar).astimezone(zone)
            cells = "".join(f'<td class="num">{counts[bar]:,}</td>' for counts in lanes)
            yield f"{local:%a} {local.day} {local:%b %H:%M}", mark_safe(cells)  # numbers only
