"""A person's own page in a real browser: a code that arrives by itself, and rules moved by keyboard alone."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from runbooks.access.models import Role
from runbooks.contacts.models import ContactPoint, ContactRule
from tests.browser.fixtures import LiveApp
from tests.browser.people import PageOf
from tests.contacts.people import make_point, make_rules
from tests.factories import make_user
from tests.notifications.codes import code_in_mail, send_codes

pytestmark = pytest.mark.browser
SOON = 15_000


def test_a_way_is_added_and_the_page_says_by_itself_that_the_code_left(live_app: LiveApp, page_of: PageOf) -> None:
    page = page_of(make_user(Role.RESPONDER))
    page.goto("/incidents/")
    page.locator(".me-menu > summary").click()
    page.get_by_role("link", name="How you are reached").click()
    page.get_by_label("Address", exact=True).fill("me@elsewhere.example")
    page.get_by_role("button", name="Add and send a code").click()
    expect(page.get_by_text("The code is being sent")).to_be_visible()
    page.evaluate("window.stillHere = true")
    send_codes(timezone.now())
    code = page.get_by_label("Code of six digits")
    expect(code).to_be_visible(timeout=SOON)
    assert page.evaluate("window.stillHere") is True
    code.fill(code_in_mail("me@elsewhere.example"))
    code.press("Enter")
    expect(page.get_by_text("Verified", exact=True)).to_be_visible()
    assert ContactPoint.objects.get().verified_at is not None


def test_lines_are_moved_with_the_keyboard_and_the_focus_stays_with_the_line(
    live_app: LiveApp, page_of: PageOf
) -> None:
    user = make_user(Role.RESPONDER)
    points = [make_point(user, "email", f"{name}@elsewhere.example") for name in ("first", "second", "third")]
    make_rules(user, "important", *[(point, 5) for point in points])
    page = page_of(user)
    page.goto("/contact-points/")
    important = page.locator("section", has=page.get_by_role("heading", name="Important notices"))
    important.get_by_role("button", name="Move E-mail third@elsewhere.example up").focus()
    page.keyboard.press("Enter")
    expect(important.locator("li").nth(1)).to_contain_text("third@")
    focused = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(focused) == "Move E-mail third@elsewhere.example up"
    page.keyboard.press("Enter")
    expect(important.locator("li").nth(0)).to_contain_text("third@")
    assert page.evaluate(focused) == "Move E-mail third@elsewhere.example down"
    kept = list(ContactRule.objects.order_by("position").values_list("point_id", flat=True))
    assert kept == [points[2].pk, points[0].pk, points[1].pk]


def test_enter_in_a_wait_keeps_it_and_moves_nothing(live_app: LiveApp, page_of: PageOf) -> None:
    user = make_user(Role.RESPONDER)
    for name in ("first", "second"):
        make_point(user, "email", f"{name}@elsewhere.example")
    page = page_of(user)
    page.goto("/contact-points/")
    wait = page.locator('input[name="line-1-wait"]').first
    wait.fill("12")
    wait.press("Enter")
    expect(page.locator('input[name="line-1-wait"]').first).to_have_value("12")
    assert list(ContactRule.objects.order_by("position").values_list("wait_minutes", flat=True)) == [0, 12]
