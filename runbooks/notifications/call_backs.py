"""The addresses at which providers tell later what became of a message: each names one notice, and is signed."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.urls import reverse

SALT: Final = "notices.call_back"
LASTS: Final = timedelta(days=14)


def address_for(notification_id: UUID) -> str:
    """Empty where the portal has no address that a provider can call."""
    if not settings.PORTAL_URL.startswith("https://"):
        return ""
    return url_of(token_of(notification_id))


def url_of(token: str) -> str:
    """The address as a provider was given it, whatever stands between it and the portal."""
    url: str = settings.PORTAL_URL
    return url.rstrip("/") + reverse("notice_call_back", args=[token])


def token_of(notification_id: UUID) -> str:
    return signing.TimestampSigner(salt=SALT).sign(notification_id.hex)


def notice_of(token: str) -> UUID | None:
    """None where the token was not made here, or is older than two weeks."""
    try:
        return UUID(signing.TimestampSigner(salt=SALT).unsign(token, max_age=LASTS))
    except (signing.BadSignature, ValueError):
        return None
