"""What somebody asked for and what came of it, above the list of exports, until the list says it itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from runbooks.access.permissions import Actor
from runbooks.exports.formats import FORMATS
from runbooks.exports.models import Export
from runbooks.exports.wishes import Stand, Wishes
from runbooks.incidents.models import Incident
from runbooks.presentation import clock

# A worker that has not begun by now is either not there or has much to do.
SLOW: Final = timedelta(seconds=20)
# So long a page says what has just become ready.
NEWS: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Notice:
    """`is_open`: no worker took it yet, so the page asks again. `number` is that of an export that can be fetched."""

    tone: str
    icon: str
    words: str
    is_open: bool = False
    number: int | None = None


def notices(incident: Incident, actor: Actor, at: datetime) -> list[Notice]:
    """One query where this person asked for something lately, none else."""
    stands = Wishes(incident.pk, actor.user_id).stands() if actor.user_id is not None else ()
    if not stands:
        return []
    ids = [stand.export_id for stand in stands]
    there = {export.pk: export for export in Export.objects.filter(incident=incident, pk__in=ids)}
    said = [_said(stand, there.get(stand.export_id), incident, at) for stand in stands]
    ready = [notice for notice in said if notice is not None and notice.number is not None]
    # Of several that are ready the newest is news; the list has them all.
    return [notice for notice in said if notice is not None and notice not in ready[:-1]]


def _said(stand: Stand, export: Export | None, incident: Incident, at: datetime) -> Notice | None:
    if export is not None:
        is_news = export.status == Export.Status.READY and export.ended_at and at - export.ended_at < NEWS
        return (
            Notice("good", "check", f"{export} is ready: {export.file_name}.", number=export.number)
            if is_news
            else None
        )
    what = FORMATS[stand.format].label if stand.format in FORMATS else stand.format
    if stand.refused:
        return Notice("bad", "fail", f"{what}: nothing was exported. {stand.refused}")
    if at - stand.asked_at < SLOW:
        return Notice("none", "clock", f"{what}: asked for, and will appear here.", is_open=True)
    asked = clock(stand.asked_at, incident.zone, at)
    words = f"{what}: asked for {asked}, and no worker has taken it yet. It is not lost, and will appear here."
    return Notice("wait", "clock", f"{words} If this stays, tell an administrator.", is_open=True)
