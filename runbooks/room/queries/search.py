"""One search over what somebody may see: incidents, accounts on their lists, entries of their timelines."""

import re
from dataclasses import dataclass
from datetime import datetime

from django.contrib.postgres.search import SearchQuery
from django.db.models import Q
from django.urls import reverse

from runbooks.access.permissions import Actor
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incidents_of
from runbooks.presentation import clock
from runbooks.timeline.models import TimelineEvent

MOST = 20
# Dashes that keep no word out. PostgreSQL nests a NOT for each of them, and has no room for more than some thirty.
IDLE_DASHES = re.compile(r"-+(?![\w\"])")


@dataclass(frozen=True, slots=True)
class Hit:
    address: str
    title: str
    meta: str


@dataclass(frozen=True, slots=True)
class Found:
    """Up to MOST hits a kind; `is_cut` says that a kind had more."""

    incidents: list[Hit]
    accounts: list[Hit]
    entries: list[Hit]
    is_cut: bool

    @property
    def total(self) -> int:
        return len(self.incidents) + len(self.accounts) + len(self.entries)


def search(actor: Actor, text: str, now: datetime) -> Found:
    """Four queries, each bounded."""
    mine = {incident.pk: incident for incident in incidents_of(actor)}
    incidents = [
        Hit(reverse("incident", args=[one.reference]), f"{one.reference} {one.title}", one.get_status_display())
        for one in incidents_of(actor).filter(
            Q(reference__icontains=text) | Q(title__icontains=text) | Q(codename__icontains=text)
        )[: MOST + 1]
    ]
    accounts = AffectedAccount.objects.filter(incident_id__in=mine).filter(
        Q(login__icontains=text) | Q(display_name__icontains=text)
    )
    account_hits = [
        Hit(
            reverse("account_detail", args=[mine[one.incident_id].reference, one.pk]),
            f"{one.login} {one.display_name}",
            f"{mine[one.incident_id].reference}, {one.get_state_display().lower()}",
        )
        for one in accounts.order_by("login", "id")[: MOST + 1]
    ]
    entries = TimelineEvent.objects.filter(
        incident_id__in=mine, search=SearchQuery(IDLE_DASHES.sub(" ", text), config="simple", search_type="websearch")
    ).order_by("-occurred_at", "-sequence")[: MOST + 1]
    entry_hits = [_entry(one, mine[one.incident_id], now) for one in entries]
    return Found(
        incidents[:MOST],
        account_hits[:MOST],
        entry_hits[:MOST],
        is_cut=max(len(incidents), len(account_hits), len(entry_hits)) > MOST,
    )


def _entry(event: TimelineEvent, incident: Incident, now: datetime) -> Hit:
    return Hit(
        reverse("timeline_entry", args=[incident.reference, event.sequence]),
        event.summary,
        f"{incident.reference} #{event.sequence}, {clock(event.occurred_at, incident.zone, now)}, {event.actor}",
    )
