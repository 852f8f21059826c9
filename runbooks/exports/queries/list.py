"""The exports of an incident, and which of them wait for a worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Count, Q

from runbooks.errors import NotFoundError
from runbooks.exports.models import Export

PAGE: Final = 25
GREATEST: Final = 2**31 - 1
Status = Export.Status
OPEN: Final = (Status.WAITING, Status.RUNNING)
# A wake-up that took longer got lost.
LOST: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Listed:
    """Exports, newest first, and the number to go on before where more follow."""

    exports: Sequence[Export]
    following: int | None
    total: int


def exports_of(incident_id: UUID, *, before: int | None = None, limit: int = PAGE) -> Listed:
    """Each with `times`, how often it was downloaded, and its key. Two queries."""
    rows = Export.objects.filter(incident=incident_id)
    total = rows.count()
    if before is not None:
        rows = rows.filter(number__lt=min(before, GREATEST))
    counted = rows.select_related("key").annotate(times=Count("downloads")).order_by("-number")
    found = list(counted[: limit + 1])
    return Listed(found[:limit], found[limit - 1].number if len(found) > limit else None, total)


def export_for(incident_id: UUID, number: int) -> Export:
    """The export by its number in the incident; NotFoundError where there is none."""
    found = Export.objects.select_related("key").filter(incident=incident_id, number=min(number, GREATEST)).first()
    if found is None:
        raise NotFoundError(f"There is no export {number} in this incident.")
    return found


def left_over(at: datetime) -> list[UUID]:
    """Exports that nobody makes: their wake-up was lost, or their worker died."""
    waiting = Q(status=Status.WAITING, requested_at__lte=at - LOST)
    dead = Q(status=Status.RUNNING, lease_until__lt=at)
    return list(Export.objects.filter(waiting | dead).order_by("requested_at").values_list("pk", flat=True))
