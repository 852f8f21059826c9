"""Letters with codes: codes issued, the PDF made of them, and nothing of it kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from runbooks.access.permissions import Actor, require
from runbooks.affected_accounts.models import ContactAttempt
from runbooks.affected_accounts.operations import Attempt, log_contact
from runbooks.confirmations.codes import shown
from runbooks.confirmations.letters import Envelope, Letter, SettingError, make_envelope_list, make_letters
from runbooks.confirmations.letters.contents import Language
from runbooks.confirmations.letters.wording import texts
from runbooks.confirmations.models import Code, LetterRun
from runbooks.confirmations.operations.issuing import Issued, Order, issue_codes
from runbooks.confirmations.queries.planning import DIRECTORY, Plan, plan_codes
from runbooks.confirmations.sender import sender_of
from runbooks.errors import DomainError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock, lock_running
from runbooks.presentation import number, plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record

LETTERS_AT_MOST: Final = 500


class CannotPrintError(DomainError):
    """No letters can be made of these."""


@dataclass(frozen=True, slots=True)
class Printed:
    """The run, and its PDF: whoever asked for it gets it once."""

    run: LetterRun
    pdf: bytes


@dataclass(frozen=True, slots=True)
class _Ready:
    incident: Incident
    run: LetterRun
    plans: list[Plan]
    issued: dict[int, Issued]


def print_letters(
    *,
    incident_id: UUID,
    affected_ids: Sequence[int],
    actor: Actor,
    at: datetime,
    fresh_ids: Sequence[int] = (),
    language: Language | None = None,
) -> Printed:
    """New codes for these holders and one PDF of their letters. A lost PDF is printed again, with new codes.

    `fresh_ids`: of those whose office or number changed in the last 30 days, the ones that somebody looked at twice.
    `language`: of all letters; without it each is in its holder's own.
    The PDF is made after the commit: hundreds of letters take seconds, in which nobody else could work in the
    incident. Raises CannotPrintError.
    """
    ready = _issue(incident_id, affected_ids, fresh_ids, language, actor, at)
    try:
        pdf = _pdf(ready, at)
    except SettingError as error:
        _take_back(ready, str(error), actor, at)
        raise CannotPrintError(f"{error} The codes of this run are nobody’s. Print them again.") from error
    return Printed(ready.run, pdf)


@transaction.atomic
def _issue(
    incident_id: UUID,
    affected_ids: Sequence[int],
    fresh_ids: Sequence[int],
    language: Language | None,
    actor: Actor,
    at: datetime,
) -> _Ready:
    require(actor, "issue_code", incident_id)
    incident = lock_running(incident_id)
    plans = [
        replace(plan, language=language or plan.language) for plan in _plans(incident, affected_ids, fresh_ids, at)
    ]
    issued = issue_codes(
        incident_id=incident_id,
        orders=[
            Order(plan.affected_id, Code.Channel.LETTER, plan.address, DIRECTORY, language=plan.language)
            for plan in plans
        ],
        actor=actor,
        at=at,
    )
    attempt = Attempt(ContactAttempt.Channel.LETTER, ContactAttempt.Outcome.SENT, at, note="With a code")
    log_contact(
        incident_id=incident_id, account_ids=[plan.affected_id for plan in plans], attempt=attempt, actor=actor, at=at
    )
    # Both moved the head of the incident, which is locked all the while.
    incident.refresh_from_db(fields=["head_sequence", "head_hash"])
    last = LetterRun.objects.filter(incident=incident).aggregate(last=Max("number"))["last"] or 0
    run = LetterRun.objects.create(
        incident=incident, number=last + 1, letters=len(plans), made_by=actor.name, made_at=at
    )
    said = f"Letters printed: run {number(run.number)}, {plural(len(plans), 'letter')}"
    details = {"run": run.number, "letters": len(plans)}
    record(incident, Entry("letters.printed", said, Lane.CONTACT, details), actor=actor, at=at)
    return _Ready(incident, run, plans, {one.affected_id: one for one in issued})


@transaction.atomic
def _take_back(ready: _Ready, reason: str, actor: Actor, at: datetime) -> None:
    """No letter came of the run, so nobody has its codes; the timeline says so after it said that they were printed."""
    incident = lock(ready.incident.pk)
    codes = Code.objects.filter(pk__in=[one.code_id for one in ready.issued.values()], superseded_at__isnull=True)
    codes.update(superseded_at=at)
    said = f"No letters came of run {number(ready.run.number)}: {reason}"
    details = {"run": ready.run.number, "letters": ready.run.letters, "reason": reason}
    record(incident, Entry("letters.failed", said, Lane.CONTACT, details), actor=actor, at=at)


def _plans(incident: Incident, affected_ids: Sequence[int], fresh_ids: Sequence[int], at: datetime) -> list[Plan]:
    if len(affected_ids) > LETTERS_AT_MOST:
        raise CannotPrintError(f"A run holds {LETTERS_AT_MOST} letters at most. Choose fewer accounts.")
    plans = plan_codes(incident_id=incident.pk, affected_ids=affected_ids, at=at, letters_only=True)
    if not plans:
        raise CannotPrintError("No accounts are chosen for letters.")
    for plan in plans:
        if plan.channel != Code.Channel.LETTER:
            raise CannotPrintError(f"No letter can go to the holder of {plan.login}. {plan.why}")
        if plan.is_fresh and plan.affected_id not in fresh_ids:
            raise CannotPrintError(f"{plan.login}: {plan.why} Look at it twice, and say that you did.")
    return plans


def _pdf(ready: _Ready, at: datetime) -> bytes:
    letters = [
        Letter(
            number=position,
            name=plan.name,
            office=plan.office,
            department=plan.department,
            account=plan.login,
            code=shown(ready.issued[plan.affected_id].code),
            expires_at=ready.issued[plan.affected_id].expires_at,
            incident=ready.incident.reference,
            what_happened=texts(plan.language)["what_happened"],
            language=plan.language,
        )
        for position, plan in enumerate(ready.plans, start=1)
    ]
    incident = ready.incident
    return make_letters(
        letters, run=ready.run.number, sender=sender_of(incident), made_at=at, is_exercise=incident.is_exercise
    )


def envelope_list(*, incident_id: UUID, run_number: int, actor: Actor) -> Printed:
    """The list by which a run’s envelopes are counted, without codes; as often as one likes. Raises NotFoundError."""
    require(actor, "issue_code", incident_id)
    run = LetterRun.objects.select_related("incident").filter(incident=incident_id, number=run_number).first()
    if run is None:
        raise NotFoundError("There is no such run of letters.")
    # The codes of a run are those issued at its moment, under the incident's lock.
    codes = Code.objects.filter(incident=incident_id, channel=Code.Channel.LETTER, issued_at=run.made_at)
    places = codes.order_by("affected_account__login", "affected_account").values_list(
        "affected_account__login",
        "affected_account__display_name",
        "affected_account__account__display_name",
        "affected_account__account__office",
        "affected_account__account__department",
        "affected_account__department",
    )
    envelopes = [
        Envelope(number=position, name=name or kept, office=office, department=department or was, account=login)
        for position, (login, kept, name, office, department, was) in enumerate(places, start=1)
    ]
    pdf = make_envelope_list(
        envelopes, run=run.number, incident=run.incident.reference, sender=sender_of(run.incident), made_at=run.made_at
    )
    return Printed(run, pdf)
