"""Where a holder begins: the account name and the code. Only a POST looks at the code, and no look uses it up."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from runbooks.confirmations.codes import ALPHABET, LENGTH, meant
from runbooks.confirmations.letters.contents import Language
from runbooks.confirmations.operations import CodeDidNotWorkError, open_code
from runbooks.confirmations.views.holder.frame import Draft, go, holder_page, keep, origin_of, show


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, at which field."""

    field: str
    text: str


@require_http_methods(["GET", "HEAD", "POST"])
@holder_page
def start(request: HttpRequest, language: Language) -> HttpResponse:
    if request.method != "POST":
        return show(request, "start", language, {"login": "", "code": "", "faults": {}})
    login, code = request.POST.get("account", ""), request.POST.get("code", "")
    faults = _faults(login, code)
    if not faults:
        try:
            found = open_code(login=login, typed=code, origin=origin_of(request, login), at=timezone.now())
        except CodeDidNotWorkError:
            faults = [Fault("code", did_not_work())]
        else:
            return keep(go("changed", language), Draft(found.code_id))
    typed = {"login": login[:320], "code": code[:64], "faults": {fault.field: fault.text for fault in faults}}
    return show(request, "start", language, typed, status=400)


def did_not_work() -> str:
    """The one answer to all that does not open, whatever the reason."""
    return _(
        "That account name and code did not work. Check both. If they are right, wait 15 minutes and try again, "
        "or call the service desk"
    )


def _faults(login: str, code: str) -> list[Fault]:
    """What can be said of the form alone, of whoever's account it is."""
    faults = []
    if not login.strip():
        faults.append(Fault("account", _("Enter your account name")))
    signs = len(meant(code))
    if not signs:
        faults.append(Fault("code", _("Enter the code")))
    elif signs != LENGTH:
        entered = _("The code has 8 numbers and letters. You entered %(count)s") % {"count": signs}
        faults.append(Fault("code", entered))
    elif not set(meant(code)) <= set(ALPHABET):
        faults.append(Fault("code", _("The code has only numbers and letters, and never the letter U")))
    return faults
