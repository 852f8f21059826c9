"""The steps of an incident in the browser."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from runbooks.access.models import User
from runbooks.affected_accounts.models import AffectedAccount, FactKind, State
from runbooks.catalog.loader import load
from runbooks.containment.models import Evidence, Step
from runbooks.containment.operations import NewEvidence, copy_runbook
from runbooks.directory.models import Account
from runbooks.incidents.models import Incident, IncidentRole
from tests.containment.conftest import RULES
from tests.factories import make_affected, make_step

ClientOf = Callable[[User], Client]
Do = Callable[..., Any]


def address(incident: Incident, **query: str) -> str:
    return reverse("steps", args=[incident.reference], query=query or None)


def text_of(response: Any) -> str:
    """The page's words, without markup and without line breaks."""
    body = re.sub(r"<(script|style).*?</\1>", "", response.content.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).replace("&nbsp;", " ").split())


def shown(response: Any) -> list[str]:
    return re.findall(r'<li class="step[^"]*" id="step-([^"]+)"', response.content.decode())


@pytest.fixture
def running(incident: Incident) -> Incident:
    copy_runbook(incident, load("compromised-accounts"), incident.declared_at)
    return incident


def test_every_step_of_the_runbook_is_there_by_phase(running: Incident, responder: User, client_of: ClientOf) -> None:
    response = client_of(responder).get(address(running))
    assert response.status_code == 200
    assert shown(response) == list(
        Step.objects.filter(incident=running).order_by("position").values_list("key", flat=True)
    )
    text = text_of(response)
    assert "1 Triage 0 of 6 closed" in text
    assert "All 40" in text


def test_states_have_a_word_and_not_only_a_shape(incident: Incident, responder: User, client_of: ClientOf) -> None:
    now = timezone.now()
    make_step(incident, status="succeeded", closed_at=now)
    make_step(incident, status="skipped", closed_at=now, closed_by="Duty coordinator", waived_reason="No logs here")
    late = make_step(incident, due_at=now - timedelta(minutes=22, seconds=5))
    make_step(incident, depends_on=[late.key])
    make_step(incident, status="running", started_at=now)
    make_step(incident)
    text = text_of(client_of(responder).get(address(incident)))
    for word in ("Done", "Waived", "Overdue", "Blocked", "In progress", "Not started"):
        assert word in text
    assert "22 min late" in text
    assert f"Blocked by {late.number}" in text
    assert "Waived by Duty coordinator: No logs here" in text


def test_the_filters_show_what_they_count(incident: Incident, responder: User, desk: User, client_of: ClientOf) -> None:
    now = timezone.now()
    IncidentRole.objects.create(incident=incident, kind="forensics", user=responder, since=now)
    done = make_step(incident, status="succeeded", closed_at=now, owner=responder)
    late = make_step(incident, due_at=now - timedelta(minutes=5), role="forensics")
    blocked = make_step(incident, depends_on=[late.key], owner=desk, role="mail")
    client = client_of(responder)
    wanted = {
        "all": [done, late, blocked],
        "open": [late, blocked],
        "mine": [late],
        "overdue": [late],
        "blocked": [blocked],
    }
    for show, steps in wanted.items():
        assert shown(client.get(address(incident, show=show))) == [step.key for step in steps]
    text = text_of(client.get(address(incident)))
    assert "All 3 Open 2 Mine 1 Overdue 1 Blocked 1" in text
    owners = {"nobody": [late], str(desk.pk): [blocked], "role:forensics": [late], "role:mail": [blocked]}
    for owner, steps in owners.items():
        assert shown(client.get(address(incident, owner=owner))) == [step.key for step in steps]
    assert shown(client.get(address(incident, show="nonsense", owner="<script>"))) == [done.key, late.key, blocked.key]


def test_a_filter_without_a_match_says_so(incident: Incident, step: Step, responder: User, client_of: ClientOf) -> None:
    text = text_of(client_of(responder).get(address(incident, show="blocked")))
    assert "No step is blocked. Show all steps" in text


