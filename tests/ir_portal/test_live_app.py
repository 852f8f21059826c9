"""The server and the browser that browser tests stand on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page

from tests.browser.fixtures import LiveApp
from tests.factories import make_user

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_portal_answers_over_http_with_its_style_sheet(live_app: LiveApp) -> None:
    with urlopen(f"{live_app.url}/static/runbooks/portal.css") as answer:
        assert answer.headers["Content-Type"].startswith("text/css")
        assert answer.read()


@pytest.mark.browser
def test_chromium_sees_what_the_test_wrote_to_the_database(live_app: LiveApp, page: Page) -> None:
    make_user(username="c.ruiz")
    page.goto(f"{live_app.url}/healthz")
    assert json.loads(page.inner_text("body"))["database"] == "answers"


def run_pytest(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "browser", __file__],
        cwd=REPOSITORY,
        env={**os.environ, "CHROMIUM": "/no/such/browser", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_browser_one_line_says_what_was_skipped_and_how_to_get_one() -> None:
    said = run_pytest(REQUIRE_BROWSER="0").stdout.splitlines()
    mend = "1 browser tests were skipped: no Chromium was found; get it with: apt-get install chromium"
    assert len([line for line in said if mend in line]) == 1


def test_without_a_browser_that_is_required_the_tests_fail() -> None:
    done = run_pytest(REQUIRE_BROWSER="1")
    assert done.returncode == 4
    assert "REQUIRE_BROWSER=1, but no Chromium was found" in done.stderr
