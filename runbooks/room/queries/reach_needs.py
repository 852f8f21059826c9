"""Who works in the incident and hears of nothing."""

from django.urls import reverse

from runbooks.access.permissions import Actor, can
from runbooks.incidents.models import Incident
from runbooks.notifications.reachability import HOPELESS, unreachable_members
from runbooks.presentation import plural
from runbooks.room.queries.need import Need

NAMED_MOST = 3


def reach_lines(incident: Incident, actor: Actor) -> list[Need]:
    """One line at most; an address that is only not verified is for quieter times. One query."""
    if incident.is_over or not can(actor, "manage_people"):
        return []
    names = [one.name for one in unreachable_members(incident) if one.trouble in HOPELESS]
    if not names:
        return []
    more = f" and {len(names) - NAMED_MOST} more" if len(names) > NAMED_MOST else ""
    title = f"{plural(len(names), 'person', 'people')} in this incident cannot be reached"
    meta = f"{', '.join(names[:NAMED_MOST])}{more}. No notice reaches them: telephone."
    return [Need("fail", "bad", title, reverse("incident_people", args=[incident.reference]), meta, "Show")]
