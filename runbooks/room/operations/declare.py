"""Declaring an incident: the row, its frozen runbook, its people and entry #1, in one transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from runbooks.access.models import Membership, Role, User
from runbooks.access.permissions import Actor, require
from runbooks.catalog.definition import Runbook
from runbooks.catalog.loader import load
from runbooks.containment.models import Evidence
from runbooks.containment.operations import NewEvidence, add_evidence, complete, copy_runbook
from runbooks.errors import DomainError
from runbooks.incidents.models import DECLARATION, Incident, IncidentRole
from runbooks.incidents.operations import next_reference
from runbooks.notifications.operations import announce
from runbooks.presentation import full_clock
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record

CLOCK_SKEW = timedelta(minutes=5)
# By convention of the definitions: this step is the declaration, and this rule asks for nothing but it.
DECLARING_STEP, DECLARING_RULE = "declare-incident", "declaration"


class CannotDeclareError(DomainError):
    """The declaration does not hold together."""

    status = 400


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a coordinator knows at the start. `lead_id` is empty only from the command line."""

    runbook_slug: str
    title: str
    severity: int
    detected_at: datetime
    detected_by: str = ""
    lead_id: int | None = None
    codename: str = ""
    tlp: str = Incident.Tlp.AMBER
    time_zone: str = settings.INSTITUTION_TIME_ZONE
    is_exercise: bool = False


@transaction.atomic
def declare(*, declaration: Declaration, actor: Actor, at: datetime) -> Incident:
    """Declare an incident and open its room."""
    require(actor, "declare_incident")
    _check(declaration, at)
    runbook = load(declaration.runbook_slug)
    lead = _lead(declaration.lead_id)
    incident = _create(declaration, runbook, lead, at)
    _add_people(incident, actor, at)
    steps = copy_runbook(incident, runbook, at)
    label = "Exercise" if incident.is_exercise else "Incident"
    summary = (
        f"{label} declared, severity {incident.severity}: {incident.title}. "
        f"Runbook “{runbook.title}” {runbook.version} started, {len(steps)} steps."
    )
    details = {
        "reference": incident.reference,
        "title": incident.title,
        "severity": incident.severity,
        "tlp": incident.tlp,
        "detected_at": incident.detected_at.isoformat(),
        "detected_by": incident.detected_by,
        "lead": lead.username if lead else None,
        "exercise": incident.is_exercise,
        "runbook": {"slug": runbook.slug, "version": runbook.version, "digest": runbook.digest},
    }
    record(incident, Entry("incident.declared", summary, Lane.DECISION, details), actor=actor, at=at)
    context = {
        "severity": f"{incident.severity}, {incident.get_severity_display().lower()}",
        "declared": full_clock(at, incident.zone),
        "lead": str(lead or "nobody yet"),
    }
    announce(incident, "incident.declared", context, at=at, about=DECLARATION)
    if any(step.key == DECLARING_STEP for step in steps):
        _close_declaring_step(incident, actor, at)
        incident.refresh_from_db(fields=["head_sequence", "head_hash"])
    return incident


def _close_declaring_step(incident: Incident, actor: Actor, at: datetime) -> None:
    """Declaring is the runbook's own first step: it is done, and entry #1 is its evidence."""
    noticed = full_clock(incident.detected_at, incident.zone)
    note = f"Entry #1: declared by {actor}, noticed {noticed} by {incident.detected_by or 'somebody not named'}."
    evidence = NewEvidence(kind=Evidence.Kind.NOTE, requirement=DECLARING_RULE, note=note)
    add_evidence(incident_id=incident.pk, key=DECLARING_STEP, evidence=evidence, actor=actor, at=at)
    complete(incident_id=incident.pk, key=DECLARING_STEP, actor=actor, at=at)


def _check(declaration: Declaration, at: datetime) -> None:
    if not declaration.title.strip():
        raise CannotDeclareError("Give the incident a title that people will recognise.")
    if declaration.severity not in Incident.Severity.values:
        raise CannotDeclareError("Severity is 1 (critical), 2 (high), 3 (moderate) or 4 (low).")
    if declaration.detected_at > at + CLOCK_SKEW:
        raise CannotDeclareError("It was noticed in the future? Check the date and the time zone.")


def _lead(user_id: int | None) -> User | None:
    if user_id is None:
        return None
    lead = User.objects.filter(pk=user_id, is_active=True, role__in=[Role.COORDINATOR, Role.RESPONDER]).first()
    if lead is None:
        raise CannotDeclareError("The lead must be a coordinator or responder who can sign in.")
    return lead


def _create(declaration: Declaration, runbook: Runbook, lead: User | None, at: datetime) -> Incident:
    year = at.year
    number, reference = next_reference(year)
    return Incident.objects.create(
        reference=reference,
        year=year,
        number=number,
        title=declaration.title.strip(),
        codename=declaration.codename.strip(),
        severity=declaration.severity,
        tlp=declaration.tlp,
        is_exercise=declaration.is_exercise,
        detected_at=declaration.detected_at,
        detected_by=declaration.detected_by.strip(),
        declared_at=at,
        time_zone=declaration.time_zone,
        lead=lead,
        runbook_slug=runbook.slug,
        runbook_title=runbook.title,
        runbook_version=runbook.version,
        runbook_digest=runbook.digest,
    )


def _add_people(incident: Incident, actor: Actor, at: datetime) -> None:
    """The declarer, the lead and every coordinator are in from the start: at 3 a.m. nobody adds them."""
    named = Q(pk__in=[actor.user_id, incident.lead_id]) | Q(role=Role.COORDINATOR)
    Membership.objects.bulk_create(
        Membership(incident=incident, user=user, added_by=actor.name, added_at=at)
        for user in User.objects.filter(named, is_active=True)
    )
    if incident.lead_id:
        IncidentRole.objects.create(incident=incident, kind=IncidentRole.Kind.LEAD, user_id=incident.lead_id, since=at)
