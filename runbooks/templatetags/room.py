"""The frame around every page: top bar, room header, foot, and the bar of accounts by state."""

from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from runbooks.access.models import User
from runbooks.access.permissions import actor_for, can
from runbooks.affected_accounts.queries import GroupCounts
from runbooks.presentation import zone_name
from runbooks.room import charts
from runbooks.room.queries.header import header
from runbooks.room.queries.work import work_count

register = template.Library()


@register.inclusion_tag("room/_top_bar.html", takes_context=True)
def top_bar(context: template.Context) -> dict[str, Any]:
    request = context.get("request")
    user = getattr(request, "user", None)
    now = context.get("now") or timezone.now()
    incident = context.get("incident")
    local = now.astimezone(incident.zone if incident else ZoneInfo(settings.INSTITUTION_TIME_ZONE))
    shown: dict[str, Any] = {
        "request": request,
        "user": user,
        "csrf_token": context.get("csrf_token"),
        "now_iso": local.isoformat(timespec="minutes"),
        "now_day": f"{local:%a} {local.day} {local:%b %Y}",
        "now_time": f"{local:%H:%M}",
        "now_zone": zone_name(local),
        "navigation": [],
    }
    if request is not None and user is not None and user.is_authenticated:
        shown["navigation"] = _navigation(request.path, user, now)
    return shown


def _navigation(path: str, user: User, now: datetime) -> list[dict[str, object]]:
    actor = actor_for(user)
    entries = [
        ("Incidents", "incident_list", 0),
        ("My work", "my_work", work_count(actor, now)),
        ("Runbooks", "runbook_list", 0),
    ]
    if can(actor, "view_directory"):
        entries.append(("Directory", "directory", 0))
    return [
        {"label": label, "address": address, "count": count, "is_current": path.startswith(address)}
        for label, name, count in entries
        for address in [reverse(name)]
    ]


@register.inclusion_tag("room/_header.html", takes_context=True)
def room_header(context: template.Context) -> dict[str, Any]:
    """The room's header; the page's context holds `incident`, `actor`, `now` and `tab`."""
    incident, now = context["incident"], context.get("now") or timezone.now()
    return {
        "incident": incident,
        "header": header(incident, now),
        "tab": context.get("tab", ""),
        "may_edit": can(context["actor"], "edit_incident"),
    }


@register.inclusion_tag("room/_foot.html", takes_context=True)
def room_foot(context: template.Context) -> dict[str, Any]:
    incident = context["incident"]
    local = (context.get("now") or timezone.now()).astimezone(incident.zone)
    offset = local.strftime("%z")
    zone_label = f"{zone_name(local)} (UTC{offset[:3]}:{offset[3:]}), {incident.time_zone}"
    return {"incident": incident, "zone_label": zone_label}


@register.simple_tag
@lru_cache(maxsize=512)
def segments(counts: GroupCounts, *, slim: bool = False) -> SafeString:
    """The accounts of an incident by state as one bar, numbers inside; slim: without numbers and brackets."""
    drawn = charts.segments(counts)
    shown = {"segments": drawn, "brackets": [] if slim else charts.brackets(drawn), "slim": slim}
    return render_to_string("room/_segments.html", shown)
