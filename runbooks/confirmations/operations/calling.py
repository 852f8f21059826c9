"""Calls of the desk: one person takes a holder, calls, and says what came of it. Nobody else gets the row meanwhile."""

import secrets
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from runbooks.access.permissions import Actor, require
from runbooks.affected_accounts.models import AffectedAccount, ContactAttempt
from runbooks.affected_accounts.operations import Attempt, log_contact
from runbooks.affected_accounts.operations.call_hours import set_call_hours
from runbooks.confirmations.codes import ALPHABET, CALL, digest_of
from runbooks.confirmations.models import Code, Confirmation, DeskCall
from runbooks.confirmations.operations.confirming import raise_account
from runbooks.confirmations.operations.issuing import Issued, Order, issue_codes
from runbooks.confirmations.operations.recognising import Check, recognised
from runbooks.confirmations.queries.calls import EVERYBODY, Within, next_of
from runbooks.confirmations.queries.planning import DIRECTORY
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock_running
from runbooks.notifications.operations import announce
from runbooks.presentation import full_clock, plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record

Outcome, Said = DeskCall.Outcome, ContactAttempt.Outcome
HELD: Final = timedelta(minutes=20)
REFERENCE_GOOD: Final = timedelta(minutes=15)
REFERENCE_LENGTH: Final = 6
# From how many on the coordinators are told that somebody who is not the holder may answer.
NOT_VERIFIED_TELLS: Final = 2
ATTEMPT_OF: Final = {
    Outcome.REACHED: Said.REACHED,
    Outcome.NO_ANSWER: Said.NO_ANSWER,
    Outcome.CALL_BACK: Said.LEFT_MESSAGE,
    Outcome.REFUSED: Said.NOT_VERIFIED,
    Outcome.NOT_VERIFIED: Said.NOT_VERIFIED,
}


class BadCallError(DomainError):
    """What is said of the call does not hold together."""

    status = 400


class CallOverError(DomainError):
    """Somebody ended this call, or it went to somebody else after its time."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of a call. `number` is the one on file that was called; `check` one of DeskCall.Check where reached.

    `with_code`: read out a code to the holder who was reached, at once. `best_until`: a holder who is called back is
    best called from that time of day until this one, whenever it is. `not_me`: the holder who was reached says, or
    fears, that somebody else changed the password.
    """

    outcome: str
    check: str = ""
    number: str = ""
    note: str = ""
    call_back_at: datetime | None = None
    with_code: bool = False
    not_me: bool = False
    best_until: time | None = None


@transaction.atomic
def take_next(*, incident_id: UUID, actor: Actor, at: datetime, within: Within = EVERYBODY) -> DeskCall | None:
    """The next holder for this person, who keeps one until they say what came of it. None where nobody waits.

    `within`: the next of that part of the queue. Whom the person has already, they keep, of that part or not.
    """
    user_id = calling_person(actor, incident_id)
    incident = lock_running(incident_id)
    _put_back_forgotten(incident, at)
    held = DeskCall.objects.filter(incident=incident, taken_by=user_id, ended_at__isnull=True).order_by("pk").first()
    if held is not None:
        return held
    affected_id = next_of(incident.pk, at, user_id, within)
    return None if affected_id is None else _take(incident, affected_id, user_id, at)


@transaction.atomic
def take_one(*, incident_id: UUID, affected_id: int, actor: Actor, at: datetime) -> DeskCall:
    """This holder, who rings, or whom somebody looked up. Raises CallOverError where somebody else has the row."""
    user_id = calling_person(actor, incident_id)
    incident = lock_running(incident_id)
    _put_back_forgotten(incident, at)
    row = AffectedAccount.objects.select_for_update().filter(incident=incident, pk=affected_id).first()
    if row is None:
        raise NotFoundError("There is no such account in this incident.")
    held = DeskCall.objects.select_related("taken_by").filter(affected_account=row, ended_at__isnull=True).first()
    if held is not None and held.taken_by_id != user_id:
        until = full_clock(held.held_until, incident.zone)
        raise CallOverError(f"{held.taken_by} has this holder on the line, until {until} at the latest. Ask them.")
    return held or _take(incident, row.pk, user_id, at)


