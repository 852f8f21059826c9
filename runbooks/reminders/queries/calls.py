"""The chains of an incident: what calls whom now, what nobody answered, and what was."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Case, Exists, OuterRef, Q, Value, When

from runbooks.access.permissions import Actor
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Escalation, Notification

Status = Escalation.Status
OPEN = (Status.RUNNING, Status.EXHAUSTED)
PAGE = 20
Place = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A chain that waits for somebody; `is_mine`: it called the person who asks, and they have not answered."""

    id: UUID
    subject: str
    started_at: datetime
    next_at: datetime | None
    is_mine: bool

    @property
    def is_in_vain(self) -> bool:
        return self.next_at is None


def open_calls(incident: Incident, actor: Actor) -> list[OpenCall]:
    """Those of the incident, what nobody answered first, then the longest running. One query."""
    mine = Notification.objects.filter(
        escalation=OuterRef("pk"), recipient_id=actor.user_id or 0, acknowledged_at__isnull=True
    )
    rows = Escalation.objects.filter(incident=incident, status__in=OPEN).annotate(is_mine=Exists(mine))
    in_vain_first = Case(When(status=Status.EXHAUSTED, then=Value(0)), default=Value(1))
    found = rows.order_by(in_vain_first, "started_at", "pk").values_list(
        "pk", "texts", "started_at", "next_at", "is_mine"
    )
    return [
        OpenCall(pk, bare_subject(texts, incident.reference), started_at, next_at, is_mine)
        for pk, texts, started_at, next_at, is_mine in found
    ]


def bare_subject(texts: Mapping[str, Mapping[str, str]], reference: str) -> str:
    """What a chain is about, without the label and reference that every notice begins with."""
    subject = str(texts["en-gb"]["subject"])
    return subject.partition(f"{reference}: ")[2] or subject


def calls_before(incident: Incident, *, before: Place | None, limit: int = PAGE) -> list[Escalation]:
    """Chains of the incident, the newest first, after a place."""
    rows = Escalation.objects.filter(incident=incident)
    if before is not None:
        moment, chain_id = before
        rows = rows.filter(Q(started_at__lt=moment) | Q(started_at=moment, pk__lt=chain_id))
    return list(rows.order_by("-started_at", "-pk")[:limit])


def notices_of(chains: Iterable[Escalation]) -> dict[UUID, list[Notification]]:
    """Who was told and called by each, in the order in which it was written. One query."""
    ids = [chain.pk for chain in chains]
    found: dict[UUID, list[Notification]] = {chain_id: [] for chain_id in ids}
    rows = Notification.objects.filter(escalation__in=ids).select_related("recipient")
    for notice in rows.defer("body").order_by("created_at", "recipient__name", "pk"):
        if notice.escalation_id is not None:
            found[notice.escalation_id].append(notice)
    return found
