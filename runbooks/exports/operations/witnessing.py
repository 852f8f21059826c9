"""Checkpoints on their way to witnesses: who gets them, and carrying them there.

Claim (transaction), send, note (transaction): a worker that dies in between leaves a lease that runs out. A witness who
gets a checkpoint twice has lost nothing.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Subquery

from runbooks import outbound
from runbooks.access.permissions import Actor, require
from runbooks.background import wake
from runbooks.errors import DomainError, NotFoundError
from runbooks.exports.models import Checkpoint, Witness, WitnessCopy
from runbooks.exports.operations.checkpoints import sent_form
from runbooks.incidents.models import Incident
from runbooks.notifications.channels import email
from runbooks.notifications.channels.base import ChannelError, Message
from runbooks.outbound import OutboundError
from runbooks.presentation import number

Status = WitnessCopy.Status
OPEN: Final = (Status.WAITING, Status.SENDING)
LEASE, LONGEST = timedelta(minutes=5), timedelta(minutes=3)
ATTEMPTS: Final = 30
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
LOST: Final = "The worker stopped several times before it could say whether it had left."
BODY: Final = """This is a checkpoint of the timeline of {reference}, signed by IR Portal.
Keep it where the institution cannot reach it.

It says that entry {entry} had this hash at this time. Whoever rewrites the past later cannot take it back from you.

The next line is the checkpoint itself. Save this message as a file, or the line alone:

{line}

