"""Whether the holder has changed the password, and what to do when they have not."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from runbooks.confirmations.letters.contents import Language
from runbooks.confirmations.letters.wording import moment, soon
from runbooks.confirmations.masking import DOTS, masked
from runbooks.confirmations.models import Confirmation
from runbooks.confirmations.operations import Opened
from runbooks.confirmations.views.holder.ending import confirm, stopped
from runbooks.confirmations.views.holder.frame import go, holder_page, keep, opened, read_draft, show

NOT_YET: Final = "not_yet"
NOT_ME: Final = Confirmation.Answer.NOT_ME.value
CLAIMS: Final = tuple(answer.value for answer in Confirmation.CLAIMS)
LONG_AGO: Final = timedelta(days=300)


@require_http_methods(["GET", "HEAD", "POST"])
@holder_page
def changed(request: HttpRequest, language: Language) -> HttpResponse:
    draft = read_draft(request, language)
    found = opened(draft)
    if draft is None or found is None:
        return stopped(request, language, draft)
    if request.method != "POST":
        return show(request, "changed", language, {**_asked(found, language), "said": draft.said})
    said = request.POST.get("changed", "")
    if said == NOT_YET:
        return go("how", language)
    if said == NOT_ME:
        return confirm(request, language, replace(draft, said=said))
    if said in CLAIMS:
        return keep(go("about", language), replace(draft, said=said))
    fault = _("Choose whether you have changed your password")
    return show(request, "changed", language, {**_asked(found, language), "said": "", "fault": fault}, status=400)


@require_safe
@holder_page
def how(request: HttpRequest, language: Language) -> HttpResponse:
    draft = read_draft(request, language)
    if opened(draft) is None:
        return stopped(request, language, draft)
    return show(request, "how", language, {})


def _asked(found: Opened, language: Language) -> dict[str, str]:
    begins, ends = masked(found.login)
    return {"since": since(found, language), "begins": begins, "dots": DOTS, "ends": ends}


def since(found: Opened, language: Language, now: datetime | None = None) -> str:
    """10:47am on Friday 23 June, in the institution's zone; with the year when it is long ago."""
    said = moment if (now or timezone.now()) - found.since > LONG_AGO else soon
    return said(found.since, ZoneInfo(settings.INSTITUTION_TIME_ZONE), language)
