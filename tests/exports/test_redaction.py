"""Taking an entry's content out: two people, the record stays, the words go, and all of it is written down."""

import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.db import connection
from django.utils import timezone

from runbooks.access.confirming import PASSWORD, Confirmation, NotConfirmedError
from runbooks.access.models import Role, User
from runbooks.access.permissions import COMMAND_LINE, actor_for
from runbooks.attachments.models import Attachment, StoredFile
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.exports import keys
from runbooks.exports.models import Redaction, SigningKey
from runbooks.exports.operations.checkpoints import make_checkpoint
from runbooks.exports.operations.redacting import (
    CannotRedactError,
    SecondPersonError,
    approve_redaction,
    ask_redaction,
    refuse_redaction,
    withdraw_redaction,
)
from runbooks.exports.operations.verifying import verify
from runbooks.exports.queries.redactions import effect_of
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import change_status
from runbooks.notifications.models import Notification
from runbooks.notifications.operations import deliver
from runbooks.notifications.queries import notices_of_entry
from runbooks.room.operations.entries import correct_entry, pin_entry
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.queries import Filter, page
from tests.exports.sealing import bundle_of, ticking
from tests.factories import add_member, make_affected, make_entry, make_user

pytestmark = pytest.mark.django_db
VERIFIER = site.BASE_DIR / "docs" / "verify_export.py"
SECRET = "Ana Heronova was seen at the clinic"


@pytest.fixture
def entry(incident: Incident) -> TimelineEvent:
    make_entry(incident, "Before")
    event: TimelineEvent = make_entry(incident, SECRET, details={"who": "Ana Heronova"})
    make_entry(incident, "After")
    return event


def ask(entry: TimelineEvent, actor: User, **changes: Any) -> Redaction:
    given = {"reason": "Health data of a holder", "legal_basis": "UK GDPR, Article 17(1)(d)", **changes}
    return ask_redaction(
        incident_id=entry.incident_id, sequence=entry.sequence, actor=actor_for(actor), at=timezone.now(), **given
    )


def proof(user: User) -> Confirmation:
    return Confirmation(user.pk, PASSWORD, timezone.now() - timedelta(seconds=1))


def approve(redaction: Redaction, user: User, **changes: Any) -> Redaction:
    given: dict[str, Any] = {"note": "", "confirmed": proof(user), **changes}
    return approve_redaction(
        incident_id=redaction.incident_id,
        redaction_id=redaction.pk,
        actor=actor_for(user),
        at=timezone.now(),
        **given,
    )


def refuse(redaction: Redaction, user: User, note: str = "It is needed") -> Redaction:
    return refuse_redaction(
        incident_id=redaction.incident_id,
        redaction_id=redaction.pk,
        note=note,
        actor=actor_for(user),
        at=timezone.now(),
    )


def withdraw(redaction: Redaction, user: User) -> Redaction:
    return withdraw_redaction(
        incident_id=redaction.incident_id, redaction_id=redaction.pk, actor=actor_for(user), at=timezone.now()
    )


