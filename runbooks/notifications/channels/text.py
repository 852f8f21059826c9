"""Text messages, through Twilio or through a gateway as the setting TEXT_GATEWAY describes it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.conf import settings

from runbooks.notifications.channels import text_gateway, twilio
from runbooks.notifications.channels.base import BadAddressError, ChannelError, Line, Message, Sent
from runbooks.notifications.channels.plain import brief
from runbooks.notifications.channels.telephones import NumberError, e164, masked, takes_texts

LABEL, ADDRESS, EXAMPLE = "Text message", "Mobile number", "+44 7700 900123"
IS_SHORT, SIGNS = True, False
# Three parts of the alphabet of GSM.
MOST_CHARACTERS = 459


def is_configured() -> bool:
    is_there = settings.TWILIO if settings.TEXT_PROVIDER == "twilio" else settings.TEXT_GATEWAY
    return "text" in settings.NOTICE_CHANNELS and bool(is_there)


def clean(written: str) -> str:
    try:
        number = e164(written.strip(), settings.TEXT_GATEWAY.get("country", "44"))
    except NumberError as error:
        raise BadAddressError(str(error)) from None
    if not takes_texts(number):
        raise BadAddressError("That is no mobile number. Text messages arrive at mobiles alone.")
    return number


def domain_of(address: str) -> str:
    return ""


def shown(address: str) -> str:
    return masked(address)


@contextmanager
def line() -> Iterator[Line]:
    if settings.TEXT_PROVIDER == "twilio":
        with twilio.line("Messages", _form) as opened:
            yield opened
    else:
        yield _Gateway()


class _Gateway:
    def send(self, message: Message) -> Sent:
        try:
            text_gateway.send(message.address, brief(message, MOST_CHARACTERS), message.key)
        except text_gateway.TextError as error:
            raise ChannelError(
                error.reason,
                permanent=error.permanent,
                reason=error.code,
                retry_after=error.retry_after,
                may_have_arrived=error.may_have_arrived,
            ) from error
        return Sent()


def _form(message: Message) -> Mapping[str, str]:
    sender = settings.TWILIO["from"]
    kind = "MessagingServiceSid" if sender.startswith("MG") and len(sender) == 34 else "From"
    return {"To": message.address, kind: sender, "Body": brief(message, MOST_CHARACTERS)}
