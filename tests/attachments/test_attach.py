"""Attaching a file: kept once under its hash, numbered, written down, or refused without a trace."""

import hashlib
import io
import os
import threading
import tracemalloc
import zipfile
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db import connection, transaction
from django.db.utils import DatabaseError

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE, actor_for
from runbooks.attachments.models import Attachment, CustodyEvent, StoredFile
from runbooks.attachments.operations import BadAttachmentError, attach_file
from runbooks.attachments.storing import FileEmptyError, FileRefusedError, FileTooLargeError, address, kept
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.verify import verify_chain
from tests.attachments.conftest import NOON, Attach, in_storage, upload
from tests.factories import make_entry, make_incident

pytestmark = pytest.mark.django_db


def test_a_file_is_kept_under_its_hash_with_its_custody_and_its_entry(
    attach: Attach, incident: Incident, responder: User
) -> None:
    content = b"09:00 sign-in from 192.0.2.1\n"
    digest = hashlib.sha256(content).hexdigest()
    added = attach(content, "sign-ins.log", note=" From the gateway ")
    stored = added.stored
    assert (added.number, added.name, added.note, added.added_by) == (
        1,
        "sign-ins.log",
        "From the gateway",
        responder.name,
    )
    assert (stored.sha256, stored.size, stored.media_type) == (digest, len(content), "text/plain")
    assert stored.name == f"evidence/{digest[:2]}/{digest[2:]}"
    with default_storage.open(stored.name) as found:
        assert found.read() == content
    event = CustodyEvent.objects.get(attachment=added)
    assert (event.kind, event.user, event.name, event.at) == ("added", responder, responder.name, NOON)
    entry = TimelineEvent.objects.filter(incident=incident).latest("sequence")
    assert entry.kind == "file.attached"
    assert entry.details == {
        "file": 1,
        "name": "sign-ins.log",
        "size": len(content),
        "sha256": digest,
        "media_type": "text/plain",
        "note": "From the gateway",
        "entry": None,
    }
    assert verify_chain(incident.pk).broken_at is None


def test_a_file_goes_to_an_entry_of_the_incident(attach: Attach, incident: Incident) -> None:
    entry = make_entry(incident, "Seen")
    assert attach(sequence=entry.sequence).sequence == entry.sequence
    with pytest.raises(NotFoundError, match="no entry #4711"):
        attach(sequence=4711)


def test_the_same_bytes_twice_are_one_object_and_two_references(
    attach: Attach, kept_before: set[str], responder: User
) -> None:
    content = os.urandom(50)
    first, second = attach(content, "a.bin"), attach(content, "b.bin")
    elsewhere = make_incident(lead=responder)
    third = attach(content, "c.bin", incident_id=elsewhere.pk)
    assert first.stored == second.stored == third.stored
    assert [first.number, second.number, third.number] == [1, 2, 1]
    assert in_storage() - kept_before == {first.stored.name}


def test_bytes_that_the_storage_lost_or_spoiled_come_back_with_the_next_upload(attach: Attach) -> None:
    content = os.urandom(60)
    first = attach(content)
    default_storage.delete(first.stored.name)
    second = attach(content)
    spoiled = second.stored.name
    with default_storage.open(spoiled, "wb") as file:
        file.write(b"rot")
    third = attach(content)
    for one in (first, second, third):
        one.refresh_from_db()
        with default_storage.open(one.stored.name) as file:
            assert file.read() == content
    assert StoredFile.objects.filter(sha256=first.stored.sha256).count() == 1


def test_what_a_dead_process_left_half_written_is_never_taken_for_the_file(attach: Attach) -> None:
    content = os.urandom(70)
    default_storage.save(address(hashlib.sha256(content).hexdigest()), ContentFile(content[:10]))
    added = attach(content)
    with default_storage.open(added.stored.name) as file:
        assert file.read() == content


@pytest.mark.parametrize(
    ("content", "refusal", "said"),
    [
        (b"x" * 2001, FileTooLargeError, r"dump\.bin has 2 kB; the portal keeps up to 2 kB"),
        (b"", FileEmptyError, "is empty"),
        (b"\x7fELF" + bytes(60), FileRefusedError, "is a Linux program"),
        (b"MZ" + bytes(70), FileRefusedError, "ZIP with a password"),
    ],
)
def test_a_file_that_is_refused_leaves_nothing(
    content: bytes, refusal: type[Exception], said: str, attach: Attach, settings: Any, kept_before: set[str]
) -> None:
    settings.ATTACHMENT_MAX_BYTES = 2000
    with pytest.raises(refusal, match=said):
        attach(content, "dump.bin")
    assert in_storage() == kept_before
    assert not StoredFile.objects.exists()


def test_a_file_that_lies_about_its_size_is_refused_while_it_comes(
    attach: Attach, settings: Any, kept_before: set[str]
) -> None:
    settings.ATTACHMENT_MAX_BYTES = 100_000
    lying = ContentFile(b"x" * 1_000_000, name="a.txt")
    lying.size = 10
    read = []
    lying.chunks = lambda size: (read.append(1) or b"x" * size for _ in range(15))  # type: ignore[method-assign,assignment]
    with pytest.raises(FileTooLargeError):
        attach(upload=lying)
    assert len(read) == 2
    assert in_storage() == kept_before