def calling_person(actor: Actor, incident_id: UUID) -> int:
    require(actor, "call_holders", incident_id)
    if actor.user_id is None:
        raise NotAllowedError("Only a person who is signed in calls holders.")
    return actor.user_id


def _put_back_forgotten(incident: Incident, at: datetime) -> None:
    DeskCall.objects.filter(incident=incident, ended_at__isnull=True, held_until__lte=at).update(
        outcome=Outcome.PUT_BACK, ended_at=at, reference_digest="", reference_until=None
    )


def _take(incident: Incident, affected_id: int, user_id: int, at: datetime) -> DeskCall:
    return DeskCall.objects.create(
        incident=incident, affected_account_id=affected_id, taken_by_id=user_id, taken_at=at, held_until=at + HELD
    )


@transaction.atomic
def give_reference(*, call_id: int, actor: Actor, at: datetime) -> str:
    """A reference by which the holder can check the call, as 7K2-M9Q. Told to the caller once; good for 15 minutes."""
    call, _ = _own_call(call_id, actor)
    text = "".join(secrets.choice(ALPHABET) for _ in range(REFERENCE_LENGTH))
    call.reference_digest = digest_of(CALL, call.affected_account.login, text)
    call.reference_until = at + REFERENCE_GOOD
    call.held_until = max(call.held_until, call.reference_until)
    call.save(update_fields=["reference_digest", "reference_until", "held_until"])
    return f"{text[:3]}-{text[3:]}"


@transaction.atomic
def end_call(*, call_id: int, ending: Ending, actor: Actor, at: datetime) -> Issued | None:
    """What came of it, and the row is free. The code, where one was wanted, in clear this once."""
    call, incident = _own_call(call_id, actor)
    return close_call(call, incident, ending, actor=actor, happened_at=at, at=at)


def _own_call(call_id: int, actor: Actor) -> tuple[DeskCall, Incident]:
    found = DeskCall.objects.filter(pk=call_id).values_list("incident_id", flat=True).first()
    if found is None:
        raise NotFoundError("There is no such call.")
    user_id = calling_person(actor, found)
    incident = lock_running(found)
    call = DeskCall.objects.select_related("affected_account__account").select_for_update(of=("self",)).get(pk=call_id)
    if call.taken_by_id != user_id:
        raise NotAllowedError("Somebody else has this call.")
    if call.ended_at is not None:
        raise CallOverError("This call is over already. Take the next one.")
    return call, incident


def close_call(
    call: DeskCall, incident: Incident, ending: Ending, *, actor: Actor, happened_at: datetime, at: datetime
) -> Issued | None:
    """The end of a call, just now or earlier on paper. The incident and the call are locked."""
    row = call.affected_account
    identity = _check(ending, row, happened_at)
    call.outcome, call.check_method, call.note = ending.outcome, ending.check if identity else "", ending.note.strip()
    call.call_back_at = ending.call_back_at if ending.outcome == Outcome.CALL_BACK else None
    call.ended_at, call.reference_digest, call.reference_until = happened_at, "", None
    call.save()
    if ending.outcome == Outcome.PUT_BACK:
        return None
    if ending.outcome == Outcome.NOT_VERIFIED:
        _tell_not_verified(incident, row, actor, happened_at, at)
    attempt = _attempt(ending, identity, incident, happened_at)
    log_contact(incident_id=incident.pk, account_ids=[row.pk], attempt=attempt, actor=actor, at=at)
    if ending.outcome == Outcome.CALL_BACK and ending.best_until is not None and call.call_back_at is not None:
        since = call.call_back_at.astimezone(incident.zone).time()
        set_call_hours(
            incident_id=incident.pk, affected_id=row.pk, call_from=since, call_until=ending.best_until, actor=actor,
            at=at,
        )  # fmt: skip
    if ending.outcome == Outcome.REACHED and ending.not_me:
        _tell_not_me(incident, row, actor, happened_at, at)
    if ending.outcome != Outcome.REACHED or not ending.with_code:
        return None
    order = Order(row.pk, Code.Channel.READ_OUT, ending.number, DIRECTORY if ending.number else "")
    return issue_codes(incident_id=incident.pk, orders=[order], actor=actor, at=at)[0]


