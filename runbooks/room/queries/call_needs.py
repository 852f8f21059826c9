"""What calls somebody now: chains that wait for this person, and what everybody was called about in vain."""

from datetime import datetime

from django.urls import reverse

from runbooks.access.permissions import Actor, can
from runbooks.incidents.models import Incident
from runbooks.presentation import clock
from runbooks.reminders.queries.calls import open_calls
from runbooks.room.queries.need import Need


def call_lines(incident: Incident, actor: Actor, now: datetime) -> list[Need]:
    """What nobody answered first. One query, for those who may answer."""
    if incident.is_over or not can(actor, "answer_call"):
        return []
    page, found = reverse("calls", args=[incident.reference]), []
    for call in open_calls(incident, actor):
        since = clock(call.started_at, incident.zone, now)
        if call.next_at is None:
            meta = f"Everybody was called since {since}. See to it, and say so."
            found.append(Need("warn", "bad", f"Nobody answered: {call.subject}", page, meta, "Answer"))
        elif call.is_mine:
            upcoming = clock(call.next_at, incident.zone, now)
            meta = f"Since {since}. If nobody answers, the next are called {upcoming}."
            found.append(Need("phone", "wait", f"You are called: {call.subject}", page, meta, "Answer"))
    return found
