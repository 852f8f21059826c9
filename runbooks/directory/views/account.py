"""One account, as the institution's directory last said."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.directory.queries import account_for

# An attacker who holds an account changes its number first. Younger than this, a number is not rung without a look.
FRESH = timedelta(days=30)


@require_safe
def page(request: PortalRequest, account_id: int) -> HttpResponse:
    account = account_for(actor=actor_of(request), account_id=account_id)
    changed = account.contact_changed_at
    context = {
        "account": account,
        "zone": ZoneInfo(settings.INSTITUTION_TIME_ZONE),
        "contact_is_fresh": changed is not None and timezone.now() - changed < FRESH,
    }
    return render(request, "directory/account.html", context)
