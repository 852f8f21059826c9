"""Who outside is told of entries: of one incident or of all, and how each stands."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import require
from runbooks.incidents.queries import incident_for
from runbooks.subscriptions import queries
from runbooks.subscriptions.addresses import host_of
from runbooks.subscriptions.kinds import in_words
from runbooks.subscriptions.models import Subscription
from runbooks.subscriptions.queries import Counts
from runbooks.subscriptions.views.states import State, cursor_of, place_of, state_of
from runbooks.timeline.operations import now


@dataclass(frozen=True, slots=True)
class Line:
    id: UUID
    name: str
    host: str
    of: str
    kinds: str
    state: State
    last_answer: str
    called_at: datetime | None
    failing_since: datetime | None
    counts: Counts


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    actor = actor_of(request)
    require(actor, "manage_subscriptions")
    reference = request.GET.get("incident", "")
    incident = incident_for(actor, reference) if reference else None
    rows = queries.subscriptions_of(actor)
    if incident is not None:
        rows = rows.filter(Q(incident=incident) | Q(incident__isnull=True))
    ended, before = request.GET.get("show") == "ended", place_of(request.GET.get("before", ""))
    found, more = queries.page_of(rows, ended=ended, before=before)
    context = {
        "only": incident,
        "lines": _lines(found),
        "ended": ended,
        "is_paged": before is not None,
        "next": cursor_of(found[-1].made_at, found[-1].pk) if more else "",
        "now": now(),
    }
    return render(request, "subscriptions/list.html", context)


def _lines(found: list[Subscription]) -> list[Line]:
    counts = queries.counts_of(one.pk for one in found)
    return [
        Line(
            id=one.pk,
            name=one.name,
            host=host_of(one.url),
            of=one.incident.reference if one.incident else "All incidents",
            kinds=in_words(one.kinds),
            state=state_of(one),
            last_answer=one.last_answer,
            called_at=one.called_at,
            failing_since=one.failing_since,
            counts=counts.get(one.pk, Counts()),
        )
        for one in found
    ]
