"""A telephone call by Twilio, in which the text is read out twice and pressing 1 says that it was heard."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from xml.sax.saxutils import escape, quoteattr

from django.conf import settings

from runbooks.notifications.channels import twilio
from runbooks.notifications.channels.base import BadAddressError, Line, Message
from runbooks.notifications.channels.plain import brief
from runbooks.notifications.channels.telephones import NumberError, e164, masked

LABEL, ADDRESS, EXAMPLE = "Telephone call", "Telephone number", "+44 20 7946 0100"
IS_SHORT, SIGNS = True, False
RINGS_SECONDS, MOST_CHARACTERS = 30, 600
VOICES = {"en-gb": ("en-GB", "Polly.Amy"), "cy": ("cy-GB", "Polly.Gwyneth")}
PRESS = {"en-gb": "Press 1 to say that you have heard it.", "cy": "Pwyswch 1 i ddweud eich bod wedi ei glywed."}
THANKS = {"en-gb": "Thank you. You will not be called about this again.", "cy": "Diolch. Ni chewch alwad arall am hyn."}


def is_configured() -> bool:
    return "voice" in settings.NOTICE_CHANNELS and bool(settings.TWILIO.get("voice_from"))


def clean(written: str) -> str:
    try:
        return e164(written.strip(), settings.TEXT_GATEWAY.get("country", "44"))
    except NumberError as error:
        raise BadAddressError(str(error)) from None


def domain_of(address: str) -> str:
    return ""


def shown(address: str) -> str:
    return masked(address)


def line() -> AbstractContextManager[Line]:
    return twilio.line("Calls", _form)


def _form(message: Message) -> Mapping[str, str]:
    return {
        "To": message.address,
        "From": settings.TWILIO["voice_from"],
        "Timeout": str(RINGS_SECONDS),
        "Twiml": twiml_of(message),
    }


def twiml_of(message: Message) -> str:
    """What is said. Without an address to call back nothing can be pressed."""
    said = _say(brief(message, MOST_CHARACTERS), message.language)
    if not message.call_back:
        return f'<Response>{said}<Pause length="1"/>{said}</Response>'
    press = _say(PRESS.get(message.language, PRESS["en-gb"]), message.language)
    where = quoteattr(message.call_back)
    gather = f'<Gather numDigits="1" timeout="10" method="POST" action={where}>'
    return f'<Response>{gather}{said}<Pause length="1"/>{said}{press}</Gather></Response>'


def thanks(language: str) -> str:
    return f"<Response>{_say(THANKS.get(language, THANKS['en-gb']), language)}<Hangup/></Response>"


def _say(text: str, language: str) -> str:
    name, voice = VOICES.get(language, VOICES["en-gb"])
    return f'<Say language="{name}" voice="{voice}">{escape(text)}</Say>'
