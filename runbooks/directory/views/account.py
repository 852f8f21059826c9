"""One account, as the institution's directory last said."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import can
from runbooks.directory.models import Account
from runbooks.directory.queries import account_for, protection_of
from runbooks.directory.views.protection_form import ProtectionForm

# An attacker who holds an account changes its number first. Younger than this, a number is not rung without a look.
FRESH = timedelta(days=30)


@require_safe
def page(request: PortalRequest, account_id: int) -> HttpResponse:
    return show(request, account_for(actor=actor_of(request), account_id=account_id))


def show(
    request: PortalRequest, account: Account, *, form: ProtectionForm | None = None, status: int = 200
) -> HttpResponse:
    """Also with a form that was refused."""
    changed = account.contact_changed_at
    protection = protection_of(account)
    known = {"kind": protection.kind, "reason": protection.reason} if protection else None
    context = {
        "account": account,
        "zone": ZoneInfo(settings.INSTITUTION_TIME_ZONE),
        "contact_is_fresh": changed is not None and timezone.now() - changed < FRESH,
        "protection": protection,
        "form": form or ProtectionForm(initial=known),
        "may_protect": can(actor_of(request), "protect_account"),
    }
    return render(request, "directory/account.html", context, status=status)
