"""What holds on every page: no accessibility violation, light and dark; no sideways scroll at 360 px; no error in the
console, which is where the content security policy speaks."""

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations.planning import default_plan, write_plan
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.confirmations.models import DeskCall, TextOrder
from runbooks.contacts.models import ContactCode, Rota
from runbooks.directory.models import Account, Protection
from runbooks.exports.models import Export
from runbooks.exports.operations.importing import stage_entries
from runbooks.incidents.models import Incident
from runbooks.subscriptions.models import Subscription, SubscriptionDelivery
from tests.browser.fixtures import LiveApp
from tests.browser.people import PageOf
from tests.contacts.people import make_point, make_rota, make_rules, make_shift
from tests.exports.exporting import exported
from tests.factories import make_action, make_user

pytestmark = pytest.mark.browser
ROOM = "/incidents/{reference}"
PAGES = [
    "/account/password/",
    "/incidents/",
    "/incidents/?q=nothing-is-called-this",
    "/incidents/declare/",
    "/my-work/",
    "/notices/",
    "/notices/?show=unseen",
    "/notices/undelivered/",
    "/search/?q=mail",
    "/search/",
    "/runbooks/",
    "/runbooks/compromised-accounts/",
    "/directory/",
    "/directory/accounts/{account}/",
    "/directory/protected/",
    "/directory/imports/",
    "/directory/imports/new/",
    "/connections/",
    "/witnesses/",
    "/notices/texts/",
    "/notices/texts/?show=edited",
    "/notices/texts/role.given/",
    "/notices/texts/seal.broken/",
    "/contact-points/",
    "/reachability/",
    "/rotas/",
    "/rotas/{rota}/",
    "/subscriptions/",
    "/subscriptions/?show=ended",
    "/subscriptions/new/",
    "/subscriptions/{subscription}/",
    "/subscriptions/{quiet}/",
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
    f"{ROOM}/actions/",
    f"{ROOM}/actions/new/",
    f"{ROOM}/actions/new/?id={{affected}}&kind=lock_account",
    f"{ROOM}/actions/new/?everyone=1",
    f"{ROOM}/actions/{{draft}}/",
    f"{ROOM}/actions/{{request}}/",
    f"{ROOM}/actions/{{run}}/",
    f"{ROOM}/actions/{{run}}/?show=failed",
    f"{ROOM}/actions/{{run}}/work-list/",
    f"{ROOM}/actions/{{lock_down}}/",
    f"{ROOM}/actions/{{lock_down}}/stages/",
    f"{ROOM}/actions/{{over}}/stages/",
    f"{ROOM}/codes/new/?id={{affected}}&id={{other}}",
    f"{ROOM}/codes/{{affected}}/",
    f"{ROOM}/desk/",
    f"{ROOM}/desk/list/",
    f"{ROOM}/desk/results/",
    f"{ROOM}/desk/calls/{{call}}/",
    f"{ROOM}/timeline/",
    f"{ROOM}/timeline/?lane=contact",
    f"{ROOM}/timeline/1/",
    f"{ROOM}/timeline/import/",
    f"{ROOM}/timeline/import/{{file}}/",
    f"{ROOM}/files/",
    f"{ROOM}/files/?name=nothing-is-called-this",
    f"{ROOM}/files/1/",
    f"{ROOM}/readings/",
    f"{ROOM}/exports/",
    f"{ROOM}/exports/?lane=decision",
    f"{ROOM}/exports/?step=9.9",
    f"{ROOM}/exports/preview/?lane=decision",
    f"{ROOM}/audit/",
    f"{ROOM}/audit/decisions/",
    f"{ROOM}/audit/decisions/?kind=corrections",
    f"{ROOM}/audit/figures/",
    f"{ROOM}/audit/figures/?entry=200&figure=contained",
    f"{ROOM}/seal/",
    f"{ROOM}/redactions/",
    f"{ROOM}/redactions/1/",
    f"{ROOM}/people/",
    f"{ROOM}/edit/",
    f"{ROOM}/notices/",
    f"{ROOM}/calls/",
    "/escalation/",
    "/escalation/incident.declared/",
    "/health/",
    "/nowhere/",
]


@pytest.fixture
def addresses(live_app: LiveApp) -> list[str]:
    """Every page, filled by the demonstration."""
    call_command("demo", accounts=300, verbosity=0)
    incident, at = Incident.objects.get(), timezone.now()
    affected = list(AffectedAccount.objects.filter(state="contained"))
    asked = {"requested_by": people("responder"), "requested_at": at, "expires_at": at + timedelta(hours=1)}
    asked |= {"status": "awaiting_approval", "digest": "a1" * 32}
    known = {
        "reference": incident.reference,
        "draft": make_action(incident, *affected, number=901).number,
        "request": make_action(incident, *affected, number=902, **asked).number,
        "run": run_with_troubles(incident, affected, at).number,
        "lock_down": lock_down(incident, affected, number=904).number,
        "over": lock_down(incident, affected, number=905, status="done", started_at=at, is_break_glass=True).number,
        "affected": affected[0].pk,
        "other": affected[1].pk,
        "call": call_of_the_desk(incident, affected[0], affected[1], at).pk,
        "subscription": subscribed(incident, at).pk,
        "quiet": subscribed(incident, at, name="Quiet", ended_at=at, ended_by="A test").pk,
        "rota": ways_and_a_rota(at).pk,
        "account": Account.objects.first().pk,  # type: ignore[union-attr]
        "file": lines_to_import(incident, at),
    }
    exports_in_every_state(incident, at)
    return [path.format(**known) for path in PAGES]


