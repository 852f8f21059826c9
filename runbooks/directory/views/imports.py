"""The imports of the directory, newest first."""

from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.directory.queries import import_page


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    found = import_page(actor=actor_of(request), before=whole_number(request.GET.get("before")))
    return render(request, "directory/imports.html", {"page": found, "zone": ZoneInfo(settings.INSTITUTION_TIME_ZONE)})
