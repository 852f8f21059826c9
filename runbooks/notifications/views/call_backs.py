"""Where providers say later what became of a message. No person comes here; each call proves who sent it.

Whoever cannot prove it learns nothing, and whoever can is told the same of notices that are and that never were.
"""

import base64
import hmac
from functools import cache
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from runbooks.access.permissions import actor_for
from runbooks.background import wake
from runbooks.errors import DomainError
from runbooks.notifications import call_backs
from runbooks.notifications.channels import voice
from runbooks.notifications.models import Notification
from runbooks.notifications.operations import acknowledge
from runbooks.notifications.operations.outcomes import note_outcome
from runbooks.notifications.provider_words import Told, of_mail, of_twilio

OF_TEXT: Final = ("MessageSid", "MessageStatus")
OF_CALL: Final = ("CallSid", "CallStatus")
PRESSED: Final = "1"
NOTHING: Final = "<Response/>"


@csrf_exempt
@login_not_required
@require_POST
def twilio(request: HttpRequest, token: str) -> HttpResponse:
    """A text message's or a call's new state, or the key that was pressed in a call."""
    if not _is_twilios(request, token):
        return HttpResponse(status=403)
    notification_id = call_backs.notice_of(token)
    if "Digits" in request.POST:
        return HttpResponse(_pressed(notification_id, request.POST["Digits"]), content_type="text/xml")
    channel, names = ("voice", OF_CALL) if "CallSid" in request.POST else ("text", OF_TEXT)
    provider_id, status = (request.POST.get(name, "") for name in names)
    told = of_twilio(channel, status, request.POST.get("ErrorCode", ""))
    if notification_id is not None and told is not None:
        _note(channel, provider_id, told, notification_id)
    return HttpResponse(status=204)


def _is_twilios(request: HttpRequest, token: str) -> bool:
    """Signed with the account's token, over the very address that Twilio was given and all that it says.

    https://www.twilio.com/docs/usage/webhooks/webhooks-security
    """
    account = settings.TWILIO
    if not account:
        return False
    said = "".join(name + value for name, values in sorted(request.POST.lists()) for value in sorted(set(values)))
    digest = hmac.digest(account["token"].encode(), (call_backs.url_of(token) + said).encode(), "sha1")
    given = request.headers.get("X-Twilio-Signature", "")
    return hmac.compare_digest(base64.b64encode(digest), given.encode("utf-8", "replace"))


def _pressed(notification_id: UUID | None, digits: str) -> str:
    """What is said then. Of any key but the one that was asked for, and of any other notice, nothing."""
    notices = Notification.objects.select_related("recipient")
    notice = notices.filter(pk=notification_id).first() if notification_id and digits == PRESSED else None
    if notice is None:
        return NOTHING
    try:
        acknowledge(notification_id=notice.pk, actor=actor_for(notice.recipient), at=timezone.now())
    except DomainError:
        return NOTHING
    return voice.thanks(notice.language)


@csrf_exempt
@login_not_required
@require_http_methods(["HEAD", "POST"])
def mail(request: HttpRequest) -> HttpResponse:
    """What the provider of EMAIL_BACKEND tells, read and its sender checked by Anymail; `heard` gets each event."""
    view = tracking_view(settings.EMAIL_BACKEND)
    if view is None or not settings.ANYMAIL.get("WEBHOOK_SECRET"):
        return HttpResponse(status=404)
    try:
        answer: HttpResponse = view(request)
    except SuspiciousOperation:
        return HttpResponse(status=403)
    except (ValueError, LookupError, TypeError, AttributeError):  # not what the provider sends
        return HttpResponse(status=400)
    return answer


@cache
def tracking_view(backend: str) -> Any:
    """Anymail's own view for a provider; None where there is none."""
    if not backend.startswith("anymail.backends."):
        return None
    name = backend.split(".")[2]
    patterns = {pattern.name: pattern for pattern in import_string("anymail.urls.urlpatterns")}
    found = patterns.get(f"{name}_tracking_webhook") or patterns.get(f"{name}_webhook")
    return found.callback if found else None


def heard(event: Any, **_: object) -> None:
    """One event of Anymail's signal `tracking`."""
    told = of_mail(str(event.event_type), str(event.reject_reason or ""))
    if told is not None and event.message_id:
        _note("email", str(event.message_id), told)


def _note(channel: str, provider_id: str, told: Told, notification_id: UUID | None = None) -> None:
    """Where the call was faster than the note of what was sent, a worker comes back to it."""
    outcome, sentence = told
    what = {"channel": channel, "provider_id": provider_id[:200], "sentence": sentence}
    at = timezone.now()
    if not note_outcome(**what, outcome=outcome, at=at, notification_id=notification_id):
        named = notification_id.hex if notification_id else ""
        wake("notifications.note_outcome", **what, outcome=str(outcome), notification_id=named)
