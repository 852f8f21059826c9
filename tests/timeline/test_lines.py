"""Entries in words, and as HTML."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from runbooks.timeline.lines import hours, label_of, line_of
from runbooks.timeline.markup import entry_html
from runbooks.timeline.queries import Row

LONDON = ZoneInfo("Europe/London")
AT = datetime(2017, 6, 23, 8, 51, tzinfo=UTC)
NOW = datetime(2017, 6, 24, 10, 42, tzinfo=UTC)
BASE = "/incidents/IR-2017-0042/timeline/"


def row(**changes: Any) -> Row:
    fields = {
        "sequence": 3,
        "occurred_at": AT,
        "precision": "second",
        "recorded_at": AT,
        "kind": "entry.added",
        "lane": "detection",
        "summary": "Sign-in failures",
        "actor": "Security operations",
        "is_automated": False,
        "step_id": None,
        "corrects": None,
        "hash": "ab" * 32,
        "is_pinned": False,
        "corrected_by": None,
        "corrected_at": None,
        "corrected_to": None,
        "burst_last": None,
        "burst_ends_at": None,
        **changes,
    }
    return Row(**fields)


def html(**changes: Any) -> str:
    return entry_html(line_of(row(**changes), LONDON, {7: "3.2"}), BASE)


def text(**changes: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html(**changes)).split())


def test_a_line_says_when_what_who_and_its_number() -> None:
    assert (
        text() == "09:51 Detection Sign-in failures Detection Security operations #3 abababababababab abababababababab"
    )


@pytest.mark.parametrize(
    ("late", "said"),
    [
        (timedelta(minutes=9, seconds=59), None),
        (timedelta(minutes=10), "recorded 10:01 10 min later"),
        (timedelta(days=1), "recorded Sat 09:51 24 h 00 min later"),
    ],
)
def test_what_was_written_down_ten_minutes_later_says_so(late: timedelta, said: str | None) -> None:
    assert ("recorded" in text(recorded_at=AT + late)) is (said is not None)
    assert said is None or said in text(recorded_at=AT + late)


@pytest.mark.parametrize(("precision", "said"), [("hour", "09:51 to the hour"), ("day", "– day only")])
def test_a_rough_time_says_how_rough(precision: str, said: str) -> None:
    assert text(precision=precision, recorded_at=AT + timedelta(hours=9)).startswith(said)


def test_a_burst_says_how_many_entries_of_which_numbers_until_when() -> None:
    said = text(is_automated=True, burst_last=20, burst_ends_at=AT + timedelta(minutes=5))
    assert said.startswith("09:51 to 09:56")
    assert "18 automated entries, #3 to #20: Sign-in failures Unfold" in said
    assert f'href="{BASE}?burst=3"' in html(is_automated=True, burst_last=20, burst_ends_at=AT)
    assert "18 entries, #3 to #20" in text(burst_last=20, burst_ends_at=AT)


def test_a_corrected_entry_is_struck_and_leads_to_its_correction_and_back() -> None:
    struck = html(corrected_by=17, corrected_at=AT + timedelta(hours=1), corrected_to="Nine, not eleven")
    assert "<del>Sign-in failures</del>" in struck
    assert f'<a href="{BASE}17/">#17</a> at 10:51: Nine, not eleven' in struck
    assert f'Corrects <a href="{BASE}3/">#3</a>' in html(sequence=17, corrects=3, kind="entry.corrected")


def test_a_pinned_entry_and_its_step_are_said_in_words() -> None:
    assert "Detection, key event" in text(is_pinned=True)
    assert f'<a href="{BASE}?step=3.2">Step 3.2</a>' in html(step_id=7)


def test_nothing_anybody_writes_becomes_markup() -> None:
    bad = "<script>alert(1)</script>\"'&"
    written = html(summary=bad, actor=bad, kind=bad, corrected_by=4, corrected_at=AT, corrected_to=bad)
    assert "<script" not in written
    assert written.count("&lt;script&gt;") == 6
    assert "\"'&" not in written
    assert "<script" not in html(summary=bad, burst_last=9, burst_ends_at=AT)


def test_lines_are_grouped_by_local_hour_and_days_apart() -> None:
    rows = [row(), row(occurred_at=AT + timedelta(minutes=20)), row(occurred_at=AT, precision="day")]
    shown = hours(rows, LONDON, NOW, {})
    assert [(hour.time, hour.day, len(hour.lines)) for hour in shown] == [
        ("09:00", "Friday 23 June", 1),
        ("10:00", "Friday 23 June", 1),
        ("Some time that day", "Friday 23 June", 1),
    ]
    assert hours(rows[:1], LONDON, NOW + timedelta(days=400), {})[0].day == "Friday 23 June 2017"


@pytest.mark.parametrize(
    ("kind", "label"),
    [("entry.added", "Contact"), ("entry.corrected", "Correction"), ("step.evidence_added", "Step evidence added")],
)
def test_an_entry_is_called_by_its_kind_or_its_lane(kind: str, label: str) -> None:
    assert label_of(kind, "contact") == label
