"""The frame around every page: top bar, room header, foot, and the bar of accounts by state."""

from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django import template
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from runbooks.access.models import User
from runbooks.access.permissions import actor_for, can
from runbooks.actions.models import Action
from runbooks.actions.queries.listing import actions_of_step, title_of
from runbooks.actions.views.wording import STATUS_MARKS, bar_of, counts_in_words
from runbooks.affected_accounts.queries import GroupCounts
from runbooks.affected_accounts.queries.page import COMPROMISED
from runbooks.containment.models import Step
from runbooks.incidents.models import Incident
from runbooks.presentation import plural, zone_name
from runbooks.room import charts
from runbooks.room.queries.account_story import Place
from runbooks.room.queries.account_story import account_story as story_of
from runbooks.room.queries.header import header
from runbooks.room.queries.work import top_counts
from runbooks.room.telling import told

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
        shown["may_see_reach"] = can(actor_for(user), "view_reachability")
        shown["may_see_texts"] = can(actor_for(user), "view_notice_texts")
    return shown


def _navigation(path: str, user: User, now: datetime) -> list[dict[str, object]]:
    actor = actor_for(user)
    counts = top_counts(actor, now)
    entries = [
        ("Incidents", "incident_list", 0),
        ("My work", "my_work", counts.work),
        ("Notices", "my_notices", counts.notices),
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


@register.inclusion_tag("room/_account_story.html", takes_context=True)
def account_story(context: template.Context) -> dict[str, Any]:
    """Everything that happened to the page's `account`; ?before= goes on where the page before ended."""
    incident, account = context["incident"], context["account"]
    before = Place.read(context["request"].GET.get("before", ""))
    story = story_of(account, before=before)
    now = context.get("now") or timezone.now()
    return {
        "incident": incident,
        "account": account,
        "things": told(story, incident.zone, now),
        "older": story.older,
        "is_paged": before is not None,
    }


@register.simple_tag
@lru_cache(maxsize=512)
def segments(counts: GroupCounts, *, slim: bool = False) -> SafeString:
    """The accounts of an incident by state as one bar, numbers inside; slim: without numbers and brackets."""
    drawn = charts.segments(counts)
    shown = {"segments": drawn, "brackets": [] if slim else charts.brackets(drawn), "slim": slim}
    return render_to_string("room/_segments.html", shown)


# Done to everybody at once, not to accounts one by one.
FOR_EVERYONE = (Action.Kind.RESTRICT_REMOTE_ACCESS, Action.Kind.RESTORE_REMOTE_ACCESS)


@register.inclusion_tag("actions/_of_step.html", takes_context=True)
def step_actions(context: template.Context, incident: Incident, step: Step, left: int) -> dict[str, Any]:
    """The actions that carried out a step, and the way to the next; `left` are accounts that still need it.

    Two queries, one where there is none.
    """
    now = context.get("now") or timezone.now()
    found = actions_of_step(step.pk, now)
    lines = [
        {
            "number": one.action.number,
            "title": title_of(one.action),
            "mark": STATUS_MARKS[one.action.status],
            "status": one.action.get_status_display(),
            "counts": counts_in_words(one.progress) if one.action.started_at else "",
            "bar": bar_of(one.action, one.progress, title_of(one.action), slim=True) if one.action.started_at else "",
        }
        for one in found
    ]
    may = can(context["actor"], "request_action") and not incident.is_over and not step.is_closed
    offered = _offer(incident, step, left) if may and step.automation in Action.Kind.values else ("", "")
    return {"incident": incident, "lines": lines, "label": offered[0], "address": offered[1]}


def _offer(incident: Incident, step: Step, left: int) -> tuple[str, str]:
    """“Disable sign-in for the 57 accounts left”, and where that begins; accounts are chosen where a filter can."""
    label = Action.Kind(step.automation).label
    asked = {"step": step.key, "kind": step.automation}
    if step.automation in FOR_EVERYONE:
        label, asked = f"{label} for everyone", {**asked, "everyone": "1"}
    elif left and step.fact and len(step.tiers) < 2:
        label = f"{label} for the {plural(left, 'account')} left"
        asked |= {"whole": "1", "group": COMPROMISED, "missing": step.fact}
        asked |= {"tier": step.tiers[0]} if step.tiers else {}
    else:
        return f"Choose accounts to {label[0].lower()}{label[1:]}", reverse("accounts", args=[incident.reference])
    return label, f"{reverse('action_new', args=[incident.reference])}?{urlencode(asked)}"
