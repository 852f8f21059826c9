"""What the demonstration's sink kept, mail and text messages: a file each in RUN_DIR/mail, named by when it came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest
from runbooks.presentation import clock, full_clock

PAGE = 30
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class KeptMail:
    """One message, as text; nothing in it is markup. `is_text`: it went to a telephone, and is no mail."""

    name: str
    came_at: datetime
    to: str
    subject: str
    body: str
    headers: Sequence[tuple[str, str]]
    is_text: bool = False


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    """The messages, newest first, to everybody who signed in; nowhere but in a demonstration."""
    if not settings.MAIL_SINK:
        raise Http404
    now, zone = timezone.now(), ZoneInfo(settings.INSTITUTION_TIME_ZONE)
    mails = kept_mails(settings.RUN_DIR / "mail", before=request.GET.get("before", ""), limit=PAGE + 1)
    shown = [
        (mail, clock(mail.came_at, zone, now), full_clock(mail.came_at, zone), mail.came_at.isoformat())
        for mail in mails[:PAGE]
    ]
    context = {"mails": shown, "next": mails[PAGE - 1].name if len(mails) > PAGE else "", "now": now}
    return render(request, "notifications/mail_sink.html", context)


def kept_mails(folder: Path, *, before: str, limit: int) -> list[KeptMail]:
    """The newest messages, or those older than the one named `before`. Only what is shown is opened."""
    names = sorted((path.stem for path in folder.glob("*.eml") if path.stem.isdecimal()), reverse=True)
    older = [name for name in names if not before or name < before]
    return [_read(folder / f"{name}.eml") for name in older[:limit]]


def _read(path: Path) -> KeptMail:
    content = path.read_bytes()
    came_at = datetime.fromtimestamp(int(path.stem) / NANOSECONDS, UTC)
    try:
        message = message_from_bytes(content, policy=policy.default)
        text = message.get_body(("plain",))
        return KeptMail(
            name=path.stem,
            came_at=came_at,
            to=str(message.get("X-Envelope-To") or message.get("To") or ""),
            subject=str(message.get("Subject") or "No subject"),
            body=str(text.get_content()) if text is not None else "This message has no plain text.",
            headers=[(name, str(value)) for name, value in message.items()],
            is_text="X-Text-To" in message,
        )
    except (LookupError, ValueError):
        # Anybody on this machine can send to the sink, in any shape.
        raw = content.decode("utf-8", errors="replace")
        return KeptMail(path.stem, came_at, "", "A message that cannot be read", raw, [])
