"""What holds on every page: no accessibility violation, light and dark; no sideways scroll at 360 px; no error in the
console, which is where the content security policy speaks."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.management import call_command

from runbooks.access.models import User
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.directory.models import Account
from runbooks.incidents.models import Incident
from tests.browser.fixtures import LiveApp
from tests.browser.people import PageOf

pytestmark = pytest.mark.browser
ROOM = "/incidents/{reference}"
PAGES = [
    "/account/password/",
    "/incidents/",
    "/incidents/?q=nothing-is-called-this",
    "/incidents/declare/",
    "/my-work/",
    "/search/?q=mail",
    "/search/",
    "/runbooks/",
    "/runbooks/compromised-accounts/",
    "/directory/",
    "/directory/accounts/{account}/",
    "/directory/imports/",
    "/directory/imports/new/",
    f"{ROOM}/",
    f"{ROOM}/steps/",
    f"{ROOM}/steps/?open=assign-roles",
    f"{ROOM}/steps/?open=disable-sign-in",
    f"{ROOM}/steps/add/",
    f"{ROOM}/steps/print/",
    f"{ROOM}/accounts/",
    f"{ROOM}/accounts/?group=confirmed",
    f"{ROOM}/accounts/{{affected}}/",
    f"{ROOM}/accounts/import/",
    f"{ROOM}/accounts/unresolved/",
    f"{ROOM}/timeline/",
    f"{ROOM}/timeline/?lane=contact",
    f"{ROOM}/timeline/1/",
    f"{ROOM}/people/",
    f"{ROOM}/edit/",
    f"{ROOM}/notices/",
    "/nowhere/",
]


@pytest.fixture
def addresses(live_app: LiveApp) -> list[str]:
    """Every page, filled by the demonstration."""
    call_command("demo", accounts=300, verbosity=0)
    known = {
        "reference": Incident.objects.get().reference,
        "affected": AffectedAccount.objects.filter(state="contained").first().pk,  # type: ignore[union-attr]
        "account": Account.objects.first().pk,  # type: ignore[union-attr]
    }
    return [path.format(**known) for path in PAGES]


def coordinator() -> User:
    return User.objects.filter(role="coordinator").order_by("pk")[0]


def test_no_page_breaks_a_rule_of_axe_or_speaks_in_the_console(addresses: list[str], page_of: PageOf) -> None:
    axe = Axe()
    found: list[str] = []
    spoken: list[str] = []
    for scheme in ("light", "dark"):
        page = page_of(coordinator(), color_scheme=scheme)
        page.on("console", lambda message: spoken.append(f"{message.type}: {message.text}"))
        for address in addresses:
            page.goto(address)
            for violation in axe.run(page).response["violations"]:
                targets = [node["target"] for node in violation["nodes"][:3]]
                found.append(f"{scheme} {address}: {violation['id']} {targets}")
    errors = [line for line in spoken if line.startswith("error") and "404 (Not Found)" not in line]
    assert (found, errors) == ([], [])


def test_no_page_scrolls_sideways_on_a_small_phone(addresses: list[str], page_of: PageOf) -> None:
    page = page_of(coordinator(), viewport={"width": 360, "height": 740})
    wide = {}
    for address in addresses:
        page.goto(address)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 360:
            wide[address] = width
    assert wide == {}


def test_every_page_has_one_main_heading_a_title_and_a_way_past_the_navigation(
    addresses: list[str], page_of: PageOf
) -> None:
    page = page_of(coordinator())
    for address in addresses:
        page.goto(address)
        assert page.locator("h1").count() == 1, address
        assert page.title().endswith("IR Portal"), address
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip", address
