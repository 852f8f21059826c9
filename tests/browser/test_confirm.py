"""From the letter to the directory: a holder on a phone, a coordinator's open page, a worker and a real directory."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from runbooks.access.models import Role, User
from runbooks.affected_accounts.models import AffectedAccount, State, Tier
from runbooks.confirmations.models import Code, Confirmation
from runbooks.directory.models import Account
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from runbooks.timeline.verify import verify_chain
from tests.actions.conftest import connection_of, institution_folder, slapd, stopped_slapd
from tests.browser.directory import DOMAIN, reach
from tests.browser.fixtures import LiveApp
from tests.browser.people import PageOf
from tests.connectors.slapd import Slapd, dn_of
from tests.factories import make_affected, make_incident, make_user
from tests.pdf import read

__all__ = ["connection_of", "institution_folder", "slapd", "stopped_slapd"]
pytestmark = [pytest.mark.browser, pytest.mark.slapd]
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
CODE = re.compile(r"(?<![\w-])[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\b")


@pytest.fixture
def coordinator(live_app: LiveApp) -> User:
    return make_user(Role.COORDINATOR)


@pytest.fixture
def incident(
    slapd: Slapd, connection_of: Any, coordinator: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Incident:
    reach(slapd, connection_of, monkeypatch, tmp_path)
    return make_incident(lead=coordinator)


@pytest.fixture
def holders(incident: Incident, slapd: Slapd) -> list[str]:
    """Four contained accounts, by what stands before the @."""
    at = timezone.now() - timedelta(hours=1)
    names = ("sign_in_disabled_at", "sessions_revoked_at", "rules_checked_at", "password_changed_at")
    logins = slapd.logins()[:4]
    for login in logins:
        account = Account.objects.get(login=f"{login}{DOMAIN}")
        facts = dict.fromkeys(names, at - timedelta(minutes=5))
        make_affected(incident, account, tier="B", state=State.CONTAINED, contained_at=at, **facts)
    return logins


def test_the_whole_way_from_the_letter_to_reset_confirmed_and_the_three_other_answers(
    incident: Incident,
    holders: list[str],
    slapd: Slapd,
    coordinator: User,
    page_of: PageOf,
    request: pytest.FixtureRequest,
) -> None:
    request.getfixturevalue("worker")
    desk = page_of(coordinator)
    codes = print_letters(desk, incident)
    assert sorted(codes) == sorted(f"{login}{DOMAIN}" for login in holders)
    myself, helped, not_yet, not_me = holders

    desk.goto(f"/incidents/{incident.reference}/accounts/?q={myself}")
    expect(row_of(desk, myself)).to_contain_text("Contained")
    slapd.change(dn_of(myself), userPassword=["a password of my own"])
    phone = page_of(None, **PHONE)
    answer(phone, myself, codes, "Yes, I changed it myself")
    finish(phone)
    expect(row_of(desk, myself)).to_contain_text("Reset confirmed", timeout=20_000)

    desk.goto(f"/incidents/{incident.reference}/accounts/?q={helped}")
    slapd.change(dn_of(helped), userPassword=["a password we made together"])
    answer(phone, helped, codes, "Yes, with help from the service desk")
    finish(phone)
    expect(row_of(desk, helped)).to_contain_text("Reset confirmed", timeout=20_000)

    answer(phone, not_yet, codes, "No, not yet")
    expect(phone.get_by_role("heading", level=1)).to_contain_text("Change your password")
    assert Code.objects.get(affected_account__login=f"{not_yet}{DOMAIN}").used_at is None

    desk.goto(f"/incidents/{incident.reference}/")
    answer(phone, not_me, codes, "Someone else changed it, or I am not sure")
    expect(phone.locator("#main")).to_contain_text("Do not use the account until we have spoken.")
    expect(desk.locator("#main")).to_contain_text("1 holder answered “not me, or not sure”", timeout=20_000)
    raised = AffectedAccount.objects.get(login=f"{not_me}{DOMAIN}")
    assert (raised.tier, raised.state) == (Tier.A, State.CONTAINED)
    assert Notification.objects.filter(event="holder.not_me", recipient=coordinator).exists()

    assert Confirmation.objects.count() == 3
    left = AffectedAccount.objects.get(login=f"{not_yet}{DOMAIN}")
    assert (left.state, left.holder_reached_at) == (State.CONTAINED, None)
    assert verify_chain(incident.pk).broken_at is None


def print_letters(page: Page, incident: Incident) -> dict[str, str]:
    """{account: its code}, as they stand in the letters."""
    page.goto(f"/incidents/{incident.reference}/accounts/")
    page.locator("thead input[type=checkbox]").check()
    page.get_by_role("button", name="Send codes").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name=re.compile("^Print")).click()
    pages = read(Path(waiting.value.path()).read_bytes()).pages
    codes = {}
    for text in (page.extract_text() for page in pages):
        account = next(word for word in text.split() if word.endswith(DOMAIN))
        codes[account] = CODE.findall(text)[0]
    return codes


def row_of(page: Page, login: str) -> Any:
    return page.locator("tr", has_text=login).first


def answer(phone: Page, login: str, codes: dict[str, str], said: str) -> None:
    phone.goto("/confirm/")
    phone.get_by_label("Account name").fill(f"{login}{DOMAIN}")
    phone.get_by_label("Code", exact=True).fill(codes[f"{login}{DOMAIN}"])
    phone.get_by_role("button", name="Continue").click()
    phone.get_by_text(said).click()
    phone.get_by_role("button", name="Continue").click()


def finish(phone: Page) -> None:
    """Leave the questions open, check the answers, and see the receipt."""
    phone.get_by_role("button", name="Continue").click()
    phone.get_by_role("button", name="Confirm these answers").click()
    expect(phone.get_by_role("heading", level=1)).to_have_text("We have your answer")
