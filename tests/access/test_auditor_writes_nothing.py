"""Read-only, truly: whatever an auditor asks of any address, PostgreSQL itself counts no write but the log of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from runbooks.access.models import AccessRecord, User
from runbooks.access.permissions import actor_for
from runbooks.attachments.models import CustodyEvent
from runbooks.exports.formats import FORMATS
from runbooks.exports.operations.requesting import Wish, request_export
from runbooks.exports.wishes import MOST, Wishes
from tests.access.forms import answers, posted_to
from tests.access.rooms import Room, make_room
from tests.access.routes import NAMES
from tests.access.writes import writes, written
from tests.exports.sealing import use_new_key

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
# The log of what was read: of files and of exports, who had them in hand is the other half of it.
LOG = {"runbooks_accessrecord", "runbooks_custodyevent", "runbooks_download"}
# Signing in and out, and one's own password: what a session is made of, and nothing of any incident.
OWN = {"django_session"}


@pytest.fixture
def room(auditor: User, settings: Any, tmp_path: Path) -> Room:
    """With a key to sign with, an export of the auditor's own that waits, and one that failed."""
    use_new_key(settings, tmp_path)
    room = make_room(auditor)
    for status in ("waiting", "failed"):
        asked = request_export(
            incident_id=room.incident.pk, wish=Wish("csv"), actor=actor_for(auditor), at=timezone.now()
        )
        asked.status = status
        asked.save()
    return room


def addresses(room: Room) -> Iterator[tuple[str, str, dict[str, object]]]:
    """(name, address, a form that others' posts are taken with), of every address of the portal."""
    forms = answers(room)
    for name in NAMES:
        yield name, room.address(name), dict(forms.get(name, {"reason": "x", "version": "1"}))
    for name, form in forms.items():
        if " " in name:
            yield name, posted_to(room, name), dict(form)
    for name in ("export_cancel", "export_retry", "export_download"):
        for number in room.incident.exports.values_list("number", flat=True):
            yield f"{name} {number}", room.address(name, export_number=number), {}
    for format in FORMATS:
        yield f"export_ask {format}", room.address("export_ask"), {**forms["export_ask"], "format": format}
    yield "export_ask nothing", room.address("export_ask"), {"format": "none", "query": "step=9.9"}


def wishes_of(user: User, room: Room) -> int:
    return len(Wishes(room.incident.pk, user.pk).stands())


def read(client: Client, method: str, address: str, form: dict[str, object]) -> int:
    """Ask, and take the whole answer; its status."""
    response = client.post(address, form) if method == "post" else getattr(client, method)(address)
    if response.streaming and not response.is_async:
        list(response.streaming_content)
    return int(response.status_code)


@pytest.mark.parametrize("method", ["get", "head", "post", "put", "patch", "delete", "options"])
def test_no_address_writes_for_an_auditor(method: str, room: Room, auditor: User, client_of: ClientOf) -> None:
    found, statuses, waiting = {}, set(), wishes_of(auditor, room)
    for name, address, form in addresses(room):
        client = client_of(auditor)
        before = writes()
        statuses.add(read(client, method, address, form))
        own = OWN if name.startswith("account_") else set()
        if others := written(before) - LOG - own:
            found[f"{method} {name}"] = sorted(others)
    assert found == {}
    # That what is asked for was asked for indeed: it lies with the broker.
    assert wishes_of(auditor, room) - waiting == (MOST - 1 if method == "post" else 0)
    assert statuses & {200, 403, 405}
    assert set(AccessRecord.objects.values_list("user", flat=True)) <= {auditor.pk}
    assert set(CustodyEvent.objects.filter(user=auditor).values_list("kind", flat=True)) <= {"read"}


def test_reading_everything_leaves_a_trace_of_each_page(room: Room, auditor: User, client_of: ClientOf) -> None:
    client = client_of(auditor)
    for name in ("incident", "steps", "accounts", "timeline", "timeline_entry", "attachments", "readings", "notices"):
        before = AccessRecord.objects.count()
        assert client.get(room.address(name)).status_code == 200
        assert AccessRecord.objects.count() == before + 1, name
    for name in ("account_detail", "attachment_download", "step_evidence_file"):
        before = AccessRecord.objects.count()
        read(client, "get", room.address(name), {})
        assert AccessRecord.objects.count() == before + 1, name


def test_the_count_sees_a_write(room: Room) -> None:
    before = writes()
    type(room.incident).objects.filter(pk=room.incident.pk).update(title="Other")
    assert written(before) == {"runbooks_incident"}
