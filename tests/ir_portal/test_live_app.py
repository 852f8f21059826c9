"""The server and the browser that browser tests stand on."""

import json
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page

from tests.browser import fixtures
from tests.browser.fixtures import LiveApp
from tests.factories import make_user


def test_the_portal_answers_over_http_with_its_style_sheet(live_app: LiveApp) -> None:
    with urlopen(f"{live_app.url}/static/runbooks/portal.css") as answer:
        assert answer.headers["Content-Type"].startswith("text/css")
        assert answer.read()


@pytest.mark.browser
def test_chromium_sees_what_the_test_wrote_to_the_database(live_app: LiveApp, page: Page) -> None:
    make_user(username="c.ruiz")
    page.goto(f"{live_app.url}/healthz")
    assert json.loads(page.inner_text("body"))["database"] == "answers"


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The part of pytest's configuration that the hooks use, on a machine without a browser."""
    monkeypatch.setenv("CHROMIUM", "/no/such/browser")
    monkeypatch.delenv("REQUIRE_BROWSER", raising=False)
    deselected: list[pytest.Item] = []
    hook = SimpleNamespace(pytest_deselected=lambda items: deselected.extend(items))
    return SimpleNamespace(stash=pytest.Stash(), hook=hook, deselected=deselected)


def item(*, browser: bool) -> Any:
    return SimpleNamespace(get_closest_marker=lambda name: browser or None)


def test_without_a_browser_one_line_says_what_was_skipped_and_how_to_get_one(config: Any) -> None:
    driven, plain, lines = item(browser=True), item(browser=False), []
    items = [driven, plain]
    fixtures.pytest_collection_modifyitems(config, items)
    reporter: Any = SimpleNamespace(write_line=lambda line, **colour: lines.append(line))
    fixtures.pytest_terminal_summary(reporter, config)

    assert items == [plain]
    assert config.deselected == [driven]
    assert len(lines) == 1
    assert lines[0].startswith("1 browser tests were skipped: no Chromium was found; get it with: apt-get install")


def test_without_a_browser_that_is_required_the_run_fails(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUIRE_BROWSER", "1")
    with pytest.raises(pytest.UsageError, match="REQUIRE_BROWSER=1, but no Chromium was found"):
        fixtures.pytest_collection_modifyitems(config, [item(browser=True)])


def test_browser_tests_come_after_all_others(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixtures, "find_chromium", lambda: "/usr/bin/chromium")
    driven, plain = item(browser=True), item(browser=False)
    items = [driven, plain]
    fixtures.pytest_collection_modifyitems(config, items)
    assert items == [plain, driven]
