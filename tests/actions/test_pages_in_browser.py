"""Asking and deciding in two browsers at once."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from runbooks.access.models import User
from runbooks.actions.models import Action
from runbooks.incidents.models import Incident
from tests.actions.acting import drafted, previewed, requested
from tests.browser.fixtures import LiveApp
from tests.browser.people import PageOf
from tests.factories import PASSWORD, make_affected, make_incident

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("steady")]


@pytest.fixture
def room(live_app: LiveApp, asker: User, approver: User) -> Incident:
    incident = make_incident(lead=approver, members=(asker,), is_exercise=True)
    for _ in range(3):
        make_affected(incident, tier="A", state="compromised")
    return incident


def address(action: Action) -> str:
    return f"/incidents/{action.incident.reference}/actions/{action.number}/"


def test_from_ticked_accounts_to_a_second_person_who_approves(
    room: Incident, asker: User, approver: User, page_of: PageOf
) -> None:
    mine: Page = page_of(asker)
    mine.goto(f"/incidents/{room.reference}/accounts/")
    for box in mine.locator("input[name=id]").all():
        box.check()
    mine.get_by_role("button", name="Disable sign-in").click()
    expect(mine.get_by_role("heading", name="Disable sign-in for 3 accounts")).to_be_visible()
    mine.get_by_label("Why").fill("The gateway saw them")
    mine.get_by_role("button", name="Draft it for 3 accounts").click()
    expect(mine.get_by_text("Reading what is there now")).to_be_visible()
    action = previewed(Action.objects.get())
    mine.get_by_role("button", name="Ask for a second person").click()
    expect(mine.get_by_text("You asked for this, so somebody else decides.")).to_be_visible()

    theirs: Page = page_of(approver)
    theirs.goto(address(action))
    theirs.get_by_label("Type the number").fill("3")
    theirs.get_by_label("Your own password").fill(PASSWORD)
    theirs.get_by_role("button", name="Approve and run for ").click()
    expect(theirs.get_by_text("You approved action 1. It begins now.")).to_be_visible()
    # The page of whoever asked has become that of the run, by itself.
    expect(mine.locator("#job")).to_be_visible(timeout=20_000)
    assert re.search(r"/actions/1/$", mine.url)


def test_what_the_second_person_types_is_left_alone_while_others_change_the_room(
    room: Incident, asker: User, approver: User, page_of: PageOf
) -> None:
    accounts = list(room.affected_accounts.all())
    action = requested(drafted(room, asker, accounts=accounts), asker)
    page: Page = page_of(approver)
    page.goto(address(action))
    page.get_by_role("textbox", name="Comment").fill("Wait for the")
    drafted(room, asker, accounts=accounts)
    expect(page.locator("#held-back")).to_be_visible(timeout=20_000)
    assert page.get_by_role("textbox", name="Comment").input_value() == "Wait for the"


def test_every_verb_can_be_reached_by_keyboard_alone(room: Incident, asker: User, page_of: PageOf) -> None:
    action = drafted(room, asker, accounts=list(room.affected_accounts.all()))
    page: Page = page_of(asker)
    page.goto(address(action))
    page.locator("#do-exclude summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    login: Any = room.affected_accounts.order_by("login").first()
    page.keyboard.type(login.login)
    page.keyboard.press("Tab")
    page.keyboard.type("Clerk of the sitting")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 account left alone.")).to_be_visible()
    assert action.accounts.count() == 2


def test_what_was_refused_and_typed_stays_while_others_change_the_room(
    room: Incident, asker: User, page_of: PageOf
) -> None:
    accounts = list(room.affected_accounts.all())
    action = drafted(room, asker, accounts=accounts)
    page: Page = page_of(asker)
    page.goto(address(action))
    page.locator("#do-exclude summary").click()
    page.get_by_label("Accounts to leave alone").fill("nobody@nowhere.example")
    page.get_by_role("textbox", name="Why").fill("Clerk of the sitting")
    page.get_by_role("button", name="Leave these alone").click()
    expect(page.get_by_role("alert")).to_contain_text("Not on the list: nobody@nowhere.example")
    page.locator("h1").click()
    drafted(room, asker, accounts=accounts)
    expect(page.get_by_role("link", name=f"Timeline {room.events.count()}")).to_be_visible(timeout=20_000)
    assert page.get_by_label("Accounts to leave alone").input_value() == "nobody@nowhere.example"
    expect(page.get_by_role("alert")).to_be_visible()