def test_the_open_step_shows_what_to_do_and_what_proves_it(
    running: Incident, do: Do, responder: User, client_of: ClientOf
) -> None:
    step = Step.objects.get(incident=running, key="preserve-logs")
    do("add_evidence", step, responder, evidence=NewEvidence(Evidence.Kind.NOTE, "log-copies", "Three copies"))
    response = client_of(responder).get(address(running, open="preserve-logs"))
    text = text_of(response)
    assert "Evidence, 1 of 1 required" in text
    assert "Three copies" in text
    assert "1.1 Declare the incident" in text
    assert "1.5 Confirm the attack and fix its shape" in text
    assert "It can be completed after 1.1 Declare the incident" in text
    assert 'aria-disabled="true"' in response.content.decode()


def test_the_open_step_stays_on_the_page_whatever_the_filter(
    incident: Incident, step: Step, later_step: Step, responder: User, client_of: ClientOf
) -> None:
    response = client_of(responder).get(address(incident, show="blocked", open=step.key))
    assert shown(response) == [step.key, later_step.key]


def test_an_instruction_is_markdown_and_never_markup(incident: Incident, responder: User, client_of: ClientOf) -> None:
    make_step(incident, key="x", instruction="Do **this**. <script>alert(1)</script> [no](javascript:alert(1))")
    body = client_of(responder).get(address(incident, open="x")).content.decode()
    assert "<strong>this</strong>" in body
    assert "<script>alert" not in body
    assert 'href="javascript' not in body


def test_evidence_is_never_markup(incident: Incident, step: Step, do: Do, responder: User, client_of: ClientOf) -> None:
    do("add_evidence", step, responder, evidence=NewEvidence(Evidence.Kind.NOTE, note='<img src=x onerror="x()">'))
    body = client_of(responder).get(address(incident, open=step.key)).content.decode()
    assert "<img src=x" not in body
    assert "&lt;img src=x" in body


def test_progress_is_counted_from_the_accounts(incident: Incident, responder: User, client_of: ClientOf) -> None:
    now = timezone.now()
    for number in range(6):
        make_affected(incident, state=State.CONTAINED, tier="A", sign_in_disabled_at=now if number < 4 else None)
    make_affected(incident, state=State.TARGETED, tier="C")
    make_step(incident, key="disable", scope="account", fact="sign_in_disabled", status="running", started_at=now)
    client = client_of(responder)
    assert "4 of 6" in text_of(client.get(address(incident)))
    AffectedAccount.objects.filter(incident=incident).update(sign_in_disabled_at=now)
    assert "6 of 6" in text_of(client.get(address(incident)))


def test_a_done_step_says_when_accounts_came_later(incident: Incident, responder: User, client_of: ClientOf) -> None:
    make_affected(incident, state=State.COMPROMISED, tier="A")
    make_step(incident, scope="account", fact="sign_in_disabled", status="succeeded", closed_at=timezone.now())
    assert "1 account left" in text_of(client_of(responder).get(address(incident)))


@pytest.mark.parametrize(
    ("persona", "offered", "said"),
    [
        (
            "coordinator",
            {"Complete step", "Start step", "Claim step", "Reassign step", "Waive step", "Add evidence"},
            "",
        ),
        (
            "responder",
            {"Complete step", "Start step", "Claim step", "Reassign step", "Add evidence"},
            "Coordinators waive",
        ),
        ("desk", {"Complete step", "Start step", "Claim step", "Add evidence"}, "Coordinators and responders reassign"),
        ("auditor", set(), "Auditor: you read everything here and change nothing."),
    ],
)
def test_each_role_is_offered_what_it_may_do_and_told_the_rest(
    incident: Incident,
    step: Step,
    client_of: ClientOf,
    persona: str,
    offered: set[str],
    said: str,
    request: pytest.FixtureRequest,
) -> None:
    response = client_of(request.getfixturevalue(persona)).get(address(incident, open=step.key))
    body = response.content.decode()
    buttons = {"Complete step", "Start step", "Claim step", "Reassign step", "Waive step", "Add evidence"}
    found = {words for words in buttons if re.search(rf'<button [^>]*type="submit">{words}</button>', body)}
    assert found == offered
    assert said in text_of(response)
    assert ("Add a step" in body) == (persona == "coordinator")
    main = body[body.index('<main id="main">') : body.index("</main>")]
    assert ('method="post"' in main) == bool(offered)


