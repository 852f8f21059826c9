"""Verifying a chain in the database: what is found, where it is said, who is told, and who takes it back."""

from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.errors import NotFoundError
from runbooks.exports import tasks
from runbooks.exports.models import Checkpoint, SigningKey, Verification
from runbooks.exports.operations.checkpoints import make_checkpoint
from runbooks.exports.operations.verifying import ask_verification, due, verify
from runbooks.exports.progress import Progress
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from runbooks.notifications.operations import deliver
from runbooks.timeline.models import TimelineEvent
from tests.exports.sealing import ticking
from tests.exports.tampering import change, owning, remove, rewrite
from tests.factories import make_entry

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


@pytest.fixture
def told(incident: Incident, key: SigningKey) -> Incident:
    """Twelve entries, with a checkpoint at the sixth and at the last."""
    for number in range(1, 13):
        make_entry(incident, f"Entry {number}")
        if number in {6, 12}:
            make_checkpoint(incident_id=incident.pk, reason="periodic", at=timezone.now())
    incident.refresh_from_db()
    return incident


def walk(incident: Incident, *, whole: bool = True, by: str = "Records auditor") -> Verification:
    return verify(incident_id=incident.pk, whole=whole, asked_by=by, clock=ticking())


def test_a_sound_chain_is_a_row_and_a_badge(told: Incident) -> None:
    found = walk(told)
    told.refresh_from_db()
    assert (found.entries, found.head_sequence, found.head_hash) == (12, 12, told.head_hash)
    assert found.broken_at is None
    assert (told.chain_checked_sequence, told.chain_broken_at) == (12, None)
    assert told.chain_checked_at == found.ended_at
    assert not Notification.objects.filter(event__startswith="seal.").exists()


@pytest.mark.parametrize(
    ("tamper", "broken_at", "said"),
    [
        (lambda it: change(it, 4, summary="Nothing happened"), 4, "content"),
        (lambda it: change(it, 4, details={"a": 1}), 4, "content"),
        (lambda it: change(it, 4, actor="Somebody else"), 4, "hash"),
        (lambda it: change(it, 4, recorded_at=datetime(2020, 1, 1, tzinfo=timezone.now().tzinfo)), 4, "hash"),
        (lambda it: change(it, 4, salt=None, summary="", details={}), 4, "without a redaction"),
        (lambda it: change(it, 4, salt=b"0" * 16), 4, "content"),
        (lambda it: remove(it, 4), 5, "missing"),
        (lambda it: remove(it, 12), 12, "missing"),
        (lambda it: rewrite(it, 4, "Nothing happened"), 6, "checkpoint"),
        (lambda it: Incident.objects.filter(pk=it.pk).update(head_hash="a" * 64), 12, "head"),
    ],
)
def test_what_was_tampered_with_is_found(
    tamper: Callable[[Incident], None], broken_at: int, said: str, told: Incident
) -> None:
    tamper(told)
    found = walk(told)
    assert found.broken_at == broken_at
    assert said in found.finding
    told.refresh_from_db()
    assert told.chain_broken_at == broken_at
    assert told.chain_checked_sequence < 12


def test_a_tail_that_was_cut_off_with_its_head_is_remembered_by_a_checkpoint(told: Incident) -> None:
    for sequence in range(12, 8, -1):
        remove(told, sequence)
    last = TimelineEvent.objects.get(incident=told, sequence=8)
    Incident.objects.filter(pk=told.pk).update(head_sequence=8, head_hash=last.hash)
    found = walk(told)
    assert found.broken_at == 9
    assert "missing" in found.finding


def test_a_checkpoint_that_somebody_wrote_without_the_key_is_found(told: Incident) -> None:
    rewrite(told, 4, "Nothing happened")
    hashes = dict(TimelineEvent.objects.filter(incident=told).values_list("sequence", "hash"))
    with owning("checkpoint"):
        for one in Checkpoint.objects.all():
            Checkpoint.objects.filter(pk=one.pk).update(hash=hashes[one.sequence])
    found = walk(told)
    assert found.broken_at == 6
    assert "signature" in found.finding


def test_the_clock_goes_on_from_where_it_was_sound(told: Incident) -> None:
    walk(told, by="IR Portal")
    make_entry(told, "More")
    change(told, 4, summary="Nothing happened")
    found = walk(told, whole=False, by="IR Portal")
    assert (found.after_sequence, found.entries, found.broken_at) == (12, 1, None)
    assert walk(told, by="IR Portal").broken_at == 4


def test_it_goes_on_only_from_what_a_verification_remembers(told: Incident) -> None:
    Incident.objects.filter(pk=told.pk).update(chain_checked_sequence=11)
    change(told, 4, summary="Nothing happened")
    assert walk(told, whole=False).broken_at == 4


