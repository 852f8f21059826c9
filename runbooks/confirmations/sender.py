"""Who letters and text messages are from, and the address they name."""

from typing import Final

from django.conf import settings

from runbooks.confirmations.letters import Sender
from runbooks.incidents.models import Incident

PAGE: Final = "/confirm/"


def sender_of(incident: Incident) -> Sender:
    return Sender(
        institution=settings.INSTITUTION_NAME,
        page_url=settings.HOLDER_URL.rstrip("/") + PAGE,
        zone=incident.zone,
    )
