"""The accounts that actions on many leave alone, and the forms on an account's page that make them so."""

from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import can, require
from runbooks.directory.operations import protect_account, release_account
from runbooks.directory.queries import account_for, protection_page
from runbooks.directory.views import account as account_page
from runbooks.directory.views.protection_form import ProtectionForm


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    actor = actor_of(request)
    context = {
        "page": protection_page(actor=actor, after=whole_number(request.GET.get("after"))),
        "zone": ZoneInfo(settings.INSTITUTION_TIME_ZONE),
        "may_protect": can(actor, "protect_account"),
    }
    return render(request, "directory/protections.html", context)


@require_POST
def protect(request: PortalRequest, account_id: int) -> HttpResponse:
    actor = actor_of(request)
    require(actor, "protect_account")
    account = account_for(actor=actor, account_id=account_id)
    form = ProtectionForm(request.POST)
    if not form.is_valid():
        return account_page.show(request, account, form=form, status=400)
    protect_account(actor=actor, account_id=account.pk, **form.cleaned_data, at=timezone.now())
    messages.success(request, f"{account.login} is protected: actions on many accounts leave it alone.")
    return redirect("directory_account", account.pk)


@require_POST
def release(request: PortalRequest, account_id: int) -> HttpResponse:
    account = release_account(actor=actor_of(request), account_id=account_id)
    messages.success(request, f"{account.login} is no longer protected.")
    return redirect("directory_account", account.pk)
