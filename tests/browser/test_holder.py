"""A holder on a phone: the whole way without JavaScript, and what every page of it must be."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Page, expect

from runbooks.affected_accounts.models import AffectedAccount
from runbooks.confirmations.codes import shown
from runbooks.confirmations.models import Confirmation
from runbooks.confirmations.operations import NotKeptError
from runbooks.confirmations.views.holder import ending
from tests.browser.fixtures import LiveApp
from tests.browser.people import PageOf
from tests.confirmations.holding import make_coded

pytestmark = pytest.mark.browser
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
MOST_BYTES = 60_000
# What a browser itself says of an answer that was not taken.
REFUSED = re.compile(r"status of (400|503) ")
STATIC = Path(settings.BASE_DIR) / "runbooks" / "static" / "runbooks"
Coded = tuple[AffectedAccount, str]
AtPage = Callable[[str], None]


@pytest.fixture
def coded(live_app: LiveApp) -> Coded:
    return make_coded()


def type_code(page: Page, account: str, code: str) -> None:
    page.goto("/confirm/")
    page.get_by_label("Account name").fill(account)
    page.get_by_label("Code", exact=True).fill(code)
    page.get_by_role("button", name="Continue").click()


def walk(page: Page, coded: Coded, look: AtPage) -> None:
    """Every page in every state, as a holder comes by them; `look` is called with the name of each."""
    row, code = coded

    def at(name: str) -> None:
        page.wait_for_load_state()
        look(name)

    page.goto("/confirm/changed/")
    at("again")
    page.goto("/confirm/call/")
    at("call")
    page.get_by_role("button").click()
    at("call, wrong")
    page.get_by_label("Account name").fill(row.login)
    page.get_by_label("Reference").fill("K7QM42XT")
    page.get_by_role("button").click()
    at("no such call")
    type_code(page, row.login, "0000-0000")
    at("start, wrong")
    type_code(page, row.login, shown(code))
    at("changed")
    page.get_by_role("button").click()
    at("changed, wrong")
    page.get_by_text("No, not yet").click()
    page.get_by_role("button").click()
    at("how")
    page.get_by_role("link", name="I have changed it now").click()
    page.get_by_text("Yes, I changed it myself").click()
    page.get_by_role("button").click()
    at("about")
    page.get_by_label("Who else").fill("x" * 201)
    page.get_by_role("button").click()
    at("about, wrong")
    page.get_by_label("Who else").fill("My assistant")
    page.get_by_role("button").click()
    at("check")
    with patch.object(ending, "answer", side_effect=NotKeptError):
        page.get_by_role("button").click()
        at("later")
    page.get_by_role("button", name="Send the answer again").click()
    at("done")
    page.goto("/cadarnhau/")
    at("dechrau")
    page.goto("/cadarnhau/derbynneb/")
    at("derbynneb")


def test_the_whole_way_on_a_phone_without_javascript(page_of: PageOf, coded: Coded) -> None:
    page = page_of(None, java_script_enabled=False, **PHONE)
    row, code = coded
    page.goto("/confirm/")
    page.get_by_label("Account name").fill(f" {row.login.upper()} ")
    page.get_by_label("Code", exact=True).fill(f"{code[:4]} {code[4:]}".lower())
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Have you changed your password since")
    expect(page.locator("input:checked")).to_have_count(0)
    page.get_by_label("Yes, with help from the service desk").check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("group", name="outside the country").get_by_label("No", exact=True).check()
    page.get_by_label("Have you had odd calls").fill("Somebody asked for my code")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_label("Have you had odd calls")).to_have_value("Somebody asked for my code")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Cymraeg").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Gwiriwch eich atebion")
    page.get_by_role("button", name="Cadarnhau’r atebion hyn").click()
    kept = Confirmation.objects.get()
    assert (kept.answer, kept.language) == ("with_help", "cy")
    assert kept.questions == {"abroad": "no", "odd": "Somebody asked for my code"}
    expect(page.get_by_text(kept.receipt)).to_be_visible()
    page.go_back()
    page.goto("/confirm/check/")
    expect(page.get_by_role("heading", level=1)).to_have_text("We have your answer")


def test_no_page_breaks_a_rule_of_axe_or_speaks_in_the_console(page_of: PageOf, live_app: LiveApp) -> None:
    axe, found, spoken = Axe(), [], []
    for scheme in ("light", "dark"):
        page = page_of(None, color_scheme=scheme, **PHONE)
        page.on("console", lambda message: spoken.append(message.text) if message.type == "error" else None)

        def look(name: str, page: Page = page, scheme: str = scheme) -> None:
            for violation in axe.run(page).response["violations"]:
                found.append(
                    f"{scheme} {name}: {violation['id']} {[node['target'] for node in violation['nodes'][:3]]}"
                )
            assert page.locator("h1").count() == 1, name
            if "wrong" not in name:
                page.keyboard.press("Tab")
                assert page.evaluate("document.activeElement.className") == "skip", name

        walk(page, make_coded(f"m.ferreira-{scheme}"), look)
    assert (found, [line for line in spoken if not REFUSED.search(line)]) == ([], [])


def test_no_page_scrolls_sideways_on_the_smallest_phone_or_with_text_at_twice_its_size(
    page_of: PageOf, coded: Coded, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DESK_TELEPHONE = "+44 20 7219 3070"
    widest = "WWWWW-MMMMM"
    monkeypatch.setattr("runbooks.confirmations.operations.confirming._receipt", lambda: widest)
    page = page_of(None, **PHONE)
    wide = {}

    def measure(name: str) -> None:
        for width, size in ((360, "100%"), (320, "100%"), (360, "200%"), (320, "200%")):
            page.set_viewport_size({"width": width, "height": 740})
            page.evaluate("size => { document.documentElement.style.fontSize = size }", size)
            needed = page.evaluate("document.documentElement.scrollWidth")
            if needed > width:
                wide[f"{name} at {width}, {size}"] = needed
        page.evaluate("document.documentElement.style.fontSize = ''")

    walk(page, coded, measure)
    assert wide == {}


def test_what_is_pressed_is_large_enough_and_text_is_19_px(page_of: PageOf, coded: Coded) -> None:
    page = page_of(None, **PHONE)
    small = []

    def measure(name: str) -> None:
        assert page.evaluate("getComputedStyle(document.body).fontSize") == "19px"
        for selector, least in (("input:not([type=hidden]):not([type=radio])", 48), (".go", 48), (".radio input", 40)):
            for box in page.locator(selector).all():
                height = (box.bounding_box() or {"height": 0})["height"]
                if height < least:
                    small.append((name, selector, height))

    walk(page, coded, measure)
    assert small == []


def test_each_page_is_light_with_everything_and_asks_nobody_else(page_of: PageOf, coded: Coded) -> None:
    page = page_of(None, **PHONE)
    fetched: set[str] = set()
    weights: dict[str, int] = {}
    page.on("request", lambda request: fetched.add(urlsplit(request.url)._replace(query="").geturl()))
    with_every_page = sum((STATIC / name).stat().st_size for name in ("holder.css", "mark.svg"))

    def weigh(name: str) -> None:
        weights[name] = with_every_page + len(page.content().encode())

    walk(page, coded, weigh)
    here = page.evaluate("location.origin")
    others = {url for url in fetched if "/confirm/" not in url and "/cadarnhau/" not in url}
    assert others <= {f"{here}/static/runbooks/{name}" for name in ("holder.css", "mark.svg")}
    assert {name: size for name, size in weights.items() if size > MOST_BYTES} == {}


def test_a_fault_takes_the_focus_and_leads_to_its_field(page_of: PageOf, coded: Coded) -> None:
    page = page_of(None, **PHONE)
    type_code(page, coded[0].login, "7K2M")
    expect(page.locator(".faults")).to_be_focused()
    page.get_by_role("link", name="You entered 4").click()
    expect(page.get_by_label("Code", exact=True)).to_be_focused()
