"""The main job in a browser, from the analysts' list to a worked step: without JavaScript, and by keyboard alone."""

from io import BytesIO

import pytest
from playwright.sync_api import Page, expect

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.containment.models import Step
from runbooks.directory.operations import import_file
from runbooks.incidents.models import Incident
from runbooks.room.operations.declare import Declaration, declare
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.operations import now
from runbooks.timeline.verify import verify_chain
from tests.browser.fixtures import LiveApp
from tests.browser.people import PageOf
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.browser
DIRECTORY = """userPrincipalName,displayName,surname,givenName,mail
ana.berg@parliament.example,"Berg, Ana",Berg,Ana,ana.berg@parliament.example
ola.dahl@parliament.example,"Dahl, Ola",Dahl,Ola,ola.dahl@parliament.example
tom.dahl@parliament.example,"Dahl, Tom",Dahl,Tom,tom.dahl@parliament.example
"""
LIST = '# from the SOC, 21:40\nANA.BERG@parliament.example\n"Dahl, Ola" <ola.dahl@parliament.example>\nsvc-scanner-07\n'


@pytest.fixture
def lead(live_app: LiveApp) -> User:
    import_file(actor=COMMAND_LINE, file=BytesIO(DIRECTORY.encode()), file_name="users.csv", at=now())
    return make_user()


def test_the_whole_job_is_done_without_javascript(lead: User, page_of: PageOf) -> None:
    page = page_of(None, java_script_enabled=False)
    page.goto("/")
    page.get_by_label("Username").fill(lead.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    declare_in(page)
    load_list(page)
    tier_all(page)
    complete_step(page)
    page.get_by_role("navigation", name="Pages of the incident").get_by_role("link", name="Timeline").click()
    expect(
        page.get_by_text("Step 1.2 Assign roles and open a channel outside the affected mail: completed")
    ).to_be_visible()
    incident = Incident.objects.get()
    assert set(incident.affected_accounts.values_list("login", "tier", "state")) == {
        ("ana.berg@parliament.example", "A", "compromised"),
        ("ola.dahl@parliament.example", "A", "compromised"),
    }
    assert verify_chain(incident.pk).broken_at is None


def declare_in(page: Page) -> None:
    page.get_by_role("link", name="Declare an incident").first.click()
    page.get_by_label("Title").fill("Password guessing on staff mail")
    page.get_by_label("Severity").select_option("1")
    page.get_by_role("button", name="Declare the incident").click()
    expect(page.get_by_role("heading", name="Password guessing on staff mail")).to_be_visible()


def load_list(page: Page) -> None:
    page.get_by_role("link", name="Load the analysts’ list").click()
    page.get_by_label("Or paste the lines").fill(LIST)
    page.get_by_role("button", name="Read the list").click()
    expect(page.get_by_text("svc-scanner-07").first).to_be_visible()
    page.locator("form.acc-preview .btn-primary").click()
    expect(page.get_by_text("2 accounts added").first).to_be_visible()


def tier_all(page: Page) -> None:
    page.get_by_role("navigation", name="Pages of the incident").get_by_role("link", name="Accounts").click()
    for box in page.locator("tbody input[type=checkbox]").all():
        box.check()
    page.get_by_role("button", name="Set tier").click()
    page.get_by_label("A: got in").check()
    page.get_by_role("button", name="Set tier").click()
    assert AffectedAccount.objects.filter(tier="A").count() == 2


def complete_step(page: Page) -> None:
    page.get_by_role("navigation", name="Pages of the incident").get_by_role("link", name="Steps").click()
    page.get_by_role("link", name="Assign roles and open a channel outside the affected mail").click()
    for label in ("Role list", "Test of the responder channel"):
        page.locator("#evidence-box summary").click()
        chosen = page.locator("#evidence-box option", has_text=label).get_attribute("value")
        page.locator("#evidence-box select").select_option(chosen)
        page.locator("#evidence-box textarea").fill(f"{label}: all heard on the bridge")
        page.locator("#evidence-box button[type=submit]").click()
    page.get_by_role("button", name="Complete step").click()
    assert Step.objects.get(key="assign-roles").status == Step.Status.SUCCEEDED


def test_a_step_is_claimed_and_a_note_added_by_keyboard_alone(lead: User, page_of: PageOf) -> None:
    declaration = Declaration("compromised-accounts", "Password guessing", 1, now(), lead_id=lead.pk)
    incident = declare(declaration=declaration, actor=COMMAND_LINE, at=now())
    page = page_of(lead)
    page.goto(f"/incidents/{incident.reference}/steps/?open=assign-roles")
    press_until(page, "Claim step")
    page.keyboard.press("Enter")
    page.wait_for_load_state()
    expect(page.locator(".step-actions").get_by_role("button", name="Claim step")).to_have_count(0)
    assert Step.objects.get(key="assign-roles").owner == lead
    page.goto(f"/incidents/{incident.reference}/")
    press_until(page, "", tag="TEXTAREA")
    page.keyboard.type("Bridge is open, everybody heard")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_load_state()
    expect(page.get_by_text("Bridge is open, everybody heard").first).to_be_visible()
    assert TimelineEvent.objects.filter(summary="Bridge is open, everybody heard").count() == 1


def press_until(page: Page, words: str, *, tag: str = "BUTTON") -> None:
    """Tab until the focus is on it; each stop on the way shows where the focus is."""
    for _ in range(150):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "() => { const e = document.activeElement; const s = getComputedStyle(e);"
            " return [e.tagName, e.innerText || '', s.outlineStyle !== 'none' || e.type === 'checkbox'] }"
        )
        assert found[2], f"{found} shows no focus"
        if found[0] == tag and words in found[1]:
            return
    raise AssertionError(f"the keyboard does not reach {words or tag}")
