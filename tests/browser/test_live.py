"""Two people in one room: what one does, the other sees, and nothing they write is touched."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect

from runbooks.access.models import User
from runbooks.access.permissions import Actor, actor_for
from runbooks.containment.models import Step
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import end_membership
from runbooks.room.operations.entries import EntryText, add_entry
from runbooks.timeline.models import Lane, TimelineEvent
from tests.browser.fixtures import LiveApp
from tests.browser.people import sign_in
from tests.factories import make_step

pytestmark = pytest.mark.browser
# Generous: what is tested is that it comes by itself.
SOON = 15_000
Opened = Callable[[User, str], Page]


@pytest.fixture
def opened(live_app: LiveApp, incident: Incident, browser: Browser) -> Iterator[Opened]:
    """A page of the incident in a browser of that person's own, with its stream open."""
    contexts: list[BrowserContext] = []

    def open_page(user: User, name: str) -> Page:
        context = browser.new_context(base_url=live_app.url, viewport={"width": 1280, "height": 900})
        contexts.append(context)
        sign_in(context, user, live_app.url)
        page = context.new_page()
        page.goto(reverse(name, args=[incident.reference]))
        return page

    yield open_page
    for context in contexts:
        context.close()


def add(incident: Incident, user: User, summary: str, lane: str = Lane.NOTE) -> TimelineEvent:
    actor: Actor = actor_for(user)
    return add_entry(incident_id=incident.pk, text=EntryText(summary, lane), actor=actor, at=timezone.now())


def is_live(page: Page) -> None:
    expect(page.locator(".live").first).to_have_attribute("data-state", "on", timeout=SOON)


@contextmanager
def unchanged(page: Page) -> Iterator[None]:
    """The page is the same one before and after: nothing was loaded anew."""
    page.evaluate("window.stillHere = true")
    yield
    assert page.evaluate("window.stillHere === true")


def test_a_step_completed_by_one_is_seen_by_the_other(
    opened: Opened, incident: Incident, coordinator: User, responder: User
) -> None:
    step = make_step(incident, status=Step.Status.RUNNING, owner=responder, started_at=timezone.now())
    one, other = opened(responder, "steps"), opened(coordinator, "incident")
    is_live(other)
    with unchanged(other):
        one.goto(f"{reverse('steps', args=[incident.reference])}?open={step.key}")
        one.get_by_role("button", name=re.compile("complete|done", re.I)).first.click()
        expect(other.locator("#feed")).to_contain_text(f"{step.title}", timeout=SOON)
        expect(other.locator(".tabs")).to_contain_text("1 of 1", timeout=SOON)


def test_a_note_written_by_one_is_seen_by_the_other(
    opened: Opened, incident: Incident, coordinator: User, responder: User
) -> None:
    one, other = opened(responder, "incident"), opened(coordinator, "incident")
    is_live(other)
    with unchanged(other):
        one.fill("#quick", "The liaison desk is staffed")
        one.get_by_role("button", name="Add to timeline").click()
        expect(other.locator("#feed")).to_contain_text("The liaison desk is staffed", timeout=SOON)
    expect(other.locator(".live").first).to_have_text("Live, 2 people here", timeout=SOON)


def test_what_came_while_the_stream_was_cut_arrives_after_it_is_back(
    opened: Opened, incident: Incident, coordinator: User, responder: User
) -> None:
    page = opened(coordinator, "incident")
    is_live(page)
    with unchanged(page):
        page.context.set_offline(True)
        # A request that is open already survives; the next one fails, as on a phone that lost its network.
        page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
        page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
        expect(page.locator(".live").first).to_have_attribute("data-state", "lost", timeout=SOON)
        add(incident, responder, "Written while the other was away")
        expect(page.locator("#feed")).not_to_contain_text("Written while the other was away")
        page.context.set_offline(False)
        expect(page.locator("#feed")).to_contain_text("Written while the other was away", timeout=SOON)
    is_live(page)


