"""Adding an entry, correcting it, pinning it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE, actor_for
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.room.operations.entries import (
    CannotPinError,
    CannotWriteEntryError,
    EntryText,
    add_entry,
    correct_entry,
    pin_entry,
    unpin_entry,
)
from runbooks.timeline.models import Lane, Pin, Precision, TimelineEvent
from runbooks.timeline.operations import BadEntryError
from runbooks.timeline.verify import verify_chain
from tests.factories import make_affected, make_incident, make_step

pytestmark = pytest.mark.django_db
AT = timezone.now()


def add(incident: Incident, user: User, summary: str = "Gateway logs kept", **changes: Any) -> TimelineEvent:
    return add_entry(incident_id=incident.pk, text=EntryText(summary, **changes), actor=actor_for(user), at=AT)


def correct(incident: Incident, user: User, event: TimelineEvent, **changes: Any) -> TimelineEvent:
    said: dict[str, Any] = {
        "summary": "What it should have said",
        "occurred_at": event.occurred_at,
        "precision": event.occurred_precision,
        "reason": "The log says so",
        **changes,
    }
    return correct_entry(incident_id=incident.pk, sequence=event.sequence, **said, actor=actor_for(user), at=AT)


# Adding


def test_an_entry_keeps_its_own_time_lane_precision_step_and_accounts(incident: Incident, responder: User) -> None:
    step, affected = make_step(incident), make_affected(incident)
    earlier = AT - timedelta(hours=3)
    event = add(
        incident,
        responder,
        "  Holder called back  ",
        lane=Lane.CONTACT,
        occurred_at=earlier,
        precision=Precision.MINUTE,
        step_id=step.pk,
        logins=[affected.login],
    )
    event.refresh_from_db()
    assert (event.kind, event.lane, event.summary) == ("entry.added", "contact", "Holder called back")
    assert (event.occurred_at, event.occurred_precision, event.recorded_at) == (earlier, "minute", AT)
    assert (event.step_id, event.account_ids) == (step.pk, [affected.pk])
    assert event.details == {"accounts": [affected.login], "step": {"key": step.key, "number": step.number}}
    assert (event.actor, event.actor_user) == (responder.name, responder)
    assert verify_chain(incident.pk).broken_at is None


def test_without_a_time_it_happened_now(incident: Incident, responder: User) -> None:
    assert add(incident, responder).occurred_at == AT


def test_an_account_is_named_in_any_case_or_by_the_part_before_the_at(incident: Incident, responder: User) -> None:
    affected = make_affected(incident, login="member-0412@parliament.example")
    for name in ("MEMBER-0412@parliament.example", "member-0412", " member-0412 "):
        assert add(incident, responder, logins=[name]).account_ids == [affected.pk]


def test_accounts_that_are_not_in_the_incident_are_named_in_the_refusal(incident: Incident, responder: User) -> None:
    affected = make_affected(incident, login="member-0412@parliament.example")
    elsewhere = make_affected(make_incident(), login="member-0777@parliament.example")
    with pytest.raises(CannotWriteEntryError, match=r"member-0777@parliament.example, member-0999\.") as refused:
        add(incident, responder, logins=["member-0999", affected.login, elsewhere.login])
    assert refused.value.field == "logins"
    assert not TimelineEvent.objects.filter(incident=incident).exists()


def test_a_name_that_two_accounts_share_is_not_guessed(incident: Incident, responder: User) -> None:
    for domain in ("parliament.example", "lords.example"):
        make_affected(incident, login=f"jo@{domain}")
    with pytest.raises(CannotWriteEntryError, match="Several accounts begin with jo@"):
        add(incident, responder, logins=["jo"])
    assert len(add(incident, responder, logins=["jo@lords.example"]).account_ids) == 1


def test_a_name_is_no_pattern(incident: Incident, responder: User) -> None:
    make_affected(incident, login="member-0412@parliament.example")
    with pytest.raises(CannotWriteEntryError, match="member-____"):
        add(incident, responder, logins=["member-____"])


def test_a_step_of_another_incident_is_refused(incident: Incident, responder: User) -> None:
    with pytest.raises(CannotWriteEntryError, match="no such step"):
        add(incident, responder, step_id=make_step(make_incident()).pk)


@pytest.mark.parametrize(("ahead", "is_refused"), [(timedelta(minutes=5), False), (timedelta(minutes=6), True)])
def test_the_future_is_refused_but_for_a_clock_a_little_ahead(
    incident: Incident, responder: User, ahead: timedelta, is_refused: bool
) -> None:
    if is_refused:
        with pytest.raises(CannotWriteEntryError, match="in the future") as refused:
            add(incident, responder, occurred_at=AT + ahead)
        assert refused.value.field == "occurred_at"
    else:
        assert add(incident, responder, occurred_at=AT + ahead).sequence == 1


def test_an_entry_without_words_is_refused(incident: Incident, responder: User) -> None:
    with pytest.raises(BadEntryError, match="Write what happened"):
        add(incident, responder, "   ")


def test_a_lane_nobody_knows_is_refused(incident: Incident, responder: User) -> None:
    with pytest.raises(CannotWriteEntryError, match="Choose one of"):
        add(incident, responder, lane="gossip")


def test_what_comes_to_light_after_closing_is_still_written_down(incident: Incident, coordinator: User) -> None:
    incident.status = Incident.Status.CLOSED
    incident.save(update_fields=["status"])
    assert add(incident, coordinator).sequence == 1


def test_a_key_event_is_pinned_by_its_own_entry(incident: Incident, responder: User) -> None:
    event = add(incident, responder, pin=True)
    assert Pin.objects.get(incident=incident).event == event
    assert (event.details, event.sequence) == ({"pinned": True}, 1)


def test_who_may_write_and_who_may_pin(
    incident: Incident, desk: User, communications: User, auditor: User, outsider: User
) -> None:
    assert add(incident, desk).sequence == 1
    assert add(incident, communications).sequence == 2
    for person, refusal in ((auditor, NotAllowedError), (outsider, NotFoundError)):
        with pytest.raises(refusal):
            add(incident, person)
    with pytest.raises(NotAllowedError):
        add(incident, desk, pin=True)


# Correcting


def test_a_correction_is_an_entry_of_its_own_at_the_events_time(incident: Incident, responder: User) -> None:
    step, affected = make_step(incident), make_affected(incident)
    said = {"lane": Lane.DETECTION, "step_id": step.pk, "logins": [affected.login]}
    wrong = add(incident, responder, "Eleven accounts", occurred_at=AT - timedelta(hours=2), **said)
    right = correct(incident, responder, wrong, summary="Nine accounts")
    wrong.refresh_from_db()
    assert (wrong.summary, right.summary, right.corrects) == ("Eleven accounts", "Nine accounts", wrong.sequence)
    assert (right.kind, right.lane, right.occurred_at) == ("entry.corrected", "detection", AT - timedelta(hours=2))
    assert (right.step_id, right.account_ids) == (step.pk, [affected.pk])
    assert right.details["reason"] == "The log says so"
    assert right.details["before"]["summary"] == "Eleven accounts"
    assert right.details["after"]["summary"] == "Nine accounts"


def test_the_time_alone_can_be_corrected(incident: Incident, responder: User) -> None:
    wrong = add(incident, responder)
    earlier = AT - timedelta(minutes=40)
    right = correct(incident, responder, wrong, summary=wrong.summary, occurred_at=earlier, precision="minute")
    assert (right.occurred_at, right.occurred_precision, right.summary) == (earlier, "minute", wrong.summary)


def test_correcting_what_was_corrected_goes_on_from_what_stands(incident: Incident, responder: User) -> None:
    first = add(incident, responder, "Eleven")
    second = correct(incident, responder, first, summary="Ten")
    third = correct(incident, responder, first, summary="Nine")
    assert (second.corrects, third.corrects) == (first.sequence, second.sequence)
    assert third.details["before"]["summary"] == "Ten"


def test_a_pin_moves_on_to_the_correction(incident: Incident, responder: User) -> None:
    wrong = add(incident, responder, pin=True)
    right = correct(incident, responder, wrong)
    assert Pin.objects.get().event_id == right.pk


@pytest.mark.parametrize(
    ("changes", "field", "why"),
    [
        ({"summary": " "}, "summary", "should say"),
        ({"reason": ""}, "reason", "came to light"),
        ({"occurred_at": AT + timedelta(hours=1)}, "occurred_at", "future"),
        ({"summary": "Gateway logs kept"}, "summary", "says already"),
    ],
)
def test_a_correction_that_says_nothing_is_refused(
    incident: Incident, responder: User, changes: dict[str, Any], field: str, why: str
) -> None:
    wrong = add(incident, responder)
    with pytest.raises(CannotWriteEntryError, match=why) as refused:
        correct(incident, responder, wrong, **changes)
    assert refused.value.field == field
    assert TimelineEvent.objects.filter(incident=incident).count() == 1


def test_nobody_outside_and_no_auditor_corrects(
    incident: Incident, responder: User, auditor: User, outsider: User
) -> None:
    wrong = add(incident, responder)
    for person, refusal in ((auditor, NotAllowedError), (outsider, NotFoundError)):
        with pytest.raises(refusal):
            correct(incident, person, wrong)


def test_an_entry_that_is_not_there_is_not_corrected(incident: Incident, responder: User) -> None:
    wrong = add(incident, responder)
    wrong.sequence = 99
    with pytest.raises(NotFoundError, match="#99"):
        correct(incident, responder, wrong)


# Pinning


def act(operation: Any, incident: Incident, user: User | None, sequence: int = 1, at: datetime = AT) -> TimelineEvent:
    actor = actor_for(user) if user else COMMAND_LINE
    event: TimelineEvent = operation(incident_id=incident.pk, sequence=sequence, actor=actor, at=at)
    return event


def test_pinning_and_taking_the_pin_off_are_both_entries(incident: Incident, responder: User, desk: User) -> None:
    event = add(incident, responder, "Access restricted")
    pinned = act(pin_entry, incident, responder)
    assert Pin.objects.get(incident=incident).event_id == event.pk
    unpinned = act(unpin_entry, incident, responder)
    assert not Pin.objects.exists()
    assert [pinned.summary, unpinned.summary] == [
        "#1 pinned as a key event: Access restricted",
        "#1 no longer a key event: Access restricted",
    ]
    assert (pinned.kind, pinned.details, unpinned.kind) == ("entry.pinned", {"entry": 1}, "entry.unpinned")


def test_a_pin_is_put_and_taken_once(incident: Incident, responder: User) -> None:
    add(incident, responder)
    with pytest.raises(CannotPinError, match="not pinned"):
        act(unpin_entry, incident, responder)
    act(pin_entry, incident, responder)
    with pytest.raises(CannotPinError, match="pinned already"):
        act(pin_entry, incident, responder)
    assert TimelineEvent.objects.filter(incident=incident).count() == 2


def test_a_long_entry_is_cut_at_a_word_in_the_entry_about_its_pin(incident: Incident, responder: User) -> None:
    add(incident, responder, "word " * 60)
    assert act(pin_entry, incident, responder).summary.endswith("word ...")


def test_the_desk_and_outsiders_do_not_pin(incident: Incident, responder: User, desk: User, outsider: User) -> None:
    add(incident, responder)
    for operation in (pin_entry, unpin_entry):
        with pytest.raises(NotAllowedError):
            act(operation, incident, desk)
        with pytest.raises(NotFoundError):
            act(operation, incident, outsider)
