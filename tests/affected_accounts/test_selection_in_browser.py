"""Choosing accounts in a real browser, with script and without."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from playwright.sync_api import Browser, BrowserContext, Page, expect

from runbooks.access.models import User
from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.incidents.models import Incident
from tests.affected_accounts.many import affected_of
from tests.browser.fixtures import LiveApp
from tests.browser.people import sign_in
from tests.factories import make_incident

pytestmark = pytest.mark.browser


@pytest.fixture
def running(live_app: LiveApp, coordinator: User) -> Incident:
    with transaction.atomic():
        incident = make_incident(lead=coordinator)
        affected_of(incident, 60, state=State.SUSPECTED)
    return incident


Opens = Callable[..., Page]


@pytest.fixture
def table(browser: Browser, live_app: LiveApp, running: Incident) -> Iterator[Opens]:
    """Opens the table in a browser of its own, without the live stream: the stream has tests of its own."""
    contexts: list[BrowserContext] = []

    def open_table(**options: Any) -> Page:
        context = browser.new_context(base_url=live_app.url, **options)
        contexts.append(context)
        context.route("**/live/**", lambda route: route.abort())
        sign_in(context, running.lead, live_app.url)
        page = context.new_page()
        page.goto(f"/incidents/{running.reference}/accounts/?sort=login")
        return page

    yield open_table
    for context in contexts:
        context.close()


def test_the_bar_comes_with_a_selection_and_says_how_many_in_which_state(table: Opens) -> None:
    page = table()
    bar = page.locator("#bulk")
    expect(bar).to_be_hidden()
    boxes = page.locator("tbody input[type=checkbox]")
    boxes.nth(0).check()
    expect(bar).to_contain_text("1 selected, all Suspected")
    boxes.nth(4).click(modifiers=["Shift"])
    expect(bar).to_contain_text("5 selected")
    page.locator("#pick-all").check()
    expect(bar).to_contain_text("50 selected")
    page.get_by_label("All 60").check()
    expect(bar).to_contain_text("60 selected, also those on other pages")
    page.get_by_role("button", name="Set tier").click()
    expect(page.get_by_role("heading", name="Set tier for 60 accounts")).to_be_visible()
    page.get_by_label("A: got in").check()
    page.get_by_role("button", name="Set tier for 60 accounts").click()
    expect(page.locator(".messages")).to_contain_text("60 accounts set to tier A")
    assert AffectedAccount.objects.filter(tier="A").count() == 60


def test_without_script_the_same_boxes_and_buttons_work(table: Opens, running: Incident) -> None:
    page = table(java_script_enabled=False, viewport={"width": 360, "height": 740})
    boxes = page.locator("tbody input[type=checkbox]")
    boxes.nth(1).check()
    boxes.nth(2).check()
    page.get_by_role("button", name="Assign owner").click()
    expect(page.get_by_role("heading", name="Assign owner for 2 accounts")).to_be_visible()
    page.get_by_label("Owner").select_option(label=str(running.lead))
    page.get_by_role("button", name="Assign for 2 accounts").click()
    expect(page.locator(".messages")).to_contain_text("2 accounts assigned to")
    assert AffectedAccount.objects.filter(owner=running.lead).count() == 2


def test_filters_fold_on_a_phone_and_stand_open_on_a_desk(table: Opens) -> None:
    search = "Account, holder or office"
    desk = table(viewport={"width": 1280, "height": 800})
    expect(desk.get_by_label(search)).to_be_visible()
    phone = table(viewport={"width": 360, "height": 740})
    expect(phone.get_by_label(search)).to_be_hidden()
    phone.get_by_text("Filter and sort").click()
    phone.get_by_label(search).fill("00007")
    phone.keyboard.press("Enter")
    expect(phone.locator("tbody tr")).to_have_count(1)