def ways_and_a_rota(at: datetime) -> Rota:
    """The coordinator's ways in every state, somebody whom nothing reaches, and a rota with gaps."""
    user, rota = coordinator(), make_rota()
    way = make_point(user, "email", "me@elsewhere.example")
    make_point(user, "email", "old@elsewhere.example", failing_since=at, failed_because="The mailbox is gone.")
    make_point(user, "email", "gone@elsewhere.example", ended_at=at)
    sent, failed = (make_point(user, "email", f"{name}@elsewhere.example", verified_at=None) for name in ("a", "b"))
    ContactCode.objects.create(
        point=sent, asked_at=at, status="sent", code_hash="0" * 64, expires_at=at + timedelta(hours=1)
    )
    ContactCode.objects.create(point=failed, asked_at=at, status="failed", reason="The mail server cannot be reached.")
    make_rules(user, "important", (way, 0), (way, 15))
    make_user(name="Nobody Reaches", email="")
    make_shift(rota, user, at, at + timedelta(days=2))
    make_shift(rota, user, at + timedelta(days=3), at + timedelta(days=9))
    return rota


def run_with_troubles(incident: Incident, affected: list[AffectedAccount], at: datetime) -> Action:
    """An action that one person began, with an account in every state."""
    begun = {"status": "running", "started_at": at, "requested_by": people("responder"), "requested_at": at}
    action = make_action(incident, *affected, number=903, **begun, is_break_glass=True, digest="b2" * 32)
    rows = list(ActionAccount.objects.filter(action=action).order_by("position"))
    for row, status in zip(rows, itertools.cycle(ActionAccount.Status.values), strict=False):
        row.status, row.message, row.before, row.before_facts = status, f"It is {status}.", {}, {"locked": False}
        row.verdict, row.read_back = ("differs", {"locked": False}) if status == "done" else ("", None)
    ActionAccount.objects.bulk_update(rows, ["status", "message", "before", "before_facts", "verdict", "read_back"])
    return action


def lock_down(incident: Incident, affected: list[AffectedAccount], **changes: Any) -> Action:
    """With the plan of its way back, and an account that is protected from the next."""
    everyone: dict[str, Any] = {"kind": Action.Kind.RESTRICT_REMOTE_ACCESS, "scope": "everyone", **changes}
    action = make_action(incident, *affected, **everyone)
    action.accounts.update(status="done", before={}, before_facts={"remote_access": True}, verdict="holds")
    write_plan(action, [replace(stage, names=stage.names or [affected[0].login]) for stage in default_plan()])
    protected = Account.objects.filter(protection__isnull=True)[0]
    at = action.drafted_at
    Protection.objects.create(account=protected, kind="duty", reason="Night shift", added_by="A test", added_at=at)
    return action


def call_of_the_desk(incident: Incident, called: AffectedAccount, failed: AffectedAccount, at: datetime) -> DeskCall:
    """A call of the coordinator that goes on, to a number that changed lately; beside it a text that did not go out."""
    Account.objects.filter(pk=called.account_id).update(contact_changed_at=at - timedelta(days=12))
    TextOrder.objects.create(
        incident=incident, affected_account=failed, number="+447700900123", number_source="the directory",
        ordered_by="A test", ordered_at=at, status="failed", reason="gateway.example refuses the message (400).",
    )  # fmt: skip
    return DeskCall.objects.create(
        incident=incident, affected_account=called, taken_by=coordinator(), taken_at=at,
        held_until=at + timedelta(minutes=20),
    )  # fmt: skip


def subscribed(incident: Incident, at: datetime, **changes: Any) -> Subscription:
    """One that is disabled, with a delivery in each state."""
    gone: dict[str, Any] = {"name": "Tickets", "disabled_at": at, "disabled_because": "It took no call.", **changes}
    subscription = Subscription.objects.create(
        url="https://tickets.example/hook", secret="x", incident=incident, made_by="A test", made_at=at, **gone
    )
    for sequence, status in enumerate(SubscriptionDelivery.Status.values if not changes else [], start=1):
        delivery = SubscriptionDelivery.objects.create(
            subscription=subscription, incident=incident, sequence=sequence, kind="entry.added", body='{"version":1}',
            status=status, next_attempt_at=at, created_at=at,
        )  # fmt: skip
        delivery.attempts.create(at=at, milliseconds=35, status_code=500, answer="<b>No</b>", reason="It answered 500.")
    return subscription


def lines_to_import(incident: Incident, at: datetime) -> int:
    """The number of a file with a line that is new, one that can be read in two ways, and one that is wrong."""
    lines = ["datetime,message,timestamp_desc", "2017-06-23T09:00:00+00:00,Signed in from outside,Event"]
    lines += ["03/04/2017 10:00,Which day,Event", "yesterday or so,No moment,Event"]
    upload = ContentFile("\n".join(lines).encode(), name="sketch.csv")
    return stage_entries(incident_id=incident.pk, upload=upload, actor=actor_for(coordinator()), at=at).number


def exports_in_every_state(incident: Incident, at: datetime) -> None:
    """One that is ready, of a filter; beside it rows of all other states."""
    ready = exported(incident, "csv", query="lane=decision")
    for number, status in enumerate(("waiting", "running", "failed", "cancelled"), start=ready.number + 1):
        Export.objects.create(
            incident=incident, number=number, format="bundle", status=status, requested_by="A test", requested_at=at,
            head_sequence=ready.head_sequence, head_hash=ready.head_hash, entries=ready.head_sequence, done=120,
            purpose="The court", reason="The disk is full. Then try again." if status == "failed" else "",
        )  # fmt: skip


def people(role: str) -> User:
    return User.objects.filter(role=role).order_by("pk")[0]


def coordinator() -> User:
    return people("coordinator")


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
