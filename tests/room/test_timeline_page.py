"""The timeline's page, the page of one entry, and what they send."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import PORTAL, actor_for
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.room.operations.entries import EntryText, add_entry, correct_entry, pin_entry
from runbooks.timeline.models import Lane, Pin, TimelineEvent
from runbooks.timeline.operations import Entry, record_many
from tests.factories import make_affected, make_incident, make_step
from tests.timeline.entries import fill_timeline

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
AT = timezone.now()


@pytest.fixture
def client(client_of: ClientOf, responder: User) -> Client:
    return client_of(responder)


def add(incident: Incident, user: User, summary: str = "Gateway logs kept", **changes: Any) -> TimelineEvent:
    return add_entry(incident_id=incident.pk, text=EntryText(summary, **changes), actor=actor_for(user), at=AT)


def address(incident: Incident, name: str = "timeline", *more: object) -> str:
    return reverse(name, args=[incident.reference, *more])


def entries(html: str) -> list[int]:
    """The numbers of the lines, as they stand on the page."""
    return [int(number) for number in re.findall(r'data-entry="(\d+)"', html)]


# Reading


def test_the_newest_entry_stands_first_and_the_order_turns(client: Client, incident: Incident, responder: User) -> None:
    for minute in range(3):
        add(incident, responder, f"Entry {minute}", occurred_at=AT - timedelta(minutes=30 - minute))
    assert entries(client.get(address(incident)).text) == [3, 2, 1]
    assert entries(client.get(address(incident), {"order": "oldest"}).text) == [1, 2, 3]


def test_older_and_newer_pages_lead_to_each_other(client: Client, incident: Incident) -> None:
    fill_timeline(incident, 120, AT - timedelta(hours=1))
    page = client.get(address(incident), {"fold": "0"}).text
    assert entries(page) == list(range(120, 70, -1))
    older = client.get(address(incident) + link(page, "next")).text
    assert entries(older) == list(range(70, 20, -1))
    assert entries(client.get(address(incident) + link(older, "prev")).text) == entries(page)


def link(html: str, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', html)
    assert found is not None
    return found.group(1).replace("&amp;", "&")


def test_a_run_is_one_line_and_unfolds(client: Client, incident: Incident, responder: User) -> None:
    add(incident, responder)
    found = [Entry("account.contained", f"Contained account {number}") for number in range(18)]
    record_many(lock(incident.pk), found, actor=PORTAL, at=AT)
    page = client.get(address(incident)).text
    assert entries(page) == [2, 1]
    assert "18 automated entries, #2 to #19: Contained account 0" in page
    assert len(entries(client.get(address(incident), {"burst": "2"}).text)) == 18
    assert len(entries(client.get(address(incident), {"fold": "0"}).text)) == 19


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"q": "phoned"}, [2]),
        ({"lane": "detection"}, [3]),
        ({"lane": "nonsense"}, [5, 4, 3, 2, 1]),
        ({"kind": "entry.corrected"}, [5]),
        ({"who": "people"}, [5, 4, 3, 2, 1]),
        ({"who": "automated"}, []),
        ({"account": "member-04"}, [3]),
        ({"account": "member-09"}, []),
        ({"step": "3.2"}, [4]),
        ({"step": "9.9"}, [5, 4, 3, 2, 1]),
        ({"only": "corrected"}, [5, 1]),
        ({"only": "pinned"}, [4]),
        ({"after": "nonsense"}, [5, 4, 3, 2, 1]),
        ({"after": "999999999999999999-1"}, [5, 4, 3, 2, 1]),
        ({"burst": "99999999999999999999999"}, [5, 4, 3, 2, 1]),
        ({"who": "99999999999999999999999"}, [5, 4, 3, 2, 1]),
    ],
)
def test_the_address_chooses_the_entries(
    client: Client, incident: Incident, responder: User, query: dict[str, str], expected: list[int]
) -> None:
    step = make_step(incident, number="3.2")
    make_affected(incident, login="member-0412@parliament.example")
    wrong = add(incident, responder, "Eleven accounts", occurred_at=AT - timedelta(minutes=5))
    add(incident, responder, "Liaison phoned", lane=Lane.CONTACT, occurred_at=AT - timedelta(minutes=4))
    add(incident, responder, "First sign-in", lane=Lane.DETECTION, logins=["member-0412"])
    add(incident, responder, "Access restricted", step_id=step.pk, pin=True)
    correct_entry(
        incident_id=incident.pk,
        sequence=wrong.sequence,
        summary="Nine accounts",
        occurred_at=AT,
        precision="second",
        reason="Counted again",
        actor=actor_for(responder),
        at=AT,
    )
    assert entries(client.get(address(incident), query).text) == expected


def test_one_persons_entries(client: Client, incident: Incident, responder: User, coordinator: User) -> None:
    add(incident, responder)
    add(incident, coordinator)
    assert entries(client.get(address(incident), {"who": str(coordinator.pk)}).text) == [2]


def test_the_range_is_read_in_the_incidents_time(client: Client, coordinator: User, responder: User) -> None:
    at = datetime(2026, 6, 23, 7, 0, tzinfo=UTC)
    incident = make_incident(lead=coordinator, members=(responder,), declared_at=at, time_zone="Asia/Kathmandu")
    for hour in range(4):
        record_many(
            lock(incident.pk), [Entry("entry.added", "x")], actor=actor_for(responder), at=at + timedelta(hours=hour)
        )
    # 08:00 UTC is 13:45 there.
    chosen = {"from": "23 Jun 2026 13:45", "to": "2026-06-23 15:45"}
    assert entries(client.get(address(incident), chosen).text) == [3, 2]
    assert entries(client.get(address(incident), {"to": "2026-06-23"}).text) == [4, 3, 2, 1]
    assert entries(client.get(address(incident), {"from": "2026-06-24"}).text) == []


def test_what_cannot_be_read_is_said_and_does_not_filter(client: Client, incident: Incident, responder: User) -> None:
    add(incident, responder)
    page = client.get(address(incident), {"from": "soonish", "account": "nobody", "step": "9.9"}).text
    assert "“soonish” names no moment. Write 11:42" in page
    assert "No account of this incident begins with “nobody”" in page
    assert "This incident has no step 9.9" in page
    assert 'value="soonish"' in page
    assert "ends before it begins" in client.get(address(incident), {"from": "10:00", "to": "09:00"}).text


def test_the_page_counts_an_hour_whole_even_where_it_shows_a_part(client: Client, incident: Incident) -> None:
    fill_timeline(
        incident, 200, AT.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1), timedelta(seconds=1)
    )
    assert "200 entries" in client.get(address(incident), {"fold": "0"}).text
    assert ", 200 entries" not in client.get(address(incident), {"q": "entry"}).text


def test_key_events_stand_in_order_of_time(client: Client, incident: Incident, responder: User) -> None:
    late = add(incident, responder, "Second", pin=True)
    early = add(incident, responder, "First", pin=True, occurred_at=AT - timedelta(hours=1))
    page = client.get(address(incident)).text
    listed = page[page.index('class="key-list"') :]
    assert [int(n) for n in re.findall(r"/timeline/(\d+)/", listed)][:2] == [early.sequence, late.sequence]


def test_the_swimlanes_can_be_narrowed_to_a_day_and_to_the_chosen_range(
    client: Client, incident: Incident, responder: User
) -> None:
    for days in (2, 1, 0):
        at = AT - timedelta(days=days)
        record_many(lock(incident.pk), [Entry("entry.added", "x", Lane.NOTE)], actor=actor_for(responder), at=at)
    day = (AT - timedelta(days=1)).astimezone(incident.zone).date().isoformat()
    for query, bar in (({}, "1 h 00 min"), ({"draw": day}, "15 min"), ({"draw": "nonsense"}, "1 h 00 min")):
        assert f"Each bar is {bar}" in client.get(address(incident), query).text
    hour = (AT - timedelta(days=1, hours=1)).astimezone(incident.zone)
    chosen = {"draw": "range", "from": f"{hour:%Y-%m-%d %H:%M}", "to": f"{hour + timedelta(hours=2):%Y-%m-%d %H:%M}"}
    page = client.get(address(incident), chosen).text
    assert re.search(r'data-bars="[89]"', page)


def test_an_incident_without_entries_has_a_page(client: Client, incident: Incident) -> None:
    assert "The timeline is empty" in client.get(address(incident)).text


def test_somebody_who_reads_only_gets_no_form(
    client_of: ClientOf, incident: Incident, auditor: User, desk: User
) -> None:
    page = client_of(auditor).get(address(incident)).text
    assert address(incident, "timeline_add") not in page
    assert "Your role reads the timeline" in page
    assert "Pin as a key event" not in client_of(desk).get(address(incident)).text


def test_the_page_says_how_many_entries_came_since_it_was_made(
    client: Client, incident: Incident, responder: User
) -> None:
    for _ in range(3):
        add(incident, responder)
    assert "data-live-show" not in client.get(address(incident)).text
    assert "2 new entries, show" in client.get(address(incident), headers={"X-Live": "1"}).text
    assert "1 new entry, show" in client.get(address(incident), headers={"X-Live": "2"}).text
    for header in ("3", "9", "x", "9" * 30):
        assert "data-live-show" not in client.get(address(incident), headers={"X-Live": header}).text
    assert "data-live-show" not in client.get(address(incident), {"lane": "contact"}, headers={"X-Live": "1"}).text


def test_each_printed_page_carries_the_reference_and_the_sharing(client: Client, incident: Incident) -> None:
    assert address(incident, "timeline_print_style") in client.get(address(incident)).text
    style = client.get(address(incident, "timeline_print_style"))
    assert f'content: "{incident.reference} timeline, TLP:AMBER"' in style.text
    assert style["Content-Type"].startswith("text/css")


def test_nothing_is_styled_or_scripted_inline(client: Client, incident: Incident, responder: User) -> None:
    add(incident, responder, pin=True)
    for page in (client.get(address(incident)).text, client.get(address(incident, "timeline_entry", 1)).text):
        assert not re.search(r'\sstyle=|<style|\son\w+="|<script(?![^>]*\ssrc=)', page)


# As many queries for a hundred entries as for a hundred thousand


def queries_of(client: Client, address_: str, query: dict[str, str]) -> int:
    client.get(address_, query)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address_, query).status_code == 200
    return len(captured)


def test_queries_do_not_grow_with_the_entries(client: Client, incident: Incident, responder: User) -> None:
    small = make_incident(lead=incident.lead, members=(responder,))
    start = AT - timedelta(days=24)
    fill_timeline(small, 100, start)
    fill_timeline(incident, 100_000, start)
    cursor = {"after": f"{int((start + timedelta(seconds=1800)).timestamp() * 1_000_000)}-91"}
    asked: tuple[dict[str, str], ...] = (
        {},
        {"order": "oldest"},
        cursor,
        {"q": "entry"},
        {"fold": "0"},
        {"lines": "500"},
    )
    for query in asked:
        assert queries_of(client, address(incident), query) == queries_of(client, address(small), query)
    assert queries_of(client, address(incident), {}) <= 14
    one = queries_of(client, address(incident, "timeline_entry", 99_999), {})
    assert one == queries_of(client, address(small, "timeline_entry", 99), {})


# Adding


def test_an_entry_is_added_and_the_person_is_told_its_number(client: Client, incident: Incident) -> None:
    sent = {"lane": "contact", "summary": "Liaison phoned", "when": "", "step": "", "precision": "", "logins": ""}
    answer = client.post(address(incident, "timeline_add"), sent, follow=True)
    assert answer.redirect_chain == [(address(incident), 302)]
    assert "Added to the timeline as #1." in answer.text
    event = TimelineEvent.objects.get(incident=incident)
    assert (event.lane, event.summary, event.occurred_precision) == ("contact", "Liaison phoned", "second")


def test_everything_the_form_holds_is_kept(client: Client, incident: Incident) -> None:
    step, affected = make_step(incident), make_affected(incident)
    sent = {
        "lane": "detection",
        "summary": "Seen in the log",
        "when": "yesterday 08:45",
        "step": str(step.pk),
        "precision": "hour",
        "logins": f"{affected.login}; ",
        "pin": "on",
    }
    assert client.post(address(incident, "timeline_add"), sent).status_code == 302
    event = TimelineEvent.objects.get(incident=incident)
    assert f"{event.occurred_at.astimezone(incident.zone):%H:%M}" == "08:45"
    assert (event.occurred_precision, event.step_id, event.account_ids) == ("hour", step.pk, [affected.pk])
    assert Pin.objects.get().event == event


def test_a_time_without_seconds_is_known_to_the_minute(client: Client, incident: Incident) -> None:
    client.post(address(incident, "timeline_add"), {"lane": "note", "summary": "x", "when": "yesterday 08:45"})
    assert TimelineEvent.objects.get(incident=incident).occurred_precision == "minute"


def test_what_is_refused_comes_back_filled_in(client: Client, incident: Incident, responder: User) -> None:
    add(incident, responder)
    sent = {"lane": "decision", "summary": "Long and well written", "when": "", "logins": "member-0999"}
    answer = client.post(address(incident, "timeline_add"), sent)
    assert answer.status_code == 400
    assert "Not in this incident: member-0999." in answer.text
    assert "Long and well written</textarea>" in answer.text
    assert '<option value="decision" selected>' in answer.text
    for changes, why in (({"when": "later"}, "names no moment"), ({"when": "2099-01-01 10:00"}, "in the future")):
        assert why in client.post(address(incident, "timeline_add"), {**sent, "logins": "", **changes}).text
    assert TimelineEvent.objects.filter(incident=incident).count() == 1


def test_links_of_a_refused_form_lead_back_to_the_timeline(client: Client, incident: Incident) -> None:
    answer = client.get(address(incident, "timeline_add"), {"lane": "note"})
    assert answer["Location"] == address(incident) + "?lane=note"


def test_a_quick_note_goes_back_to_where_it_was_written(client: Client, incident: Incident) -> None:
    overview = reverse("incident", args=[incident.reference])
    sent = {"summary": "A note", "next": overview}
    assert client.post(address(incident, "timeline_add"), sent)["Location"] == overview
    for elsewhere in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        answer = client.post(address(incident, "timeline_add"), {**sent, "next": elsewhere})
        assert answer["Location"] == address(incident)
    assert TimelineEvent.objects.filter(incident=incident, lane="note").count() == 4


# One entry


def test_an_entry_shows_its_seal_checked_and_leads_to_its_neighbours(
    client: Client, incident: Incident, responder: User
) -> None:
    events = [add(incident, responder, f"Entry {number}") for number in range(3)]
    page = client.get(address(incident, "timeline_entry", 2)).text
    assert "Checked just now: content and record are what was sealed, and it follows #1." in page
    for code in (events[1].hash, events[0].hash, events[1].commitment):
        assert code in page
    assert link(page, "prev") == address(incident, "timeline_entry", 1)
    assert link(page, "next") == address(incident, "timeline_entry", 3)
    assert 'rel="prev"' not in client.get(address(incident, "timeline_entry", 1)).text
    assert 'rel="next"' not in client.get(address(incident, "timeline_entry", 3)).text


def test_the_way_back_begins_at_the_entry(client: Client, incident: Incident) -> None:
    fill_timeline(incident, 200, AT - timedelta(hours=2))
    page = client.get(address(incident, "timeline_entry", 100)).text
    back = re.search(r'href="([^"]+\?after=[^"]+)"', page)
    assert back is not None
    assert entries(client.get(back.group(1) + "&fold=0").text)[0] == 100


def test_a_broken_seal_is_said_aloud(client: Client, incident: Incident) -> None:
    fill_timeline(incident, 2, AT)
    assert "The seal of this entry is broken" in client.get(address(incident, "timeline_entry", 2)).text


def test_an_entry_of_another_incident_is_not_found(client: Client, incident: Incident, responder: User) -> None:
    add(make_incident(members=(responder,)), responder)
    assert client.get(address(incident, "timeline_entry", 1)).status_code == 404


def test_a_correction_leads_both_ways_and_keeps_an_untouched_time(
    client: Client, incident: Incident, responder: User
) -> None:
    wrong = add(incident, responder, "Eleven accounts", occurred_at=AT - timedelta(hours=1, microseconds=7))
    form = client.get(address(incident, "timeline_entry", 1)).text
    when = re.search(r'name="when" value="([^"]+)"', form)
    assert when is not None
    sent = {"summary": "Nine accounts", "when": when.group(1), "reason": "Counted again"}
    answer = client.post(address(incident, "timeline_correct", 1), sent, follow=True)
    assert answer.redirect_chain == [(address(incident, "timeline_entry", 2), 302)]
    assert "Corrects <a" in answer.text
    right = TimelineEvent.objects.get(incident=incident, sequence=2)
    assert (right.occurred_at, right.occurred_precision) == (wrong.occurred_at, wrong.occurred_precision)
    first = client.get(address(incident, "timeline_entry", 1)).text
    assert "<del>Eleven accounts</del>" in first
    assert "Reason: Counted again" in first
    assert "What follows corrects #2" in first


def test_a_refused_correction_comes_back_filled_in(client: Client, incident: Incident, responder: User) -> None:
    add(incident, responder, "Eleven accounts")
    sent = {"summary": "Nine accounts", "when": "nonsense", "reason": "Counted again"}
    answer = client.post(address(incident, "timeline_correct", 1), sent)
    assert (answer.status_code, "names no moment" in answer.text) == (400, True)
    assert "Nine accounts</textarea>" in answer.text
    sent = {"summary": "Nine accounts", "when": "2099-01-01 10:00", "reason": "Counted again"}
    assert "in the future" in client.post(address(incident, "timeline_correct", 1), sent).text
    assert TimelineEvent.objects.filter(incident=incident).count() == 1


def test_pinning_and_taking_off_by_button(client: Client, incident: Incident, responder: User) -> None:
    add(incident, responder)
    answer = client.post(address(incident, "timeline_pin", 1), follow=True)
    assert "#1 is a key event now." in answer.text
    assert "Take off the pin" in answer.text
    assert "#1 is pinned already." in client.post(address(incident, "timeline_pin", 1), follow=True).text
    assert "#1 is no longer a key event." in client.post(address(incident, "timeline_unpin", 1), follow=True).text


def test_a_pinned_entry_says_so(client: Client, incident: Incident, responder: User) -> None:
    add(incident, responder)
    pin_entry(incident_id=incident.pk, sequence=1, actor=actor_for(responder), at=AT)
    assert "Key event" in client.get(address(incident, "timeline_entry", 1)).text