To check an evidence bundle against it: python3 verify_export.py BUNDLE.zip --signers FILE --checkpoint THIS-FILE
You need to do nothing else, and nobody reads what is sent back.
"""


class CannotAddWitnessError(DomainError):
    """The witness cannot be reached in this way. `field` names what is wrong."""

    status = 400

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@transaction.atomic
def add_witness(*, name: str, channel: str, address: str, actor: Actor, at: datetime) -> Witness:
    """From now on this witness gets each checkpoint as it is made; first, the newest of each running incident."""
    require(actor, "manage_witnesses")
    name, address = name.strip(), address.strip()
    if not name:
        raise CannotAddWitnessError("name", "Say who keeps the checkpoints.")
    _check_address(channel, address)
    try:
        with transaction.atomic():
            witness = Witness.objects.create(
                name=name, channel=channel, address=address, added_by=actor.name, added_at=at
            )
    except IntegrityError:
        raise CannotAddWitnessError("address", "A witness with this address is there already.") from None
    newest = Checkpoint.objects.filter(incident=OuterRef("pk")).order_by("-sequence").values("pk")[:1]
    running = Incident.objects.exclude(status__in=Incident.OVER).annotate(newest=Subquery(newest))
    copies = [
        WitnessCopy(checkpoint_id=checkpoint, witness=witness, next_attempt_at=at)
        for checkpoint in running.exclude(newest=None).values_list("newest", flat=True)
    ]
    if WitnessCopy.objects.bulk_create(copies):
        wake("exports.witness")
    return witness


def _check_address(channel: str, address: str) -> None:
    if channel == Witness.Channel.MAIL:
        try:
            validate_email(address)
        except ValidationError:
            raise CannotAddWitnessError("address", "That is no mail address. Write it as name@domain.") from None
    elif channel == Witness.Channel.WEBHOOK:
        if urlsplit(address).scheme != "https" and not _is_own_machine(address):
            raise CannotAddWitnessError("address", "An address for calls must begin with https://.")
        try:
            outbound.client(base_url=address).close()
        except OutboundError as error:
            raise CannotAddWitnessError("address", str(error)) from None
    else:
        raise CannotAddWitnessError("channel", "Choose mail or webhook.")


def _is_own_machine(address: str) -> bool:
    return address.startswith(("http://127.0.0.1:", "http://localhost:", "http://[::1]:"))


@transaction.atomic
def end_witness(*, witness_id: int, actor: Actor, at: datetime) -> Witness:
    """Send no more to this witness; what waits is not sent either. The row stays, for auditors to see."""
    require(actor, "manage_witnesses")
    witness = _current(witness_id)
    witness.ended_at, witness.ended_by = at, actor.name[:160]
    witness.save(update_fields=["ended_at", "ended_by"])
    waiting = WitnessCopy.objects.filter(witness=witness, status__in=OPEN)
    waiting.update(status=Status.FAILED, next_attempt_at=None, reason=f"{actor.name} ended this witness.")
    return witness


@transaction.atomic
def try_witness_again(*, witness_id: int, actor: Actor, at: datetime) -> int:
    """Send what was given up once more; how many."""
    require(actor, "manage_witnesses")
    witness = _current(witness_id)
    failed = WitnessCopy.objects.filter(witness=witness).exclude(status=Status.SENT)
    count = failed.update(status=Status.WAITING, attempts=0, next_attempt_at=at)
    if count:
        wake("exports.witness")
    return count


def _current(witness_id: int) -> Witness:
    witness = Witness.objects.select_for_update().filter(pk=witness_id, ended_at__isnull=True).first()
    if witness is None:
        raise NotFoundError("There is no such witness, or it was ended.")
    return witness


# Sending


def send_copies(*, clock: Callable[[], datetime]) -> int:
    """Send whatever is due, oldest first, for three minutes at most; how many left. Never inside a transaction."""
    began, sent = clock(), 0
    while clock() - began < LONGEST and (copy := claim(at=clock())) is not None:
        error = _send(copy) if copy.attempts <= ATTEMPTS else ChannelError(LOST, permanent=True)
        finish(copy=copy, error=error, at=clock())
        sent += error is None
    return sent


@transaction.atomic
def claim(*, at: datetime) -> WitnessCopy | None:
    """Take the copy that is due longest: no other worker gets it meanwhile."""
    due = WitnessCopy.objects.filter(status__in=OPEN, next_attempt_at__lte=at).order_by("next_attempt_at", "pk")
    with_all = due.select_related("checkpoint__key", "checkpoint__incident", "witness")
    copy = with_all.select_for_update(skip_locked=True, of=("self",)).first()
    if copy is not None:
        copy.status, copy.attempts, copy.next_attempt_at = Status.SENDING, copy.attempts + 1, at + LEASE
        copy.save(update_fields=["status", "attempts", "next_attempt_at"])
    return copy


def _send(copy: WitnessCopy) -> ChannelError | None:
    try:
        if copy.witness.channel == Witness.Channel.MAIL:
            email.send(message_of(copy))
        else:
            _post(copy)
    except ChannelError as error:
        return error
    except OutboundError as error:
        return ChannelError(str(error), permanent=error.permanent)
    return None


def message_of(copy: WitnessCopy) -> Message:
    """The mail. Its text is ASCII with lines short enough that no server rewraps the checkpoint."""
    checkpoint, incident = copy.checkpoint, copy.checkpoint.incident
    entry, line = number(checkpoint.sequence), sent_form(checkpoint).line.decode().strip()
    return Message(
        address=copy.witness.address,
        subject=f"Checkpoint of {incident.reference}, entry {entry}: {checkpoint.hash[:16]}",
        body=BODY.format(reference=incident.reference, entry=entry, line=line),
        key=key_of(copy),
        is_exercise=incident.is_exercise,
    )


def key_of(copy: WitnessCopy) -> str:
    """The same for each attempt, so that a mailbox or a receiver that got it twice can tell."""
    return f"witness-{copy.pk}-{copy.checkpoint.hash[:24]}"[:64]


def _post(copy: WitnessCopy) -> None:
    headers = {"Content-Type": "application/json", "Idempotency-Key": key_of(copy)}
    with outbound.client(headers=headers) as client:
        answer = client.post(copy.witness.address, content=sent_form(copy.checkpoint).line.strip())
    if answer.status_code >= 400:
        permanent = answer.status_code < 500 and answer.status_code not in {408, 425, 429}
        host = urlsplit(copy.witness.address).hostname
        raise ChannelError(f"{host} answered {answer.status_code}.", permanent=permanent)


@transaction.atomic
def finish(*, copy: WitnessCopy, error: ChannelError | None, at: datetime) -> None:
    """Note what came of it. A worker that outlived its lease notes nothing but that it left."""
    held = WitnessCopy.objects.select_for_update().get(pk=copy.pk)
    is_ours = held.status == Status.SENDING and held.attempts == copy.attempts
    if held.status == Status.SENT or (error is not None and not is_ours):
        return
    if error is None:
        held.status, held.sent_at, held.next_attempt_at, held.reason = Status.SENT, at, None, ""
    elif error.permanent or held.attempts >= ATTEMPTS:
        held.status, held.next_attempt_at, held.reason = Status.FAILED, None, str(error)[:300]
    else:
        wait = min(FIRST_WAIT * (1 << min(held.attempts - 1, 10)), LONGEST_WAIT)
        held.status, held.next_attempt_at, held.reason = Status.WAITING, at + wait, str(error)[:300]
    held.save(update_fields=["status", "sent_at", "next_attempt_at", "reason"])
