"""A page of the timeline: keyset in both directions, folding, filters, and the indexes that carry it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runbooks.access.models import User
from runbooks.access.permissions import PORTAL, actor_for
from runbooks.incidents.models import Incident
from runbooks.timeline.models import Lane, Pin, TimelineEvent
from runbooks.timeline.operations import Entry, record, record_many
from runbooks.timeline.queries import PAGE, Cursor, Filter, Page, after, new_entries, page
from tests.factories import make_affected, make_incident, make_step
from tests.timeline.entries import fill_timeline

pytestmark = pytest.mark.django_db
START = datetime(2026, 6, 23, 8, 0, tzinfo=UTC)
Said = Callable[..., TimelineEvent]


@pytest.fixture
def said(incident: Incident, responder: User) -> Said:
    """Record an entry so many minutes after the start."""

    def record_entry(minute: int, summary: str, actor: Any = None, **changes: Any) -> TimelineEvent:
        at = START + timedelta(minutes=minute)
        entry = Entry(changes.pop("kind", "entry.added"), summary, changes.pop("lane", Lane.NOTE), **changes)
        return record(incident, entry, actor=actor or actor_for(responder), at=at)

    return record_entry


def summaries(found: Page) -> list[str]:
    return [row.summary for row in found.rows]


def walk(incident: Incident, wanted: Filter, *, newest_first: bool, backwards: bool) -> list[int]:
    """The sequences of every page, one after the other, following the cursors; backwards from the last page."""
    seen: list[int] = []
    cursor: Cursor | None = None
    if backwards:
        end = datetime(1990, 1, 1, tzinfo=UTC) if newest_first else datetime(2090, 1, 1, tzinfo=UTC)
        cursor = Cursor(end, 0)
    while True:
        beside = {"before": cursor} if backwards else {"after": cursor}
        found = page(incident.pk, wanted, newest_first=newest_first, lines=7, **beside)  # type: ignore[arg-type]
        rows = found.rows[::-1] if backwards else found.rows
        seen += [row.sequence for row in rows]
        if not (found.has_previous if backwards else found.has_next):
            return seen
        cursor = Cursor(rows[-1].occurred_at, rows[-1].sequence)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("fold", [False, True])
def test_the_pages_together_show_every_line_once_in_order(
    incident: Incident, fold: bool, newest_first: bool, backwards: bool
) -> None:
    # Ten entries share each moment, so that a page ends in the middle of one.
    for minute in range(6):
        fill_timeline(incident, 10, START + timedelta(minutes=minute), timedelta(0))
    events = TimelineEvent.objects.filter(incident=incident).order_by("occurred_at", "sequence")
    expected = [event.sequence for event in events if not fold or event.burst in {None, event.sequence}]
    if newest_first != backwards:
        expected.reverse()
    wanted = Filter(fold=fold)
    assert walk(incident, wanted, newest_first=newest_first, backwards=backwards) == expected


def test_a_page_holds_fifty_lines_and_says_what_lies_beyond(incident: Incident) -> None:
    fill_timeline(incident, 120, START)
    first = page(incident.pk, Filter(fold=False))
    assert (len(first.rows), first.has_previous, first.has_next) == (PAGE, False, True)
    last = page(incident.pk, Filter(fold=False), after=Cursor(START + timedelta(seconds=400), 21))
    assert (len(last.rows), last.has_previous, last.has_next) == (20, True, False)


def test_a_burst_is_one_line_with_its_last_entry_and_unfolds_in_order(incident: Incident, said: Said) -> None:
    said(0, "Before")
    entries = [Entry("account.contained", f"Account {number}") for number in range(5)]
    record_many(incident, entries, actor=PORTAL, at=START + timedelta(minutes=1))
    record(incident, Entry("account.contained", "Account 5"), actor=PORTAL, at=START + timedelta(minutes=9))
    said(10, "After")
    found = page(incident.pk, Filter())
    assert summaries(found) == ["After", "Account 0", "Before"]
    assert (found.rows[1].burst_last, found.rows[1].burst_ends_at) == (7, START + timedelta(minutes=9))
    inside = page(incident.pk, Filter(burst=2), newest_first=False)
    assert summaries(inside) == [f"Account {number}" for number in range(6)]


def test_one_automated_entry_alone_is_no_burst(incident: Incident, said: Said) -> None:
    said(0, "Counters taken", actor=PORTAL)
    assert page(incident.pk, Filter()).rows[0].burst_last is None


def test_who_wrote_it(incident: Incident, said: Said, coordinator: User, responder: User) -> None:
    said(0, "By a responder")
    said(1, "By the coordinator", actor=actor_for(coordinator))
    said(2, "By itself", actor=PORTAL)
    assert summaries(page(incident.pk, Filter(who="people"))) == ["By the coordinator", "By a responder"]
    assert summaries(page(incident.pk, Filter(who="automated"))) == ["By itself"]
    assert summaries(page(incident.pk, Filter(person_id=responder.pk))) == ["By a responder"]


def test_what_it_is_about(incident: Incident, said: Said) -> None:
    step, affected = make_step(incident), make_affected(incident)
    said(0, "A decision", lane=Lane.DECISION)
    said(1, "Of a step", step_id=step.pk)
    said(2, "Of an account", account_ids=[affected.pk])
    said(3, "Of a kind", kind="step.completed", lane=Lane.ACTION)
    for wanted, expected in (
        (Filter(lane="decision"), "A decision"),
        (Filter(step_id=step.pk), "Of a step"),
        (Filter(account_ids=(affected.pk,)), "Of an account"),
        (Filter(kind="step.completed"), "Of a kind"),
    ):
        assert summaries(page(incident.pk, wanted)) == [expected]
    assert summaries(page(incident.pk, Filter(account_ids=()))) == []


def test_when_it_happened_with_the_start_and_without_the_end(incident: Incident, said: Said) -> None:
    for minute in (0, 10, 20):
        said(minute, f"At {minute}")
    wanted = Filter(start=START + timedelta(minutes=10), end=START + timedelta(minutes=20))
    assert summaries(page(incident.pk, wanted)) == ["At 10"]


def test_corrected_and_pinned_only(incident: Incident, said: Said) -> None:
    wrong = said(0, "Eleven accounts")
    said(1, "Nine accounts", kind="entry.corrected", corrects=wrong.sequence)
    key = said(2, "Access restricted")
    Pin.objects.create(incident=incident, event=key, pinned_by="a test", pinned_at=START)
    assert summaries(page(incident.pk, Filter(corrected=True))) == ["Nine accounts", "Eleven accounts"]
    pinned = page(incident.pk, Filter(pinned=True))
    assert [(row.summary, row.is_pinned) for row in pinned.rows] == [("Access restricted", True)]
    first = page(incident.pk, Filter(), newest_first=False).rows[0]
    assert (first.corrected_by, first.corrected_to) == (wrong.sequence + 1, "Nine accounts")


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("sessions", True),
        ("SESSIONS revoked", True),
        ("sess", True),
        ("sess revoked", False),
        ("revoked sessions", True),
        ("member-0412@parliament.example", True),
        ("member-0412", True),
        ("member-04 revoked", True),
        ('"sessions revoked"', True),
        ('"revoked sessions"', False),
        ("sessions -revoked", False),
        ("sessions -mailbox", True),
        ("3.2", True),
        ("zebra", False),
        ("it's", False),
        ("& | ! ( ) : * \\ '", False),
    ],
)
def test_words_are_found_as_people_type_them(incident: Incident, said: Said, text: str, is_found: bool) -> None:
    said(0, "Sessions revoked for member-0412@parliament.example, step 3.2")
    assert (summaries(page(incident.pk, Filter(text=text))) != []) is is_found


def test_a_search_looks_into_bursts(incident: Incident) -> None:
    entries = [Entry("account.contained", f"Contained member-{number}") for number in range(5)]
    record_many(incident, entries, actor=PORTAL, at=START)
    assert summaries(page(incident.pk, Filter(text="member-3"))) == ["Contained member-3"]


def test_a_common_word_is_met_along_the_time_index_and_a_rare_one_gathered(incident: Incident) -> None:
    fill_timeline(incident, 6000, START)
    common = page(incident.pk, Filter(text="entry"))
    assert [row.sequence for row in common.rows] == list(range(6000, 5950, -1))
    assert summaries(page(incident.pk, Filter(text="5999"))) == ["Entry number 5999"]


def test_another_incident_is_never_read(incident: Incident, said: Said) -> None:
    said(0, "Ours")
    other = make_incident()
    record(other, Entry("entry.added", "Theirs"), actor=PORTAL, at=START)
    assert summaries(page(incident.pk, Filter())) == ["Ours"]
    assert summaries(page(incident.pk, Filter(text="theirs"))) == []


def test_what_came_after_a_number(incident: Incident, said: Said) -> None:
    for minute in range(4):
        said(minute, f"At {minute}", lane=Lane.NOTE if minute % 2 else Lane.CONTACT)
    assert [event.sequence for event in after(incident.pk, 2)] == [3, 4]
    assert new_entries(incident.pk, 1, Filter()) == 3
    assert new_entries(incident.pk, 1, Filter(lane="contact")) == 1


# What carries it


def plan(incident: Incident, wanted: Filter, **place: Any) -> str:
    """How PostgreSQL would read a page of this filter; the small table alone must not decide."""
    with CaptureQueriesContext(connection) as captured:
        page(incident.pk, wanted, **place)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + captured.captured_queries[-1]["sql"])
        lines = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("SET LOCAL enable_seqscan = on")
    return lines


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("place", ["first", "after", "before"])
@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Filter(), "event_by_time_folded"),
        (Filter(who="people"), "event_by_time_folded"),
        (Filter(start=START, end=START + timedelta(hours=12)), "event_by_time_folded"),
        (Filter(fold=False), "event_by_time"),
        (Filter(lane="decision"), "event_by_lane"),
    ],
)
def test_a_page_is_cut_from_an_index_in_either_direction(
    incident: Incident, wanted: Filter, index: str, place: str, newest_first: bool
) -> None:
    fill_timeline(incident, 5000, START)
    beside = {} if place == "first" else {place: Cursor(START + timedelta(hours=10), 1800)}
    # Between the page's own limit and that of the look beside each line.
    cut = plan(incident, wanted, newest_first=newest_first, **beside).split("Limit")[1]
    direction = "Backward " if newest_first != (place == "before") else ""
    assert f"Index Scan {direction}using {index} on runbooks_timelineevent event" in cut
    assert "Sort" not in cut


def test_words_accounts_and_bursts_have_indexes_of_their_own(incident: Incident) -> None:
    fill_timeline(incident, 2000, START)
    for wanted, index in (
        (Filter(text="1234"), "event_search"),
        (Filter(account_ids=(5,)), "event_by_account"),
        (Filter(corrected=True), "event_corrections"),
        # A few entries: whether they are read in order or sorted is the planner's choice.
        (Filter(burst=20), "event_by_burst"),
    ):
        assert index in plan(incident, wanted)
