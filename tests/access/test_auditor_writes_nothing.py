"""Read-only, truly: whatever an auditor asks of any address, PostgreSQL itself counts no write but the log of it."""

from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.test import Client

from runbooks.access.models import AccessRecord, User
from runbooks.attachments.models import CustodyEvent
from tests.access.forms import answers, posted_to
from tests.access.rooms import Room, make_room
from tests.access.routes import NAMES

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
# What the session itself needs, and the log of what was read; of a file, its custody log is the other half of it.
LOG = {"runbooks_accessrecord", "runbooks_custodyevent", "runbooks_download"}
# What an auditor takes away is a row and two entries, like everybody's: it is what auditors do to the record.
TAKING_AWAY = {"post export_ask"}
SESSION = {"django_session"}
WRITES = "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"


def writes() -> dict[str, int]:
    """{table: rows inserted, changed and deleted in this transaction}, those included that were taken back."""
    with connection.cursor() as cursor:
        cursor.execute(WRITES)
        return dict(cursor.fetchall())


def written(before: dict[str, int]) -> set[str]:
    return {table for table, count in writes().items() if count > before.get(table, 0)}


@pytest.fixture
def room(auditor: User) -> Room:
    return make_room(auditor)


def addresses(room: Room) -> Iterator[tuple[str, str, dict[str, object]]]:
    """(name, address, a form that others' posts are taken with), of every address of the portal."""
    forms = answers(room)
    for name in NAMES:
        yield name, room.address(name), dict(forms.get(name, {"reason": "x", "version": "1"}))
    for name, form in forms.items():
        if " " in name:
            yield name, posted_to(room, name), dict(form)


def read(client: Client, method: str, address: str, form: dict[str, object]) -> int:
    """Ask, and take the whole answer; its status."""
    response = client.post(address, form) if method == "post" else getattr(client, method)(address)
    if response.streaming and not response.is_async:
        list(response.streaming_content)
    return int(response.status_code)


@pytest.mark.parametrize("method", ["get", "head", "post", "put", "patch", "delete", "options"])
def test_no_address_writes_for_an_auditor(method: str, room: Room, auditor: User, client_of: ClientOf) -> None:
    found, statuses = {}, set()
    for name, address, form in addresses(room):
        client = client_of(auditor)
        before = writes()
        statuses.add(read(client, method, address, form))
        others = written(before) - LOG - SESSION
        if others and f"{method} {name}" not in TAKING_AWAY:
            found[f"{method} {name}"] = sorted(others)
    assert found == {}
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
