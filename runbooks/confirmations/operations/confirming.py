"""What a holder does on the staff pages: open a code, answer, and be believed when the directory agrees."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from runbooks.access.permissions import PORTAL
from runbooks.affected_accounts.models import AffectedAccount, Tier
from runbooks.affected_accounts.operations import set_tier
from runbooks.background import wake
from runbooks.confirmations.codes import ALPHABET, CONFIRM_PASSWORD, digest_of
from runbooks.confirmations.models import Code, Confirmation
from runbooks.confirmations.operations.doubting import take_back
from runbooks.confirmations.operations.keeping import Waiting, keep, keep_among_others, place_of
from runbooks.confirmations.throttle import Origin, count_wrong, may_try
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.notifications.operations import announce
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record

Answer, Truth = Confirmation.Answer, Confirmation.Truth
ANSWER_MAX = 1000
# Of thousands who answer at once one wakes the worker; whom it missed the sweep finds.
WAKE_SECONDS = 2
_woken: dict[UUID, float] = {}


class CodeDidNotWorkError(DomainError):
    """The one answer to everything: no such account, a wrong, a used, or an expired code, or too many tries."""

    status = 400

    def __init__(self) -> None:
        super().__init__("That account name and code did not work.")


@dataclass(frozen=True, slots=True)
class Opened:
    """A code that works, and what its holder's pages may say. Nothing of the incident beyond what to do."""

    code_id: int
    incident_id: UUID
    login: str
    since: datetime
    channel: str


def open_code(*, login: str, typed: str, origin: Origin, at: datetime) -> Opened:
    """Whether the code works now. Changes nothing but the count of wrong tries. Raises CodeDidNotWorkError.

    Every kind of wrong costs the same: one hash and one look-up that finds nothing.
    """
    is_looked_at = may_try(origin)
    found = _open_codes(at).filter(digest=digest_of(CONFIRM_PASSWORD, login, typed)).first() if is_looked_at else None
    if found is None:
        if is_looked_at:
            count_wrong(origin, login)
        raise CodeDidNotWorkError
    return _opened(found)


def reopen(*, code_id: int, at: datetime) -> Opened:
    """The same code on a later page of the same holder. Raises CodeDidNotWorkError once it was used or ran out."""
    found = _open_codes(at).filter(pk=code_id).first()
    if found is None:
        raise CodeDidNotWorkError
    return _opened(found)


def _open_codes(at: datetime) -> QuerySet[Code]:
    return Code.objects.select_related("affected_account", "incident").filter(
        ~Q(incident__status__in=Incident.OVER), used_at__isnull=True, superseded_at__isnull=True, expires_at__gt=at
    )


def _opened(code: Code) -> Opened:
    row = code.affected_account
    return Opened(code.pk, code.incident_id, row.login, asked_since(row, code.incident), code.channel)


def asked_since(row: AffectedAccount, incident: Incident) -> datetime:
    """Since when the password must have been changed: containment, or what was noticed."""
    return row.contained_at or incident.detected_at


def answer(*, code_id: int, said: str, questions: Mapping[str, str], language: str, at: datetime) -> Confirmation:
    """Take the holder's answer and use up the code. A claim is then checked against the directory by a worker."""
    found = place_of(code_id)
    if found is None or said not in Answer.values:
        raise CodeDidNotWorkError
    incident_id, affected_id, login, channel = found
    is_claim = said in Confirmation.CLAIMS
    kept = Confirmation(
        incident_id=incident_id,
        affected_account_id=affected_id,
        code_id=code_id,
        receipt=_receipt(),
        answer=said,
        questions={key: text.strip()[:ANSWER_MAX] for key, text in questions.items()},
        language=language,
        answered_at=at,
        truth=Truth.PENDING if is_claim else Truth.NOT_ASKED,
        check_at=at if is_claim else None,
    )
    source = f"Code by {Code.Channel(channel).label.lower()}, receipt {kept.receipt}"
    waiting = Waiting(kept, _entry(kept, login), source)
    if not is_claim:
        _keep_and_raise(waiting)
    elif not keep_among_others(waiting):
        raise CodeDidNotWorkError
    elif waiting.leads:
        _wake_checker(incident_id)
    return kept


def _wake_checker(incident_id: UUID) -> None:
    now = time.monotonic()
    if now - _woken.get(incident_id, -WAKE_SECONDS) >= WAKE_SECONDS:
        _woken[incident_id] = now
        wake("confirmations.check", incident_id=str(incident_id))


@transaction.atomic
def _keep_and_raise(waiting: Waiting) -> None:
    kept = waiting.answer
    incident = lock(kept.incident_id)
    found = {} if incident.is_over else keep(incident.pk, [(kept, waiting.source)])
    if not found:
        raise CodeDidNotWorkError
    kept.pk = found[kept.receipt]
    record(incident, waiting.entry, actor=PORTAL, at=kept.answered_at)
    row = AffectedAccount.objects.get(pk=kept.affected_account_id)
    raise_account(incident, row, f"Receipt {kept.receipt}", kept.answered_at)


def raise_account(incident: Incident, row: AffectedAccount, source: str, at: datetime) -> None:
    """Somebody else may be in the account: it counts as got into, and the coordinators are told.

    What was confirmed counts no more. The incident is locked.
    """
    announce(incident, "holder.not_me", {"login": row.login, "source": source}, at=at)
    take_back(incident, row, source, at)
    if row.tier != Tier.A:
        reason = f"The holder says it was not them, or is not sure. {source}"
        set_tier(incident_id=incident.pk, account_ids=[row.pk], tier=Tier.A, reason=reason, actor=PORTAL, at=at)


def _entry(kept: Confirmation, login: str) -> Entry:
    said = {
        Answer.CHANGED: "says they changed the password",
        Answer.WITH_HELP: "says the password was changed with the desk's help",
        Answer.NOT_ME: "did not change the password, or is not sure: call back",
    }[Answer(kept.answer)]
    details = {
        "account": login,
        "answer": kept.answer,
        "receipt": kept.receipt,
        "language": kept.language,
        "questions": kept.questions,
    }
    summary = f"Holder of {login} {said}"
    return Entry(
        "holder.answered",
        summary,
        Lane.CONTACT,
        details,
        occurred_at=kept.answered_at,
        account_ids=[kept.affected_account_id],
    )


def _receipt() -> str:
    """Ten signs, 50 bits: nothing can be looked up by it without a sign-in."""
    text = "".join(secrets.choice(ALPHABET) for _ in range(10))
    return f"{text[:5]}-{text[5:]}"
