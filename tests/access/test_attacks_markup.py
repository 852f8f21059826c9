"""Markup in everything that people, lists, files and mails can bring in, on every page that shows it."""

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from runbooks.access.models import User
from runbooks.access.permissions import Actor, actor_for
from runbooks.affected_accounts.models import AccountFact, AffectedAccount, ContactAttempt, State, StateChange
from runbooks.containment.models import Evidence
from runbooks.directory.models import Account
from runbooks.directory.operations import stage_import
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.room.operations.entries import correct_entry, pin_entry
from runbooks.templatetags.portal import markdown
from tests.access.forms import answers, posted_to
from tests.access.rooms import Room, make_room
from tests.access.routes import NAMES
from tests.factories import make_affected, make_entry, make_step, make_user

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
# Breaks out of an element, of an attribute in either quotes, of a template, of a script; short, for the short fields.
EVIL = "<zqx>\"onzqx='1'{{7*7}}{% zqx %}</title></script>'onzqx=\"1"
SHORT = EVIL[:36]
LINK = "javascript:zqx()"
SEEN = "&lt;zqx&gt;"
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:")
# What a page fetches again by itself.
OWN_PART = re.compile(r"/(incidents/IR-[\d-]+/[a-z/]+(\?[\w=&%.+-]*)?|contact-points/[\da-f-]{36}/)")