def test_going_on_notices_that_what_was_sound_was_rewritten(told: Incident) -> None:
    walk(told)
    rewrite(told, 12, "Nothing happened")
    assert walk(told, whole=False).broken_at == 12


def test_auditors_and_administrators_are_told_once_in_the_incident_or_not(
    told: Incident, auditor: User, administrator: User, coordinator: User, mailoutbox: Any
) -> None:
    change(told, 4, summary="Nothing happened")
    walk(told)
    walk(told)
    notices = Notification.objects.filter(event="seal.broken")
    assert {notice.recipient for notice in notices} == {auditor, administrator}
    assert notices.count() == 2
    deliver(clock=lambda: timezone.now() + timedelta(minutes=1))
    assert len(mailoutbox) == 2
    assert all("entry 4" in notice.body for notice in notices)
    assert told.title not in mailoutbox[0].body + mailoutbox[0].subject


def test_a_break_stands_until_a_person_had_the_whole_chain_verified(
    told: Incident, auditor: User, administrator: User
) -> None:
    first = TimelineEvent.objects.get(incident=told, sequence=4).summary
    change(told, 4, summary="Nothing happened")
    walk(told)
    change(told, 4, summary=first)
    stands = walk(told, by="IR Portal")
    assert stands.broken_at is None
    assert "#4 stands" in stands.finding
    assert walk(told, whole=False, by="IR Portal").broken_at is None
    told.refresh_from_db()
    assert told.chain_broken_at == 4
    taken_back = walk(told, by="Records auditor")
    assert "broken at #4" in taken_back.finding
    told.refresh_from_db()
    assert (told.chain_broken_at, told.chain_checked_sequence) == (None, 12)
    assert Notification.objects.filter(event="seal.mended").count() == 2
    assert Verification.objects.count() == 4


def test_nothing_else_is_kept_from_working(told: Incident) -> None:
    change(told, 4, summary="Nothing happened")
    walk(told)
    make_entry(told, "Work goes on")
    assert make_checkpoint(incident_id=told.pk, reason="periodic", at=timezone.now()) is not None


def test_the_clock_verifies_wholly_each_day_and_goes_on_in_between(told: Incident) -> None:
    at = timezone.now()
    assert due(at) == [(told.pk, True)]
    tasks.verify_due()
    assert due(at) == []
    make_entry(told, "More")
    assert due(at) == [(told.pk, False)]
    assert due(at + timedelta(days=1, minutes=1)) == [(told.pk, True)]
    Incident.objects.filter(pk=told.pk).update(status="closed")
    assert due(at + timedelta(days=1, minutes=1)) == []
    assert due(at + timedelta(days=7, minutes=1)) == [(told.pk, True)]


def test_what_is_known_to_be_broken_is_not_found_again_every_quarter_of_an_hour(told: Incident) -> None:
    change(told, 4, summary="Nothing happened")
    tasks.verify_due()
    make_entry(told, "More")
    assert due(timezone.now()) == []


def test_somebody_asks_a_worker_once_and_sees_how_far_it_is(told: Incident, auditor: User, outsider: User) -> None:
    at = timezone.now()
    assert ask_verification(incident_id=told.pk, actor=actor_for(auditor), at=at)
    assert not ask_verification(incident_id=told.pk, actor=actor_for(auditor), at=at)
    stand = Progress(told.pk).stand()
    assert stand is not None
    assert (stand.asked_by, stand.done) == (str(auditor), None)
    tasks.verify(str(told.pk), str(auditor))
    assert Progress(told.pk).stand() is None
    assert Verification.objects.get().asked_by == str(auditor)
    with pytest.raises(NotFoundError):
        ask_verification(incident_id=told.pk, actor=actor_for(outsider), at=at)


def test_progress_is_told_and_memory_stays(told: Incident, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runbooks.exports.checking.TELL_EACH", 5)
    heard: list[int] = []
    verify(incident_id=told.pk, whole=True, asked_by="x", clock=ticking(), tell=heard.append)
    assert heard == [5, 10]


def test_the_command_says_sound_or_where_it_breaks(told: Incident) -> None:
    out = StringIO()
    call_command("verify", told.reference, stdout=out)
    assert f"Sound to #12, {told.head_hash}" in out.getvalue()
    change(told, 4, summary="Nothing happened")
    with pytest.raises(SystemExit) as ended:
        call_command("verify", told.reference, stdout=out)
    assert ended.value.code == 1
    assert "Entry #4: its content is not what was sealed" in out.getvalue()
    with pytest.raises(CommandError, match="no incident"):
        call_command("verify", "IR-1999-0001")
    assert [one.asked_by for one in Verification.objects.all()] == ["Command line"] * 2
