"""Adding evidence, and withdrawing it."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as site
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile

from runbooks.access.models import User
from runbooks.attachments.storing import FileEmptyError, FileTooLargeError
from runbooks.containment.models import Evidence, Step
from runbooks.containment.operations import BadStepError, NewEvidence, ReasonMissingError, StepClosedError
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import IncidentOverError
from runbooks.timeline.models import TimelineEvent
from tests.containment.conftest import NOON, RULES
from tests.factories import make_step

Do = Callable[..., Any]
NOTE, LINK, FILE = Evidence.Kind.NOTE, Evidence.Kind.LINK, Evidence.Kind.FILE


@pytest.fixture
def asking_step(incident: Incident) -> Step:
    return make_step(incident, number="2.8", title="Disable sign-in", evidence_required=RULES)


def kept_files() -> list[str]:
    folder = site.MEDIA_ROOT / "evidence"
    return sorted(str(path) for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


def test_a_note_is_kept_with_its_rule_and_its_entry(
    do: Do, asking_step: Step, desk: User, newest_entry: Callable[[], TimelineEvent]
) -> None:
    added = do("add_evidence", asking_step, desk, evidence=NewEvidence(NOTE, "receipt", " Receipt 4711 "))
    assert (added.note, added.requirement, added.added_by, added.added_at) == (
        "Receipt 4711",
        "receipt",
        desk.name,
        NOON,
    )
    entry = newest_entry()
    assert (entry.kind, entry.step_id) == ("step.evidence_added", asking_step.pk)
    assert entry.details["requirement"] == "Receipt"
    assert entry.details["note"] == "Receipt 4711"


def test_a_link_is_kept(do: Do, asking_step: Step, responder: User) -> None:
    link = NewEvidence(LINK, url="https://tickets.example/42?a=b", note="The change")
    added = do("add_evidence", asking_step, responder, evidence=link)
    assert (added.url, added.note) == ("https://tickets.example/42?a=b", "The change")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "tickets.example/42",
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "ftp://files.example/log",
        "https://user:secret@files.example/log",
        "https://files.example/" + "x" * 1000,
    ],
)
def test_a_link_that_is_no_plain_web_address_is_refused(do: Do, asking_step: Step, responder: User, url: str) -> None:
    with pytest.raises(BadStepError):
        do("add_evidence", asking_step, responder, evidence=NewEvidence(LINK, url=url))
    assert not Evidence.objects.filter(step=asking_step).exists()


@pytest.mark.parametrize(
    "evidence",
    [
        NewEvidence(NOTE, note="  "),
        NewEvidence(NOTE, note="x" * 4001),
        NewEvidence(NOTE, note="a\0b"),
        NewEvidence(FILE),
        NewEvidence("rumour", note="Somebody said so"),
        NewEvidence(NOTE, "no-such-rule", "Seen"),
    ],
)
def test_evidence_that_says_nothing_is_refused(
    do: Do, asking_step: Step, responder: User, evidence: NewEvidence
) -> None:
    with pytest.raises(BadStepError):
        do("add_evidence", asking_step, responder, evidence=evidence)


@pytest.mark.parametrize("size", [1, 64 * 1024, 200_001])
def test_a_files_hash_and_size_are_those_of_the_bytes_that_were_kept(
    do: Do, asking_step: Step, responder: User, size: int, newest_entry: Callable[[], TimelineEvent]
) -> None:
    content = bytes(number % 251 for number in range(size))
    upload = SimpleUploadedFile("read-back.csv", content)
    added = do("add_evidence", asking_step, responder, evidence=NewEvidence(FILE, "read-back", upload=upload))
    assert added.sha256 == hashlib.sha256(content).hexdigest()
    assert added.size == size
    with default_storage.open(added.file.name) as kept:
        assert kept.read() == content
    assert newest_entry().details["sha256"] == added.sha256


def test_a_file_that_was_uploaded_to_disk_is_hashed_as_well(do: Do, asking_step: Step, responder: User) -> None:
    content = b"0123456789" * 500_000
    with TemporaryUploadedFile("sign-ins.json", "application/json", len(content), None) as upload:
        upload.write(content)
        upload.flush()
        added = do("add_evidence", asking_step, responder, evidence=NewEvidence(FILE, upload=upload))
    assert added.sha256 == hashlib.sha256(content).hexdigest()
    assert default_storage.size(added.file.name) == len(content)


def test_a_file_over_the_cap_is_refused_with_the_sizes_and_nothing_is_kept(
    do: Do, asking_step: Step, responder: User, settings: Any
) -> None:
    settings.ATTACHMENT_MAX_BYTES = 2000
    before = kept_files()
    upload = ContentFile(b"x" * 2001, name="dump.bin")
    with pytest.raises(FileTooLargeError, match=r"dump\.bin has 2 kB; the portal keeps up to 2 kB"):
        do("add_evidence", asking_step, responder, evidence=NewEvidence(FILE, upload=upload))
    assert kept_files() == before
    do("add_evidence", asking_step, responder, evidence=NewEvidence(FILE, upload=ContentFile(b"x" * 2000, name="a")))


def test_an_empty_file_is_refused(do: Do, asking_step: Step, responder: User) -> None:
    with pytest.raises(FileEmptyError, match="is empty"):
        do("add_evidence", asking_step, responder, evidence=NewEvidence(FILE, upload=ContentFile(b"", name="a.txt")))


def test_a_file_that_is_refused_later_is_not_left_behind(
    do: Do, asking_step: Step, responder: User, incident: Incident
) -> None:
    before = kept_files()
    upload = ContentFile(b"content", name="a.txt")
    with pytest.raises(BadStepError):
        do("add_evidence", asking_step, responder, evidence=NewEvidence(FILE, "no-such-rule", upload=upload))
    Incident.objects.filter(pk=incident.pk).update(status="closed", closed_at=NOON)
    with pytest.raises(IncidentOverError):
        do("add_evidence", asking_step, responder, evidence=NewEvidence(FILE, upload=upload))
    assert kept_files() == before


def test_the_name_somebody_gave_is_never_part_of_the_path(do: Do, asking_step: Step, responder: User) -> None:
    upload = ContentFile(b"content", name="x")
    upload.name = "../../evil.html"
    added = do("add_evidence", asking_step, responder, evidence=NewEvidence(FILE, upload=upload))
    assert added.file_name == "evil.html"
    assert "evil" not in added.file.name
    assert added.file.name.startswith(f"evidence/{added.sha256[:2]}/{added.sha256[2:]}")


def test_evidence_may_come_after_the_step_is_done(do: Do, step: Step, responder: User) -> None:
    do("complete", step, responder)
    do("add_evidence", step, responder, evidence=NewEvidence(NOTE, note="The signed copy came today"))
    assert Evidence.objects.filter(step=step).count() == 1


def test_withdrawn_evidence_stays_with_the_reason_and_an_entry(
    do: Do, asking_step: Step, responder: User, coordinator: User, newest_entry: Callable[[], TimelineEvent]
) -> None:
    added = do("add_evidence", asking_step, responder, evidence=NewEvidence(NOTE, "receipt", "Receipt 4711"))
    do("withdraw_evidence", asking_step, coordinator, evidence_id=added.pk, reason="It is of another change")
    added.refresh_from_db()
    assert (added.withdrawn_at, added.withdrawn_by) == (NOON, coordinator.name)
    assert added.withdrawn_reason == "It is of another change"
    assert added.note == "Receipt 4711"
    entry = newest_entry()
    assert entry.kind == "step.evidence_withdrawn"
    assert "It is of another change" in entry.summary


def test_evidence_is_withdrawn_with_a_reason_and_once(do: Do, asking_step: Step, responder: User) -> None:
    added = do("add_evidence", asking_step, responder, evidence=NewEvidence(NOTE, note="Seen"))
    with pytest.raises(ReasonMissingError):
        do("withdraw_evidence", asking_step, responder, evidence_id=added.pk, reason="")
    do("withdraw_evidence", asking_step, responder, evidence_id=added.pk, reason="Wrong")
    with pytest.raises(BadStepError, match="already"):
        do("withdraw_evidence", asking_step, responder, evidence_id=added.pk, reason="Wrong")


def test_a_done_step_keeps_the_evidence_it_rests_on(do: Do, asking_step: Step, responder: User) -> None:
    first = do("add_evidence", asking_step, responder, evidence=NewEvidence(NOTE, "receipt", "Receipt 4711"))
    do("add_evidence", asking_step, responder, evidence=NewEvidence(NOTE, "read-back", "Disabled, 14:02"))
    do("complete", asking_step, responder)
    with pytest.raises(StepClosedError, match="Reopen the step"):
        do("withdraw_evidence", asking_step, responder, evidence_id=first.pk, reason="Wrong")
    do("add_evidence", asking_step, responder, evidence=NewEvidence(NOTE, "receipt", "Receipt 4712"))
    do("withdraw_evidence", asking_step, responder, evidence_id=first.pk, reason="Wrong")


def test_evidence_of_another_step_is_not_found(do: Do, asking_step: Step, step: Step, responder: User) -> None:
    added = do("add_evidence", asking_step, responder, evidence=NewEvidence(NOTE, note="Seen"))
    with pytest.raises(NotFoundError):
        do("withdraw_evidence", step, responder, evidence_id=added.pk, reason="Wrong")


def test_an_auditor_adds_and_withdraws_nothing(do: Do, asking_step: Step, auditor: User, responder: User) -> None:
    before = kept_files()
    upload = ContentFile(b"content", name="a.txt")
    with pytest.raises(NotAllowedError):
        do("add_evidence", asking_step, auditor, evidence=NewEvidence(FILE, upload=upload))
    assert kept_files() == before
    added = do("add_evidence", asking_step, responder, evidence=NewEvidence(NOTE, note="Seen"))
    with pytest.raises(NotAllowedError):
        do("withdraw_evidence", asking_step, auditor, evidence_id=added.pk, reason="Wrong")


def test_to_an_outsider_there_is_no_incident(do: Do, asking_step: Step, outsider: User) -> None:
    with pytest.raises(NotFoundError):
        do("add_evidence", asking_step, outsider, evidence=NewEvidence(NOTE, note="Seen"))
    with pytest.raises(NotFoundError):
        do("withdraw_evidence", asking_step, outsider, evidence_id=1, reason="Wrong")