class Page(HTMLParser):
    """Collects what a browser would act upon."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.scripts = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"zqx", "iframe", "object", "embed", "base", "img", "style", "foreignobject"}:
            self.found.append(f"<{tag}>")
        for name, value in given.items():
            if name.startswith("on") or "zqx" in name or name in {"style", "srcdoc", "hx-on", "hx-vals"}:
                self.found.append(f"{tag} {name}={value}")
            if name == "hx-get" and not OWN_PART.fullmatch(value or ""):
                self.found.append(f"{tag} {name}={value}")
            if name in {"href", "src", "action", "formaction", "xlink:href", "data"}:
                address = "".join((value or "").split()).lower()
                if SCHEME.match(address) and not address.startswith(("https://", "http://")):
                    self.found.append(f"{tag} {name}={value}")
        if tag == "script":
            self.scripts += 1
            if not (given.get("src") or "").startswith("/static/"):
                self.found.append(f"script {given}")


def dangers(text: str) -> list[str]:
    return Page(text).found


@pytest.fixture
def evil_room(coordinator: User) -> Room:
    """Every text in it is hostile, whether or not a form of today would take it."""
    coordinator.name = f"Lead {EVIL}"
    coordinator.save()
    room = make_room(lead=coordinator)
    actor, at = actor_for(coordinator), timezone.now()
    incident = room.incident
    Incident.objects.filter(pk=incident.pk).update(title=f"Title {EVIL}", codename=SHORT, detected_by=EVIL)
    fill_step(room, actor)
    fill_accounts(room, coordinator, actor)
    fill_people(room)
    make_entry(incident, f"Entry {EVIL}", actor=actor, details={EVIL: EVIL})
    where: dict[str, Any] = {"incident_id": incident.pk, "sequence": room.entry.sequence, "actor": actor, "at": at}
    pin_entry(**where)
    correct_entry(**where, summary=f"Rather {EVIL}", occurred_at=at, precision="second", reason=EVIL)
    room.notice.subject, room.notice.body, room.notice.reason = f"{incident.reference}: {EVIL}", EVIL, EVIL
    room.notice.save()
    room.notice.attempts.create(at=at, is_delivered=False, reason=EVIL)
    incident.refresh_from_db()
    return room


def fill_step(room: Room, actor: Actor) -> None:
    at = timezone.now()
    room.step.title, room.step.phase_title, room.step.counted = f"Step {EVIL}", SHORT, EVIL
    room.step.instruction = f"{EVIL}\n\n[press]({LINK}) ![x]({LINK}) <img src=x onerror=zqx()>\n\n<zqx>\n"
    room.step.evidence_required = [{"key": "zqx", "label": EVIL}]
    room.step.deadline_label, room.step.due_at = SHORT, at
    room.step.owner_id = actor.user_id
    room.step.save()
    Evidence.objects.filter(pk=room.file.pk).update(file_name=f"{EVIL}.html", note=EVIL)
    Evidence.objects.filter(pk=room.note.pk).update(note=EVIL, requirement="zqx", added_by=EVIL)
    Evidence.objects.create(step=room.step, kind="link", url=f"https://x.example/?{EVIL}", added_by=EVIL, added_at=at)
    Evidence.objects.create(
        step=room.step,
        kind="note",
        note=EVIL,
        added_by=EVIL,
        added_at=at,
        withdrawn_at=at,
        withdrawn_by=EVIL,
        withdrawn_reason=EVIL,
    )
    waived: dict[str, Any] = {"status": "skipped", "waived_reason": EVIL, "closed_by": EVIL, "closed_at": at}
    make_step(room.incident, title=EVIL, owner_id=actor.user_id, depends_on=[room.step.key], **waived)


def fill_accounts(room: Room, owner: User, actor: Actor) -> None:
    at = timezone.now()
    texts = ("display_name", "given_name", "family_name", "department", "office", "title", "telephone", "mobile")
    evil: dict[str, Any] = dict.fromkeys(texts, EVIL)
    Account.objects.filter(pk=room.account.account_id).update(**evil, login=f"{SHORT}@x", mail=EVIL, external_id=EVIL)
    AffectedAccount.objects.filter(pk=room.account.pk).update(
        login=f"{SHORT}@x", display_name=EVIL, department=EVIL, owner=owner, state=State.COMPROMISED, tier="A"
    )
    make_affected(room.incident, state=State.CONTAINED, tier="A", contained_at=at)
    StateChange.objects.create(
        incident=room.incident, affected_account=room.account, after="compromised", reason=EVIL, changed_by=EVIL, at=at
    )
    AccountFact.objects.create(
        affected_account=room.account,
        kind="rules_checked",
        at=at,
        source=EVIL,
        note=EVIL,
        recorded_by=EVIL,
        recorded_at=at,
    )
    ContactAttempt.objects.create(
        affected_account=room.account,
        channel="phone",
        outcome="reached",
        address=EVIL,
        address_source=EVIL,
        identity_check=EVIL,
        note=EVIL,
        at=at,
        made_by=EVIL,
        recorded_at=at,
    )
    room.line.text = EVIL
    room.line.save()
    room.import_.file_name = f"{EVIL}.txt"
    room.import_.save()


def fill_people(room: Room) -> None:
    member = make_user(name=EVIL, telephone=SHORT, email="zqx@outside.example")
    at = timezone.now()
    room.incident.memberships.create(user=member, added_by=EVIL, added_at=at)
    role: dict[str, Any] = {"incident": room.incident, "user": member, "since": at, "note": EVIL}
    IncidentRole.objects.create(**role, kind="scribe")
    IncidentRole.objects.create(**role, kind="legal", until=at)


def pages(room: Room, open_: bool = True) -> Iterator[tuple[str, str]]:
    """(name, address) of every page, some in several guises."""
    for name in NAMES:
        if name not in {"live", "step_evidence_file", "account_logout", "account_login", "healthz"}:
            yield name, room.address(name)
    yield "steps open", f"{room.address('steps')}?open={room.step.key}"
    yield "entry with correction", room.address("timeline_entry", sequence=room.incident.head_sequence)
    for verb in ("tier", "state", "fact", "contact", "owner"):
        yield f"change {verb}", f"{room.address('accounts_change', verb=verb)}?id={room.account.pk}"


# The pages that show something of the room; on the others there is nothing of it to see.
SHOWING = {
    *("incident", "incident_list", "incident_edit", "incident_people", "my_work", "notices", "steps", "steps open"),
    *("steps_print", "step_add", "timeline", "timeline_entry", "entry with correction", "accounts", "account_detail"),
    *("accounts_import", "accounts_unresolved", "accounts_import_preview", "directory", "directory_account"),
    *("change tier", "change state", "change fact", "change contact", "change owner", "incident_declare"),
}


def test_every_page_shows_hostile_texts_as_texts(evil_room: Room, coordinator: User, client_of: ClientOf) -> None:
    client, showed, bad = client_of(coordinator), set(), {}
    for name, address in pages(evil_room):
        response = client.get(address, follow=True)
        if not response.headers["Content-Type"].startswith("text/html"):
            if response.streaming and not response.is_async:
                response.getvalue()  # which closes the file
            continue
        if found := dangers(response.text):
            bad[name] = found
        if SEEN in response.text:
            showed.add(name)
    assert not bad
    assert not SHOWING - showed


def test_what_is_typed_wrongly_comes_back_as_text(evil_room: Room, coordinator: User, client_of: ClientOf) -> None:
    """A refused form shows what was typed, and a done one says so: neither becomes markup."""
    client, showed, bad = client_of(coordinator), 0, {}
    for name, form in answers(evil_room).items():
        for field in form:
            response = client.post(posted_to(evil_room, name), {**form, field: EVIL}, follow=True)
            if found := dangers(response.text):
                bad[f"{name} {field}"] = found
            showed += SEEN in response.text
    assert not bad
    assert showed > 60


QUERIES = {
    "search": ("q",),
    "incident_list": ("q", "show", "severity", "runbook", "before"),
    "timeline": ("q", "lane", "kind", "who", "account", "step", "from", "to", "only", "burst", "order", "draw", "fold"),
    "accounts": ("q", "group", "state", "missing", "contact", "owner", "tier", "sort", "after", "before"),
    "accounts_unresolved": ("line", "find", "after"),
    "steps": ("show", "owner", "open"),
    "directory": ("q", "kind", "state", "department", "after"),
    "notices": ("show", "before"),
    "directory_import": ("show", "after"),
    "incident_declare": ("runbook", "exercise"),
}


def test_what_an_address_asks_for_comes_back_as_text(coordinator: User, client_of: ClientOf) -> None:
    room, client = make_room(lead=coordinator), client_of(coordinator)
    for name, parameters in QUERIES.items():
        for parameter in parameters:
            response = client.get(room.address(name), {parameter: EVIL, "line": room.line.pk} | {parameter: EVIL})
            assert not dangers(response.text), (name, parameter)
    for name in ("search", "incident_list", "timeline", "accounts", "directory"):
        assert SEEN in client.get(room.address(name), {"q": EVIL}).text


def test_a_name_that_is_not_found_is_said_as_text(client: Client, coordinator: User) -> None:
    response = client.post(reverse("account_login"), {"login": EVIL, "password": EVIL, "next": f"/{EVIL}"})
    assert SEEN in response.text
    assert not dangers(response.text)
    client.force_login(coordinator)
    assert not dangers(client.get(f"/incidents/{EVIL.replace('/', '')}/", {"q": EVIL}).text)


def test_a_file_of_the_directory_is_shown_as_text(coordinator: User, client_of: ClientOf) -> None:
    cell = EVIL.replace('"', '""')
    rows = [f'a@parliament.example,"{cell}","{cell}"', f'b@parliament.example,B,"{cell}"', f'"{cell}",C,D']
    content = f'userPrincipalName,displayName,"{cell}"\n'.encode() + "\n".join(rows).encode()
    staged = stage_import(
        actor=actor_for(coordinator),
        file=ContentFile(content, name="d.csv"),  # type: ignore[arg-type]
        file_name=f"{EVIL}.csv",
        at=timezone.now(),
    )
    client = client_of(coordinator)
    for query in ({}, {"show": "new"}, {"show": "rejected"}, {"show": "changed"}):
        text = client.get(reverse("directory_import", args=[staged.pk]), query).text
        assert SEEN in text
        assert not dangers(text)
    assert not dangers(client.get(reverse("directory_imports")).text)
    refused = client.post(reverse("directory_import_columns", args=[staged.pk]), {"column-0": EVIL}, follow=True)
    assert SEEN in refused.text
    assert not dangers(refused.text)


def test_mail_of_the_sink_is_shown_as_text(coordinator: User, client_of: ClientOf, settings: Settings) -> None:
    settings.MAIL_SINK, settings.RUN_DIR = True, Path(settings.MEDIA_ROOT)
    folder = settings.RUN_DIR / "mail"
    folder.mkdir(parents=True)
    for number, head in enumerate(("Content-Type: text/plain", "Content-Type: text/html", f"X-{EVIL}: {EVIL}")):
        mail = f"X-Envelope-To: {EVIL}\r\nSubject: {EVIL}\r\n{head}\r\n\r\n{EVIL}"
        (folder / f"{number + 1:023d}.eml").write_text(mail, newline="")
    text = client_of(coordinator).get(reverse("mail_sink"), {"before": ""}).text
    assert SEEN in text
    assert not dangers(text)


@pytest.mark.parametrize(
    "written",
    [
        "<script>zqx()</script>",
        "<img src=x onerror=zqx()>",
        f"[press]({LINK})",
        "[press](JaVaScRiPt:zqx())",
        "[press](java\nscript:zqx())",
        "[press](&#106;avascript:zqx())",
        "[press](data:text/html;base64,PHNjcmlwdD4=)",
        "[press](vbscript:zqx())",
        "[press](file:///etc/passwd)",
        f"![seen]({LINK})",
        "![seen](https://evil.example/pixel.png)",
        f"<{LINK}>",
        f"[a]: {LINK}\n\n[a]",
        '[press](https://x.example "onmouseover=zqx()")',
        '[press](https://x.example/"onmouseover="zqx())',
        "<a href=https://x.example style=position:fixed onclick=zqx()>x</a>",
        "| a |\n|---|\n| <zqx> |",
        '```zqx" onclick=zqx()\n<zqx>\n```',
        "<style>*{display:none}</style>",
        "<svg><a xlink:href='javascript:zqx()'>x</a></svg>",
        "<math><mtext></form><form><mglyph><style></math><img src onerror=zqx()>",
        ">" * 5000,
        "[" * 5000,
        "*a_ " * 2000,
        "`" * 5000,
    ],
)
def test_markdown_brings_no_markup_of_its_own(written: str) -> None:
    shown = markdown(written)
    assert not dangers(shown)
    assert not Page(shown).scripts
    assert 'class="' not in shown.replace('rel="noopener noreferrer"', "")
