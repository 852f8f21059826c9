"""Containing ninety accounts in browsers, with a worker process and a real directory that shows what became of them."""

import logging
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from runbooks.access.models import Role, User
from runbooks.actions.models import Action
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.incidents.models import Incident
from runbooks.timeline.verify import verify_chain
from tests.actions.conftest import connection_of, institution_folder, slapd, stopped_slapd
from tests.browser.directory import DOMAIN, reach
from tests.browser.fixtures import LiveApp
from tests.browser.people import PageOf
from tests.connectors.slapd import Slapd, dn_of
from tests.factories import PASSWORD, make_incident, make_user

__all__ = ["connection_of", "institution_folder", "slapd", "stopped_slapd"]
pytestmark = [pytest.mark.browser, pytest.mark.slapd]
logger = logging.getLogger(__name__)


@pytest.fixture
def asker(live_app: LiveApp) -> User:
    return make_user(Role.RESPONDER)


@pytest.fixture
def approver(live_app: LiveApp) -> User:
    return make_user(Role.COORDINATOR)


@pytest.fixture
def incident(
    slapd: Slapd, connection_of: Any, asker: User, approver: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Incident:
    reach(slapd, connection_of, monkeypatch, tmp_path)
    return make_incident(lead=approver, members=(asker,))


def locked(slapd: Slapd, logins: list[str]) -> int:
    return sum(bool(slapd.values(dn_of(login), "pwdAccountLockedTime")) for login in logins)


def test_ninety_accounts_are_contained_by_two_people_one_is_retried_and_one_put_back(
    incident: Incident,
    slapd: Slapd,
    asker: User,
    approver: User,
    page_of: PageOf,
    request: pytest.FixtureRequest,
) -> None:
    request.getfixturevalue("worker")
    ninety = slapd.logins()[:90]
    failing = ninety[40]
    mine, theirs = page_of(asker), page_of(approver)
    import_list(mine, incident, ninety)
    tier_all(mine, incident)
    # Somebody moves one away in the directory, after the portal saw it there.
    slapd.change(dn_of(failing), mail=["moved@elsewhere.example"])
    ask(mine)
    action = Action.objects.get()

    theirs.goto(f"/incidents/{incident.reference}/")
    theirs.get_by_role("link", name="Decide", exact=True).click()
    approve(theirs, 90)
    began = time.monotonic()
    expect(theirs.locator("#job")).to_contain_text("89", timeout=20_000)
    expect(mine.locator("#job")).to_contain_text("1 failed", timeout=20_000)
    logger.info("The last account showed in both browsers %.1f s after the approval", time.monotonic() - began)
    assert locked(slapd, ninety) == 89

    slapd.change(dn_of(failing), mail=[f"{failing}{DOMAIN}"])
    mine.get_by_role("button", name=re.compile("Retry 1 failed")).click()
    expect(mine.locator("#job")).to_contain_text("90 of 90 done", timeout=20_000)
    expect(mine.locator("#main")).to_contain_text("90 of 90 accounts as asked", timeout=20_000)
    assert locked(slapd, ninety) == 90
    action.refresh_from_db()
    assert action.status == Action.Status.DONE
    assert AffectedAccount.objects.filter(sign_in_disabled_at__isnull=False).count() == 90

    put_back(mine, ninety[0])
    back = Action.objects.get(undoes=action)
    theirs.goto(f"/incidents/{incident.reference}/actions/{back.number}/")
    approve(theirs, 1)
    expect(theirs.locator("#job")).to_contain_text("1 of 1 done", timeout=20_000)
    expect(theirs.locator("#main")).to_contain_text("1 of 1 account as asked", timeout=20_000)
    assert locked(slapd, ninety) == 89
    assert not slapd.values(dn_of(ninety[0]), "pwdAccountLockedTime")
    assert verify_chain(incident.pk).broken_at is None


def import_list(page: Page, incident: Incident, logins: list[str]) -> None:
    page.goto(f"/incidents/{incident.reference}/accounts/import/")
    page.get_by_label("Or paste the lines").fill("\n".join(f"{login}{DOMAIN}" for login in logins))
    page.get_by_role("button", name="Read the list").click()
    page.locator("form.acc-preview .btn-primary").click()
    expect(page.get_by_text("90 accounts added").first).to_be_visible()


def tier_all(page: Page, incident: Incident) -> None:
    page.goto(f"/incidents/{incident.reference}/accounts/")
    choose_all(page)
    page.get_by_role("button", name="Set tier").click()
    page.get_by_label("A: got in").check()
    page.get_by_role("button", name="Set tier").click()
    assert AffectedAccount.objects.filter(tier="A").count() == 90


def choose_all(page: Page) -> None:
    page.locator("thead input[type=checkbox]").check()
    page.locator("#whole").check()


def ask(page: Page) -> None:
    choose_all(page)
    page.get_by_role("button", name="Disable sign-in").click()
    page.get_by_label("Why").fill("Signed in to from the attacking networks")
    page.get_by_role("button", name=re.compile("Draft it for 90")).click()
    button = page.get_by_role("button", name="Ask for a second person")
    expect(button).to_be_enabled(timeout=20_000)
    expect(page.locator("#main")).to_contain_text("What is there now was read", timeout=20_000)
    page.get_by_role("button", name="Ask for a second person").click()


def approve(page: Page, count: int) -> None:
    page.get_by_label("Type the number").fill(str(count))
    page.get_by_label("Your own password").fill(PASSWORD)
    page.get_by_role("button", name="Approve and run for ").click()


def put_back(page: Page, login: str) -> None:
    page.locator("tr", has_text=login).locator("input[type=checkbox]").check()
    page.get_by_text("Roll back the ticked accounts").click()
    page.get_by_label("Why they are rolled back").fill("The holder was on a train with that address")
    page.get_by_role("button", name="Draft a rollback for the ticked accounts").click()
    expect(page.get_by_role("button", name="Ask for a second person")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Ask for a second person").click()
