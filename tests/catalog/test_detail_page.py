"""/runbooks/<slug>/"""

import html
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from runbooks.access.models import User
from runbooks.catalog.definition import Runbook
from runbooks.catalog.loader import all_runbooks, load
from runbooks.catalog.views.detail import phase_parts, target_text

ClientOf = Callable[[User], Client]


def page_of(client: Client, slug: str = "compromised-accounts") -> str:
    return " ".join(client.get(f"/runbooks/{slug}/").content.decode().split())


@pytest.mark.parametrize("runbook", all_runbooks(), ids=lambda runbook: runbook.slug)
def test_every_step_is_readable_with_its_evidence(runbook: Runbook, auditor: User, client_of: ClientOf) -> None:
    page = page_of(client_of(auditor), runbook.slug)
    for step in runbook.steps:
        assert f'id="step-{step.id}"' in page
        assert html.escape(step.title) in page
        for rule in step.evidence:
            assert html.escape(rule.label) in page


def test_a_step_says_who_when_after_what_and_what_undoes_it(desk: User, client_of: ClientOf) -> None:
    page = page_of(client_of(desk))
    step = page[page.index('id="step-execute-lockdown"') : page.index('id="step-verify-lockdown"')]
    assert "Identity operations" in step
    assert "Within 1 h 30 min from declaration" in step
    assert "Two people must agree" in step
    assert '<a href="#step-preflight-lockdown">' in step
    assert '<a href="#step-verify-lockdown">' in step
    assert '<a href="#step-restore-remote-access">' in step


def test_a_step_for_each_account_says_for_which_and_what_closes_it(desk: User, client_of: ClientOf) -> None:
    page = page_of(client_of(desk))
    step = page[page.index('id="step-disable-sign-in"') : page.index('id="step-revoke-sessions"')]
    assert "Accounts of tier A and B" in step
    assert "Within 15 min from entry on the list" in step
    assert "Sign-in disabled, read from the account" in step
    assert "Lock account (D3-AL)" in step


def test_a_deadline_is_named(desk: User, client_of: ClientOf) -> None:
    assert "Deadline: Data protection regulator, first report" in page_of(client_of(desk))


def test_the_instruction_is_shown_as_markdown(desk: User, client_of: ClientOf) -> None:
    assert "<strong>do not discuss the incident by mail</strong>" in page_of(client_of(desk))


def test_every_link_within_the_page_leads_somewhere(desk: User, client_of: ClientOf) -> None:
    page = page_of(client_of(desk))
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    targets = set(re.findall(r'href="#([^"]+)"', page))
    assert len(targets) > 40
    assert targets <= set(ids)


def test_the_page_names_the_exact_definition(desk: User, client_of: ClientOf) -> None:
    digest = load("compromised-accounts").digest
    assert " ".join(re.findall("." * 8, digest)) in page_of(client_of(desk))


def test_a_runbook_there_is_not_is_not_found(desk: User, client_of: ClientOf) -> None:
    assert client_of(desk).get("/runbooks/nothing/").status_code == 404


def test_a_visitor_is_sent_to_sign_in(db: None, client: Client) -> None:
    assert client.get("/runbooks/compromised-accounts/").status_code == 302


def test_reading_a_definition_asks_the_database_nothing_about_it(
    desk: User, client_of: ClientOf, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(desk)
    client.get("/runbooks/continuity-exercise/")
    with django_assert_max_num_queries(4):  # the session, the person, what the frame shows
        client.get("/runbooks/compromised-accounts/")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (timedelta(minutes=15), "15 min"),
        (timedelta(hours=1, minutes=15), "1 h 15 min"),
        (timedelta(hours=4), "4 h"),
        (timedelta(hours=72), "72 h"),
        (timedelta(days=14), "14 days"),
        (timedelta(hours=100), "100 h"),
    ],
)
def test_a_target_is_said_as_people_say_it(target: timedelta, said: str) -> None:
    assert target_text(target) == said


def test_every_step_stands_in_its_phase_once() -> None:
    runbook = load("compromised-accounts")
    parts = phase_parts(runbook)
    assert [item.step for part in parts for item in part.steps] == list(runbook.steps)
    assert all(item.step.phase == part.phase.key for part in parts for item in part.steps)