def everything(incident: Incident) -> str:
    """All text of the database but the history of people's sign-ins."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'runbooks_%'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT row_to_json(t)::text FROM {table} t")
            found += [row for (row,) in cursor.fetchall()]
    return "\n".join(found)


# The whole way


def test_the_words_go_and_the_record_stays(entry: TimelineEvent, responder: User, coordinator: User) -> None:
    before = TimelineEvent.objects.get(pk=entry.pk)
    approve(ask(entry, responder), coordinator)
    after = TimelineEvent.objects.get(pk=entry.pk)
    assert (after.salt, after.summary, after.details) == (None, "", {})
    for name in ("hash", "previous", "commitment", "actor", "recorded_at", "kind", "sequence"):
        assert getattr(after, name) == getattr(before, name)
    assert "Heronova" not in everything(entry.incident)
    assert page(entry.incident_id, Filter(text="heronova")).rows == []


def test_it_is_an_entry_that_names_the_sequence_and_never_the_content(
    entry: TimelineEvent, responder: User, coordinator: User
) -> None:
    approve(ask(entry, responder), coordinator)
    asked, done = TimelineEvent.objects.filter(sequence__gt=entry.sequence + 1).order_by("sequence")
    assert (asked.kind, asked.actor, asked.details["sequence"]) == (
        "redaction.requested",
        str(responder),
        entry.sequence,
    )
    assert (done.kind, done.actor, done.corrects) == ("entry.redacted", str(coordinator), entry.sequence)
    assert done.details == {
        "sequence": entry.sequence,
        "reason": "Health data of a holder",
        "legal_basis": "UK GDPR, Article 17(1)(d)",
        "asked_by": str(responder),
        "decided_by": str(coordinator),
        "notices": 0,
    }
    assert str(entry.sequence) in done.summary


def test_the_chain_and_the_bundle_verify_and_show_where(
    entry: TimelineEvent, responder: User, coordinator: User, key: SigningKey, tmp_path: Path
) -> None:
    incident = entry.incident
    make_checkpoint(incident_id=incident.pk, reason="periodic", at=timezone.now())
    approve(ask(entry, responder), coordinator)
    make_checkpoint(incident_id=incident.pk, reason="export", at=timezone.now())
    assert verify(incident_id=incident.pk, whole=True, asked_by="x", clock=ticking()).broken_at is None
    (tmp_path / "bundle.zip").write_bytes(bundle_of(incident))
    (tmp_path / "signers").write_text(keys.published())
    command = [sys.executable, "-S", "-I", str(VERIFIER), "bundle.zip", "--signers", "signers"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "Redacted" in done.stdout
    assert f"{entry.sequence}" in done.stdout.split("Redacted")[1].splitlines()[0]


def test_a_closed_incident_takes_it_as_well(entry: TimelineEvent, responder: User, coordinator: User) -> None:
    Incident.objects.filter(pk=entry.incident_id).update(status="closed")
    approve(ask(entry, responder), coordinator)
    assert TimelineEvent.objects.get(pk=entry.pk).salt is None


def test_refused_or_withdrawn_leaves_the_entry_and_may_be_asked_again(
    entry: TimelineEvent, responder: User, coordinator: User
) -> None:
    refused = refuse(ask(entry, responder), coordinator)
    assert (refused.status, refused.decider, refused.decision_note) == ("refused", coordinator, "It is needed")
    assert withdraw(ask(entry, responder), responder).status == "withdrawn"
    assert TimelineEvent.objects.get(pk=entry.pk).summary == SECRET
    kinds = TimelineEvent.objects.filter(kind__startswith="redaction.").order_by("sequence")
    assert [one.kind.partition(".")[2] for one in kinds] == ["requested", "refused", "requested", "withdrawn"]
    approve(ask(entry, responder), coordinator)


# Who may


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.DESK, Role.COMMUNICATIONS, Role.ADMINISTRATOR])
def test_who_does_not_work_on_it_neither_asks_nor_decides(
    role: Role, entry: TimelineEvent, responder: User, incident: Incident
) -> None:
    user = make_user(role)
    add_member(incident, user)
    with pytest.raises(NotAllowedError):
        ask(entry, user)
    redaction = ask(entry, responder)
    for attempt in (approve, refuse, withdraw):
        with pytest.raises(NotAllowedError):
            attempt(redaction, user)


def test_a_responder_asks_and_does_not_decide(entry: TimelineEvent, responder: User, coordinator: User) -> None:
    redaction = ask(entry, coordinator)
    with pytest.raises(NotAllowedError):
        approve(redaction, responder)
    with pytest.raises(NotAllowedError):
        refuse(redaction, responder)


def test_nobody_decides_on_what_they_asked_for(entry: TimelineEvent, coordinator: User, approver: User) -> None:
    redaction = ask(entry, coordinator)
    with pytest.raises(SecondPersonError):
        approve(redaction, coordinator)
    with pytest.raises(SecondPersonError):
        refuse(redaction, coordinator)
    assert TimelineEvent.objects.get(pk=entry.pk).summary == SECRET
    approve(redaction, approver)


def test_only_who_asked_withdraws(entry: TimelineEvent, responder: User, coordinator: User) -> None:
    with pytest.raises(CannotRedactError, match="Only"):
        withdraw(ask(entry, responder), coordinator)


def test_somebody_outside_finds_nothing(entry: TimelineEvent, responder: User, outsider: User) -> None:
    redaction = ask(entry, responder)
    for attempt in (lambda: ask(entry, outsider), lambda: approve(redaction, outsider)):
        with pytest.raises(NotFoundError):
            attempt()


def test_a_request_of_another_incident_is_not_there(
    entry: TimelineEvent, responder: User, coordinator: User, outsider: User
) -> None:
    redaction = ask(entry, responder)
    from_elsewhere = {"actor": actor_for(outsider), "confirmed": proof(outsider), "note": "", "at": timezone.now()}
    other = make_user()
    add_member(entry.incident, other)
    with pytest.raises(NotFoundError):
        approve_redaction(incident_id=entry.incident_id, redaction_id=redaction.pk + 1, **from_elsewhere)


def test_the_command_line_is_no_person(entry: TimelineEvent, responder: User) -> None:
    redaction = ask(entry, responder)
    given = {"incident_id": entry.incident_id, "actor": COMMAND_LINE, "at": timezone.now()}
    with pytest.raises(CannotRedactError):
        ask_redaction(sequence=entry.sequence + 1, reason="x", legal_basis="x", **given)
    with pytest.raises(CannotRedactError):
        refuse_redaction(redaction_id=redaction.pk, note="x", **given)


def test_agreeing_needs_proof_of_who_it_is(entry: TimelineEvent, responder: User, coordinator: User) -> None:
    redaction = ask(entry, responder)
    for confirmed in (
        None,
        proof(responder),
        Confirmation(coordinator.pk, PASSWORD, timezone.now() - timedelta(hours=1)),
    ):
        with pytest.raises(NotConfirmedError):
            approve(redaction, coordinator, confirmed=confirmed)
    assert TimelineEvent.objects.get(pk=entry.pk).summary == SECRET


# What does not hold together


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"reason": " "}, "reason"), ({"reason": "x" * 401}, "reason"), ({"legal_basis": ""}, "legal_basis")],
)
def test_a_request_without_a_reason_or_a_basis_is_refused(
    changes: dict[str, str], field: str, entry: TimelineEvent, responder: User
) -> None:
    with pytest.raises(CannotRedactError) as error:
        ask(entry, responder, **changes)
    assert error.value.field == field


def test_one_request_at_a_time_and_nothing_twice(entry: TimelineEvent, responder: User, coordinator: User) -> None:
    redaction = ask(entry, responder)
    with pytest.raises(CannotRedactError, match="already"):
        ask(entry, coordinator)
    approve(redaction, coordinator)
    with pytest.raises(CannotRedactError, match="taken out already"):
        ask(entry, responder)
    for attempt in (approve, refuse):
        with pytest.raises(CannotRedactError, match="settled meanwhile"):
            attempt(redaction, coordinator)
    with pytest.raises(CannotRedactError, match="settled meanwhile"):
        withdraw(redaction, responder)


def test_a_refusal_says_why(entry: TimelineEvent, responder: User, coordinator: User) -> None:
    with pytest.raises(CannotRedactError) as error:
        refuse(ask(entry, responder), coordinator, note=" ")
    assert error.value.field == "note"


@pytest.mark.django_db(transaction=True)
def test_of_two_who_decide_at_once_one_does(
    entry: TimelineEvent, responder: User, coordinator: User, approver: User
) -> None:
    redaction, both = ask(entry, responder), threading.Barrier(2)
    said: list[str] = []

    def decide(attempt: Any, user: User) -> None:
        both.wait(20)
        try:
            said.append(str(attempt(redaction, user).status))
        except CannotRedactError as error:
            said.append(type(error).__name__)
        connection.close()

    threads = [threading.Thread(target=decide, args=args) for args in ((approve, coordinator), (refuse, approver))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert "CannotRedactError" in said
    redaction.refresh_from_db()
    assert redaction.status in said
    is_gone = TimelineEvent.objects.get(pk=entry.pk).salt is None
    assert is_gone == (redaction.status == "approved")
    assert TimelineEvent.objects.filter(kind__in=["entry.redacted", "redaction.refused"]).count() == 1


# Notices


def announced(incident: Incident, coordinator: User) -> TimelineEvent:
    """An entry that people were told of, with its words in the notice."""
    change_status(
        incident_id=incident.pk, status="contained", reason=SECRET, actor=actor_for(coordinator), at=timezone.now()
    )
    return TimelineEvent.objects.get(kind="incident.status_changed")


def test_the_notices_of_the_entry_lose_their_words_and_are_not_sent(
    incident: Incident, coordinator: User, approver: User, mailoutbox: Any
) -> None:
    event = announced(incident, coordinator)
    notices = list(notices_of_entry(incident.pk, event.sequence))
    assert len(notices) == 5
    deliver(clock=timezone.now, only=[notices[0].pk])
    keys_before = set(Notification.objects.values_list("idempotency_key", flat=True))
    effect = effect_of(event)
    assert (effect.notices, effect.notices_sent, effect.notices_kept) == (5, 1, 0)
    approve(ask(event, approver), coordinator)
    assert "Heronova" not in everything(incident)
    silenced = Notification.objects.filter(pk__in=[notice.pk for notice in notices])
    assert not keys_before & set(silenced.values_list("idempotency_key", flat=True))
    assert sorted(silenced.values_list("status", flat=True)) == ["delivered", *["dropped"] * 4]
    deliver(clock=timezone.now, only=[notice.pk for notice in notices[1:]])
    assert len(mailoutbox) == 1


def test_a_notice_of_another_entry_of_the_same_moment_keeps_its_words(
    incident: Incident, coordinator: User, approver: User
) -> None:
    event = announced(incident, coordinator)
    kept = Notification.objects.filter(event="incident.status_changed").first()
    assert kept is not None
    Notification.objects.filter(pk=kept.pk).update(sequence=event.sequence + 1)
    effect = effect_of(event)
    assert (effect.notices, effect.notices_kept) == (4, 1)
    approve(ask(event, approver), coordinator)
    kept.refresh_from_db()
    assert SECRET in kept.body


# The preview


def test_the_preview_tells_where_the_same_words_stay(incident: Incident, responder: User, coordinator: User) -> None:
    affected = make_affected(incident)
    entry = make_entry(incident, SECRET, account_ids=[affected.pk])
    make_entry(incident, "About the same account", account_ids=[affected.pk])
    at, actor = timezone.now(), actor_for(coordinator)
    stored = StoredFile.objects.create(sha256="b" * 64, size=1, media_type="text/plain", name="x", stored_at=at)
    Attachment.objects.create(
        incident=incident,
        stored=stored,
        number=1,
        name="clinic.pdf",
        sequence=entry.sequence,
        added_by="x",
        added_at=at,
    )
    pinned = pin_entry(incident_id=incident.pk, sequence=entry.sequence, actor=actor, at=at)
    corrected = correct_entry(
        incident_id=incident.pk,
        sequence=entry.sequence,
        summary="Ana was not at the clinic",
        occurred_at=entry.occurred_at,
        precision="second",
        reason="Wrong person",
        actor=actor,
        at=at,
    )
    effect = effect_of(entry)
    assert [one.sequence for one in effect.repeats] == [pinned.sequence, corrected.sequence]
    assert effect.about_accounts == 2
    assert [one.name for one in effect.files] == ["clinic.pdf"]
    approve(ask(corrected, responder), coordinator)
    assert [one.sequence for one in effect_of(entry).repeats] == [pinned.sequence]
    assert effect_of(corrected).exports == 0
