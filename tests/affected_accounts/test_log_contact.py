"""Tries to reach holders."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount, ContactAttempt, State
from runbooks.affected_accounts.operations import Attempt, Outcome, log_contact
from runbooks.affected_accounts.operations.log_contact import AffectedMailboxError, BadContactError
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import Lane, TimelineEvent
from runbooks.timeline.operations import now
from tests.affected_accounts.many import affected_of
from tests.factories import make_account, make_affected

pytestmark = pytest.mark.django_db
Channel, Result = ContactAttempt.Channel, ContactAttempt.Outcome


def attempted(incident: Incident, user: User, rows: list[AffectedAccount], **changes: Any) -> Outcome:
    facts = {"channel": Channel.PHONE, "outcome": Result.NO_ANSWER, "happened_at": now(), **changes}
    return log_contact(
        incident_id=incident.pk,
        account_ids=[row.pk for row in rows],
        attempt=Attempt(**facts),
        actor=actor_for(user),
        at=now(),
    )


def test_an_attempt_is_kept_and_shown_as_the_newest(incident: Incident, desk: User) -> None:
    row = make_affected(incident, state=State.CONTAINED, tier="A")
    attempted(incident, desk, [row], note="Rang for a minute")
    row.refresh_from_db()
    assert (row.contact_attempts, row.last_contact_outcome) == (1, Result.NO_ANSWER)
    assert row.holder_reached_at is None
    event = TimelineEvent.objects.get(incident=incident)
    assert event.lane == Lane.CONTACT
    assert event.summary == f"Holder of {row.login}: no answer (phone). Rang for a minute"


def test_reaching_the_holder_records_the_fact_with_channel_number_and_recognition(
    incident: Incident, desk: User
) -> None:
    row = make_affected(incident, state=State.CONTAINED, tier="A")
    attempted(
        incident,
        desk,
        [row],
        outcome=Result.REACHED,
        address="+447700900123",
        address_source="the HR file",
        identity_check="called back, staff number given",
    )
    row.refresh_from_db()
    fact = row.facts.get()
    assert row.holder_reached_at == fact.at
    assert fact.source == "Phone +447700900123 from the HR file, recognised: called back, staff number given"
    assert row.state == State.CONTAINED


def test_reaching_somebody_without_recognising_them_is_refused(incident: Incident, desk: User) -> None:
    row = make_affected(incident)
    with pytest.raises(BadContactError, match="how the holder was recognised"):
        attempted(incident, desk, [row], outcome=Result.REACHED, identity_check=" ")


def test_the_database_refuses_reached_without_recognition_and_unknown_channels(incident: Incident) -> None:
    row = make_affected(incident)
    facts = {"affected_account": row, "at": now(), "made_by": "somebody", "recorded_at": now()}
    with pytest.raises(IntegrityError, match="contact_reached_was_recognised"), transaction.atomic():
        ContactAttempt.objects.create(channel=Channel.PHONE, outcome=Result.REACHED, **facts)
    with pytest.raises(IntegrityError, match="contact_channel_known"), transaction.atomic():
        ContactAttempt.objects.create(channel="mailbox", outcome=Result.SENT, **facts)


@pytest.mark.parametrize(
    "address",
    [
        "Ann.Holder@parliament.example",
        " <ann.holder@PARLIAMENT.EXAMPLE> ",
        "mailto:ann.holder@parliament.example",
        "aholder@other.example",
    ],
)
@pytest.mark.parametrize("channel", list(Channel))
def test_the_affected_mailbox_is_refused_on_every_channel(
    incident: Incident, desk: User, address: str, channel: Channel
) -> None:
    account = make_account(login="ann.holder@parliament.example", mail="aholder@other.example")
    row = make_affected(incident, account)
    with pytest.raises(AffectedMailboxError, match="the affected mailbox"):
        attempted(incident, desk, [row], channel=channel, outcome=Result.SENT, address=address)
    assert not ContactAttempt.objects.exists()


@pytest.mark.parametrize("address", ["colleague@parliament.example", "x@members.parliament.example"])
def test_any_mailbox_inside_the_institution_is_refused(incident: Incident, desk: User, address: str) -> None:
    row = make_affected(incident)
    with pytest.raises(AffectedMailboxError, match="inside the affected system"):
        attempted(incident, desk, [row], channel=Channel.ALTERNATE_MAIL, outcome=Result.SENT, address=address)


def test_a_mailbox_outside_is_taken(incident: Incident, desk: User) -> None:
    row = make_affected(incident)
    attempted(
        incident, desk, [row], channel=Channel.ALTERNATE_MAIL, outcome=Result.SENT, address="ann@notparliament.example"
    )
    assert row.contacts.get().address == "ann@notparliament.example"


def test_an_older_attempt_that_comes_in_late_is_counted_but_not_shown_as_the_newest(
    incident: Incident, desk: User
) -> None:
    row = make_affected(incident)
    attempted(incident, desk, [row], outcome=Result.LEFT_MESSAGE)
    attempted(incident, desk, [row], happened_at=now() - timedelta(hours=1))
    row.refresh_from_db()
    assert (row.contact_attempts, row.last_contact_outcome) == (2, Result.LEFT_MESSAGE)


def test_letters_to_many_are_logged_at_once_without_a_common_address(incident: Incident, desk: User) -> None:
    rows = affected_of(incident, 3, state=State.CONTAINED)
    outcome = attempted(incident, desk, rows, channel=Channel.LETTER, outcome=Result.SENT)
    assert outcome.said == "Holders of 3 accounts: sent (letter)"
    assert ContactAttempt.objects.count() == 3
    with pytest.raises(BadContactError, match="every holder has their own"):
        attempted(incident, desk, rows, address="+447700900123")


def test_the_auditor_may_not_and_the_outsider_finds_nothing(incident: Incident, auditor: User, outsider: User) -> None:
    row = make_affected(incident)
    for user, refusal in ((auditor, NotAllowedError), (outsider, NotFoundError)):
        with pytest.raises(refusal):
            attempted(incident, user, [row])
