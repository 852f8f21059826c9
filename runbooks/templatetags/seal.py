"""The seal on other slices' pages: the badge in the room's head, what waits on the overview, an entry's redaction."""

from typing import Any, NamedTuple

from django import template
from django.urls import reverse
from django.utils import timezone

from runbooks.access.permissions import can
from runbooks.exports.models import Redaction
from runbooks.exports.queries.redactions import newest_request
from runbooks.exports.queries.seal import badge, needs
from runbooks.incidents.models import Incident
from runbooks.presentation import number, plural
from runbooks.room.queries.need import Need
from runbooks.timeline.models import TimelineEvent

register = template.Library()


class SealLines(NamedTuple):
    """`urgent` stands above everything else."""

    urgent: list[Need]
    rest: list[Need]


@register.inclusion_tag("exports/_badge.html")
def chain_badge(incident: Incident) -> dict[str, Any]:
    """No query: what the last verification found stands on the incident."""
    return {"incident": incident, "badge": badge(incident, timezone.now())}


@register.simple_tag(takes_context=True)
def seal_needs(context: template.Context) -> SealLines:
    """What of the seal needs this person now; at most one query."""
    incident: Incident = context["incident"]
    found = needs(incident, context["actor"], context["now"])
    lines = SealLines([], [])
    if found.broken_at is not None:
        title = f"The timeline’s chain is broken at #{number(found.broken_at)}"
        address, meta = reverse("seal", args=[incident.reference]), "Auditors and administrators were told."
        lines.urgent.append(Need("fail", "bad", title, address, meta, "Look"))
    if found.undelivered:
        title = f"{plural(found.undelivered, 'checkpoint')} reached no witness for an hour"
        lines.rest.append(
            Need("warn", "bad", title, reverse("witnesses"), "Nobody outside keeps them meanwhile.", "Mend")
        )
    for sequence in found.redactions:
        address = reverse("redaction", args=[incident.reference, sequence])
        title = f"Take out the content of #{number(sequence)}: decide"
        lines.rest.append(Need("two", "wait", title, address, "Somebody asks for a second person.", "Decide"))
    return lines


@register.inclusion_tag("exports/_of_entry.html", takes_context=True)
def entry_redaction(context: template.Context) -> dict[str, Any]:
    """The way to take the page's `event` out, or how that stands; one query."""
    incident: Incident = context["incident"]
    event: TimelineEvent = context["event"]
    return {
        "incident": incident,
        "event": event,
        "request": newest_request(event),
        "statuses": Redaction.Status,
        "may_ask": can(context["actor"], "ask_redaction") and event.salt is not None,
    }
