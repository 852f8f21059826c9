"""What an incident lacks that somebody can give it in a minute: a lead, a deputy, a time for the next report."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.db.models import Case, Exists, F, Max, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce

from runbooks.access.models import Membership
from runbooks.containment.models import Step
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.reminders.models import Reminder
from runbooks.reminders.stages import SOON
from runbooks.timeline.models import TimelineEvent

EVENT: Final = "incident.nudged"
ABOUT: Final = "nudge:"
DEPUTY_AFTER: Final = timedelta(hours=4)
REPORT_AFTER: Final = timedelta(hours=1)
TRIAGE_AFTER: Final = timedelta(hours=2)
AGAIN: Final = timedelta(hours=4)
AGAIN_IF_MILD: Final = timedelta(days=1)
SEVERE: Final = 2
NAMED_MOST: Final = 5


class Lack(StrEnum):
    LEAD = "lead"
    DEPUTY = "deputy"
    REPORT = "report"
    TRIAGE = "triage"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing an incident lacks, in words, and the mend."""

    incident_id: UUID
    severity: int
    lack: Lack
    what: str
    mend: str

    @property
    def about(self) -> str:
        return f"{ABOUT}{self.lack}"


def missing(now: datetime, incident_ids: Collection[UUID] | None = None) -> list[Missing]:
    """What running incidents lack. Two queries, however many there are."""
    incidents = Incident.objects.exclude(status__in=Incident.OVER)
    if incident_ids is not None:
        incidents = incidents.filter(pk__in=incident_ids)
    rows = list(_judged(incidents).order_by("pk"))
    unowned = _unowned(now, [row.pk for row in rows])
    return [one for row in rows for one in _of(row, unowned.get(row.pk, []), now)]


def _judged(incidents: QuerySet[Incident]) -> QuerySet[Incident]:
    """Each with whether its lead, its deputy and its next report are there, and since when it is in triage."""
    here = Membership.objects.filter(incident=OuterRef("pk"), ended_at__isnull=True, user__is_active=True)
    deputies = IncidentRole.objects.filter(
        incident=OuterRef("pk"), kind=IncidentRole.Kind.DEPUTY, until__isnull=True, user__is_active=True
    )
    moved = TimelineEvent.objects.filter(incident=OuterRef("pk"), kind="incident.status_changed")
    newest = moved.order_by("-sequence").values("recorded_at")[:1]
    return incidents.annotate(
        has_lead=Exists(here.filter(user=OuterRef("lead"))),
        has_deputy=Exists(deputies),
        has_report=Q(report_clock__isnull=False),
        # Asked of the few that are in triage: a timeline is long.
        triaged_at=Case(When(status=Incident.Status.TRIAGE, then=Coalesce(Subquery(newest), F("declared_at")))),
    )


def _of(incident: Incident, unowned: list[str], now: datetime) -> Iterable[Missing]:
    judged, age = vars(incident), now - incident.declared_at

    def lacks(lack: Lack, what: str, mend: str) -> Missing:
        return Missing(incident.pk, incident.severity, lack, what, mend)

    if not judged["has_lead"]:
        yield lacks(Lack.LEAD, "nobody leads this incident", "Name a lead under People.")
    if not judged["has_deputy"] and incident.severity <= SEVERE and age >= DEPUTY_AFTER:
        yield lacks(Lack.DEPUTY, "nobody is deputy lead", "Name one under People: nobody leads for a day on end.")
    if not judged["has_report"] and age >= REPORT_AFTER:
        yield lacks(Lack.REPORT, "no time is set for the next situation report", "Give one, or set its time.")
    if judged["triaged_at"] is not None and now - judged["triaged_at"] >= TRIAGE_AFTER:
        yield lacks(Lack.TRIAGE, "it has been in triage for more than 2 hours", "Open it, or dismiss it.")
    if unowned:
        also = f" and {len(unowned) - NAMED_MOST} more" if len(unowned) > NAMED_MOST else ""
        named = ", ".join(unowned[:NAMED_MOST])
        what = f"nobody has step{'' if len(unowned) == 1 else 's'} {named}{also}, due within the hour"
        yield lacks(Lack.OWNER, what, "Claim it, or give it to somebody.")


def _unowned(now: datetime, incident_ids: Collection[UUID]) -> dict[UUID, list[str]]:
    """{incident: numbers of the open steps nobody has that are due within the hour}"""
    due = Step.objects.filter(
        incident__in=incident_ids, owner__isnull=True, status=Step.Status.PENDING, due_at__range=(now, now + SOON)
    )
    found: dict[UUID, list[str]] = {}
    for incident_id, number in due.order_by("due_at", "position").values_list("incident_id", "number"):
        found.setdefault(incident_id, []).append(number)
    return found


def to_nudge(now: datetime, incident_ids: Collection[UUID] | None = None) -> list[Missing]:
    """What is missing and was not said for 4 hours, in mild incidents for a day."""
    found = missing(now, incident_ids)
    if not found:
        return []
    rows = Reminder.objects.filter(event=EVENT, incident__in={one.incident_id for one in found})
    said = {
        (incident_id, about): latest
        for incident_id, about, latest in rows.values_list("incident_id", "about")
        .annotate(latest=Max("sent_at"))
        .order_by()
    }
    return [one for one in found if _is_again(one, said.get((one.incident_id, one.about)), now)]


def _is_again(one: Missing, last: datetime | None, now: datetime) -> bool:
    return last is None or now - last >= (AGAIN if one.severity <= SEVERE else AGAIN_IF_MILD)
