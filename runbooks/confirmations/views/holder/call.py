"""Is this call genuine? Whoever is called types the reference they were told, and reads whether we are calling."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from runbooks.confirmations.letters.contents import Language
from runbooks.confirmations.operations import is_call_open
from runbooks.confirmations.views.holder.frame import holder_page, origin_of, show


@require_http_methods(["GET", "HEAD", "POST"])
@holder_page
def call(request: HttpRequest, language: Language) -> HttpResponse:
    if request.method != "POST":
        return show(request, "call", language, {"login": "", "reference": "", "faults": {}})
    login, reference = request.POST.get("account", ""), request.POST.get("reference", "")
    faults = {}
    if not login.strip():
        faults["account"] = _("Enter your account name")
    if not reference.strip():
        faults["reference"] = _("Enter the reference that the caller gave you")
    if faults:
        typed = {"login": login[:320], "reference": reference[:64], "faults": faults}
        return show(request, "call", language, typed, status=400)
    is_open = is_call_open(login=login, reference=reference, origin=origin_of(request, login), at=timezone.now())
    return show(request, "call_answer", language, {"is_open": is_open})
