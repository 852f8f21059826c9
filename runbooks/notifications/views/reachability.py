"""Who cannot be reached: for those who can do something about it before the incident."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.models import Role
from runbooks.access.permissions import require
from runbooks.notifications.reachability import HOPELESS, ROLES, TITLES, Trouble, reach_page


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    require(actor_of(request), "view_reachability")
    asked = request.GET
    trouble = next((one for one in Trouble if one == asked.get("trouble")), "")
    role = next((one for one in Role if one == asked.get("role")), "")
    text = asked.get("q", "").strip()[:120]
    found = reach_page(trouble=trouble, role=role, text=text, after=whole_number(asked.get("after")))
    total = sum(found.counts.values())
    context = {
        "found": found,
        "lines": [
            {"one": one, "title": TITLES[one.trouble], "role": ROLES[one.role], "is_hopeless": one.trouble in HOPELESS}
            for one in found.people
        ],
        "segments": [("", "All", total), *((one, TITLES[one], found.counts[one]) for one in Trouble)],
        "total": total,
        "trouble": trouble,
        "role": role,
        "roles": Role.choices,
        "text": text,
        "is_narrowed": bool(role or text),
        "now": timezone.now(),
    }
    return render(request, "contacts/reachability.html", context)