def test_a_closed_incident_offers_no_form_and_says_why(
    incident: Incident, step: Step, coordinator: User, client_of: ClientOf
) -> None:
    Incident.objects.filter(pk=incident.pk).update(status="closed", closed_at=timezone.now())
    response = client_of(coordinator).get(address(incident, open=step.key))
    body = response.content.decode()
    assert 'method="post"' not in body[body.index('<main id="main">') : body.index("</main>")]
    assert "is closed. Reopen it to work on its steps." in text_of(response)


def test_completing_shows_the_way_back(incident: Incident, step: Step, responder: User, client_of: ClientOf) -> None:
    client = client_of(responder)
    response = client.post(
        reverse("step_complete", args=[incident.reference, step.key]), {"version": step.version}, follow=True
    )
    text = text_of(response)
    assert "Step 1.4 is done: Preserve the logs." in text
    assert "You completed this step. If that was a mistake, reopen it with a reason." in text
    assert '<details class="act-form" id="reopen-box" open>' in response.content.decode()


def test_the_pages_parts_that_go_stale_are_exchanged_live(
    incident: Incident, step: Step, responder: User, client_of: ClientOf
) -> None:
    body = client_of(responder).get(address(incident)).content.decode()
    for part in ("steps-filters", "steps-phases", "phase-triage"):
        assert re.search(rf'id="{part}" data-live', body)


def test_nothing_on_the_page_needs_what_the_content_policy_forbids(
    running: Incident, coordinator: User, client_of: ClientOf
) -> None:
    body = client_of(coordinator).get(address(running, open="disable-sign-in")).content.decode()
    assert not re.search(r'\sstyle="|<style|\son[a-z]+="|<script(?![^>]*\ssrc=)', body)


def test_ids_are_given_once(running: Incident, do: Do, coordinator: User, client_of: ClientOf) -> None:
    step = Step.objects.get(incident=running, key="assign-roles")
    for rule in step.evidence_required:
        do("add_evidence", step, coordinator, evidence=NewEvidence(Evidence.Kind.NOTE, rule["key"], "Seen"))
    body = client_of(coordinator).get(address(running, open=step.key)).content.decode()
    ids = re.findall(r'\sid="([^"]+)"', body)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("opened", ["", "disable-sign-in"])
def test_the_queries_do_not_grow_with_accounts_and_evidence(
    running: Incident,
    responder: User,
    client_of: ClientOf,
    opened: str,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    client = client_of(responder)
    client.get(address(running))
    step = Step.objects.get(incident=running, key="disable-sign-in")
    numbers = []
    for accounts, pieces in ((10, 1), (8990, 60)):
        add_accounts(running, accounts)
        Evidence.objects.bulk_create(
            Evidence(
                step=step, kind="note", note="Seen", requirement="read-back", added_by="x", added_at=timezone.now()
            )
            for _ in range(pieces)
        )
        with django_assert_max_num_queries(20) as captured:
            response = client.get(address(running, **({"open": opened} if opened else {})))
        assert response.status_code == 200
        numbers.append(len(captured))
    assert numbers[0] == numbers[1]
    assert numbers[0] <= (14 if opened else 10)


def add_accounts(incident: Incident, number: int) -> None:
    now = timezone.now()
    first = Account.objects.count()
    accounts = Account.objects.bulk_create(
        Account(login=f"a{first + n}@parliament.example", first_seen_at=now, last_seen_at=now) for n in range(number)
    )
    AffectedAccount.objects.bulk_create(
        AffectedAccount(
            incident=incident,
            account=account,
            login=account.login,
            state=State.CONTAINED,
            tier="A",
            added_at=now,
            changed_at=now,
            **({f"{kind}_at": now for kind in FactKind.values} if n % 2 else {}),
        )
        for n, account in enumerate(accounts)
    )


def test_to_an_outsider_there_is_no_page(incident: Incident, outsider: User, client_of: ClientOf) -> None:
    assert client_of(outsider).get(address(incident)).status_code == 404


def test_a_required_rule_is_chosen_beforehand(incident: Incident, responder: User, client_of: ClientOf) -> None:
    make_step(incident, key="x", evidence_required=RULES)
    body = client_of(responder).get(address(incident, open="x")).content.decode()
    assert '<option value="read-back" selected>' in body