def _check(ending: Ending, row: AffectedAccount, at: datetime) -> str:
    """How the holder was recognised, empty where nobody was reached."""
    account = row.account
    if ending.outcome not in Outcome.values:
        raise BadCallError("Say what came of the call.")
    if ending.number and ending.number not in {account.mobile, account.telephone}:
        raise BadCallError("Call a number that is on file. Another one is somebody’s word, and proves nothing.")
    if ending.outcome == Outcome.CALL_BACK and (ending.call_back_at is None or ending.call_back_at <= at):
        raise BadCallError("Say when to call back: a moment that is still to come.")
    if ending.outcome != Outcome.REACHED:
        return ""
    if ending.check == Check.CALLED_BACK and not ending.number:
        raise BadCallError("Say which number on file was called.")
    return recognised(ending.check, ending.note, account, at)


def _attempt(ending: Ending, identity: str, incident: Incident, happened_at: datetime) -> Attempt:
    note = "" if identity else ending.note.strip()
    if ending.outcome == Outcome.REFUSED:
        note = f"Refused to go on. {note}".strip()
    if ending.outcome == Outcome.CALL_BACK and ending.call_back_at is not None:
        note = f"Call back {full_clock(ending.call_back_at, incident.zone)}. {note}".strip()
    in_person = ending.outcome == Outcome.REACHED and ending.check == Check.PASS
    return Attempt(
        channel=ContactAttempt.Channel.IN_PERSON if in_person else ContactAttempt.Channel.PHONE,
        outcome=ATTEMPT_OF[Outcome(ending.outcome)],
        happened_at=happened_at,
        address=ending.number,
        address_source=DIRECTORY if ending.number else "",
        identity_check=identity,
        note=note,
    )


def _tell_not_me(incident: Incident, row: AffectedAccount, actor: Actor, happened_at: datetime, at: datetime) -> None:
    """What a holder at no screen answers by telephone counts as if they had typed it, but for a claim."""
    # log_contact moved the head of the incident, which is locked all the while.
    incident.refresh_from_db(fields=["head_sequence", "head_hash"])
    entry = Entry(
        "holder.answered", f"Holder of {row.login} told the desk that it was not them, or that they are not sure",
        Lane.CONTACT, {"account": row.login, "answer": Confirmation.Answer.NOT_ME.value}, occurred_at=happened_at,
        account_ids=[row.pk],
    )  # fmt: skip
    record(incident, entry, actor=actor, at=at)
    raise_account(incident, row, f"Told to {actor}", at)


def _tell_not_verified(
    incident: Incident, row: AffectedAccount, actor: Actor, happened_at: datetime, at: datetime
) -> None:
    """Somebody answered who could not prove to be the holder: once may be chance, twice is told to everybody."""
    times = DeskCall.objects.filter(affected_account=row, outcome=Outcome.NOT_VERIFIED).count()
    said = f"Whoever answered for {row.login} was not recognised as its holder ({plural(times, 'time')})"
    entry = Entry(
        "holder.not_verified", said, Lane.DETECTION, {"account": row.login, "times": times},
        occurred_at=happened_at, account_ids=[row.pk],
    )  # fmt: skip
    record(incident, entry, actor=actor, at=at)
    if times >= NOT_VERIFIED_TELLS:
        announce(incident, "holder.not_verified", {"login": row.login, "times": times}, at=at)