def test_new_entries_wait_until_they_are_asked_for_and_are_marked(
    opened: Opened, incident: Incident, coordinator: User, responder: User
) -> None:
    for number in range(3):
        add(incident, responder, f"Known {number}")
    page = opened(coordinator, "timeline")
    is_live(page)
    first = page.locator("[data-entry]").first
    with unchanged(page):
        place = first.bounding_box()
        add(incident, responder, "Unseen one")
        add(incident, responder, "Unseen two")
        link = page.get_by_role("link", name="2 new entries, show")
        expect(link).to_be_visible(timeout=SOON)
        expect(page.locator(".tabs")).to_contain_text("Timeline 5")
        expect(page.locator("#entries")).not_to_contain_text("Unseen one")
        assert place is not None
        assert first.get_attribute("data-entry") == "3"
        link.click()
        expect(page.locator("#entries")).to_contain_text("Unseen one")
        expect(page.locator(".entry.fresh")).to_have_count(2)
        expect(page.locator("#new-entries")).to_be_empty()
        expect(page.locator(".entry.fresh")).to_have_count(0, timeout=SOON)


def test_an_entry_the_filter_hides_is_not_announced(
    opened: Opened, incident: Incident, coordinator: User, responder: User
) -> None:
    page = opened(coordinator, "timeline")
    page.goto(f"{reverse('timeline', args=[incident.reference])}?lane=contact")
    is_live(page)
    add(incident, responder, "A note")
    expect(page.locator(".tabs")).to_contain_text("Timeline 1", timeout=SOON)
    expect(page.locator("#new-entries")).to_be_empty()
    add(incident, responder, "A call", Lane.CONTACT)
    expect(page.get_by_role("link", name="1 new entry, show")).to_be_visible(timeout=SOON)


def test_what_somebody_is_writing_stays(opened: Opened, incident: Incident, coordinator: User, responder: User) -> None:
    page = opened(coordinator, "timeline")
    is_live(page)
    with unchanged(page):
        page.fill("#id_summary", "Half a sentence")
        add(incident, responder, "Meanwhile")
        expect(page.get_by_role("link", name="1 new entry, show")).to_be_visible(timeout=SOON)
        page.get_by_role("link", name="1 new entry, show").click()
        expect(page.locator("#entries")).to_contain_text("Meanwhile")
        assert page.input_value("#id_summary") == "Half a sentence"


def test_a_page_of_somebody_who_left_the_incident_says_that_it_is_over(
    opened: Opened, incident: Incident, coordinator: User, responder: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbooks.room.views.live.HEARTBEAT_SECONDS", 0.5)
    page = opened(responder, "timeline")
    is_live(page)
    actor = actor_for(coordinator)
    end_membership(incident_id=incident.pk, user_id=responder.pk, actor=actor, at=timezone.now())
    expect(page.locator(".live").first).to_have_text("No longer live. Reload the page", timeout=SOON)


def test_the_range_is_chosen_with_the_arrow_keys(opened: Opened, incident: Incident, responder: User) -> None:
    for minutes in (0, 61, 122):
        actor, at = actor_for(responder), timezone.now() - timedelta(minutes=minutes)
        add_entry(incident_id=incident.pk, text=EntryText(f"{minutes} ago", Lane.ACTION), actor=actor, at=at)
    page = opened(responder, "timeline")
    start = page.get_by_role("slider", name=re.compile("Range start"))
    start.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("PageUp")
    expect(start).to_have_attribute("aria-valuenow", "5")
    said = start.get_attribute("aria-valuetext")
    expect(page.locator("#from")).to_have_value(said or "")
    page.keyboard.press("Enter")
    expect(page.locator("[data-entry]")).to_have_count(1)
    expect(page.get_by_role("slider", name=re.compile("Range start"))).to_have_attribute("aria-valuetext", said or "")


def test_without_script_the_timeline_reads_filters_and_adds(
    live_app: LiveApp, incident: Incident, responder: User, browser: Browser
) -> None:
    add(incident, responder, "Before")
    context = browser.new_context(base_url=live_app.url, java_script_enabled=False)
    sign_in(context, responder, live_app.url)
    page = context.new_page()
    page.goto(reverse("timeline", args=[incident.reference]))
    page.fill("#id_summary", "Written without script")
    page.get_by_role("button", name="Add entry").click()
    expect(page.locator("#entries")).to_contain_text("Written without script")
    page.fill("#q", "before")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("[data-entry]")).to_have_count(1)
    context.close()