def test_the_site_chooses_what_is_refused(attach: Attach, settings: Any) -> None:
    settings.ATTACHMENT_REFUSED = ["text/html"]
    with pytest.raises(FileRefusedError, match="HTML page"):
        attach(b"<html>", "a.pdf")
    assert attach(b"\x7fELF" + bytes(60)).stored.media_type == "application/x-elf"


def test_a_file_that_is_refused_after_it_was_kept_is_taken_away_again(
    attach: Attach, incident: Incident, kept_before: set[str]
) -> None:
    for changes in ({"note": "x" * 401}, {"note": "a\0b"}, {"sequence": 4711}):
        with pytest.raises((BadAttachmentError, NotFoundError)):
            attach(os.urandom(40), **changes)
    assert in_storage() == kept_before
    assert not Attachment.objects.filter(incident=incident).exists()


def test_a_refusal_takes_nothing_away_that_another_attachment_needs(attach: Attach) -> None:
    content = os.urandom(40)
    first = attach(content)
    with pytest.raises(BadAttachmentError):
        attach(content, note="x" * 401)
    assert default_storage.exists(first.stored.name)


def test_work_that_is_stopped_in_between_leaves_neither_row_nor_file(kept_before: set[str]) -> None:
    def stopped() -> None:
        with kept(upload(os.urandom(40))):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert in_storage() == kept_before
    assert not StoredFile.objects.exists()


def test_two_who_upload_the_same_bytes_at_once_make_one_object(
    transactional_db: None, incident: Incident, responder: User, coordinator: User
) -> None:
    before, content = in_storage(), os.urandom(3_000_000)
    start, failed = threading.Barrier(4), []

    def send(user: User) -> None:
        start.wait()
        try:
            attach_file(incident_id=incident.pk, upload=upload(content), actor=actor_for(user), at=NOON)
        except (DatabaseError, OSError) as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(user,)) for user in (responder, coordinator) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    assert StoredFile.objects.count() == 1
    assert sorted(Attachment.objects.values_list("number", flat=True)) == [1, 2, 3, 4]
    assert len(in_storage() - before) == 1
    assert verify_chain(incident.pk).broken_at is None


def test_a_large_file_is_never_held_as_a_whole(attach: Attach) -> None:
    size, part = 30_000_000, os.urandom(100_000)
    digest = hashlib.sha256()
    with TemporaryUploadedFile("dump.bin", "application/octet-stream", size, None) as sent:
        for _ in range(size // len(part)):
            sent.write(part)
            digest.update(part)
        sent.flush()
        tracemalloc.start()
        added = attach(upload=sent)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert added.stored.sha256 == digest.hexdigest()
    assert default_storage.size(added.stored.name) == size
    assert peak < 4_000_000


def test_a_zip_of_death_is_a_file_like_any_other(attach: Attach) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(20_000_000))
    added = attach(packed.getvalue(), "42.zip")
    assert (added.stored.media_type, added.stored.size) == ("application/zip", len(packed.getvalue()))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..\\..\\con.txt", "_con.txt"),
        ("a\0b\r\n.txt", "ab .txt"),
        ("x" * 10_000 + ".pcap", "x" * 155 + ".pcap"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("....", "file"),
    ],
)
def test_a_name_is_made_safe_and_is_no_part_of_the_path(given: str, shown: str, attach: Attach) -> None:
    added = attach(os.urandom(30), given)
    assert added.name == shown
    assert added.stored.name == address(added.stored.sha256)


def test_numbers_have_no_gap_and_start_anew_in_each_incident(attach: Attach, responder: User) -> None:
    with pytest.raises(BadAttachmentError):
        attach(note="x" * 401)
    other = make_incident(lead=responder)
    assert [attach().number, attach().number, attach(incident_id=other.pk).number] == [1, 2, 1]


def test_a_closed_incident_takes_files_as_it_takes_entries(attach: Attach, incident: Incident) -> None:
    Incident.objects.filter(pk=incident.pk).update(status="closed", closed_at=NOON)
    assert attach().number == 1


@pytest.mark.parametrize("who", ["desk", "communications", "coordinator"])
def test_those_who_write_entries_attach_files(who: str, attach: Attach, request: pytest.FixtureRequest) -> None:
    assert attach(by=request.getfixturevalue(who)).number == 1


def test_the_command_line_attaches_as_itself(attach: Attach) -> None:
    assert attach(actor=COMMAND_LINE).added_by == "Command line"


def test_an_auditor_and_an_outsider_attach_nothing(
    attach: Attach, auditor: User, outsider: User, kept_before: set[str]
) -> None:
    with pytest.raises(NotAllowedError):
        attach(by=auditor)
    with pytest.raises(NotFoundError):
        attach(by=outsider)
    assert in_storage() == kept_before


def test_custody_is_only_added(attach: Attach) -> None:
    event = CustodyEvent.objects.get(attachment=attach())
    for change in (event.delete, lambda: CustodyEvent.objects.filter(pk=event.pk).update(name="Nobody")):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
