"""Who letters and text messages are from, and the address they name."""

from typing import Final

from django.conf import settings

from runbooks.confirmations.letters import Sender
from runbooks.incidents.models import Incident

PAGE: Final = "/confirm/"
WELSH_PAGE: Final = "/cadarnhau/"


def sender_of(incident: Incident) -> Sender:
    host = settings.HOLDER_URL.rstrip("/")
    return Sender(
        institution=settings.INSTITUTION_NAME,
        page_url=host + PAGE,
        zone=incident.zone,
        desk_telephone=settings.DESK_TELEPHONE,
        welsh_page_url=host + WELSH_PAGE,
    )
