"""Mail over SMTP, to people's own addresses outside the affected system."""

import smtplib
from contextlib import suppress
from email.utils import parseaddr

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.validators import validate_email

from runbooks.access.models import User
from runbooks.notifications.channels.base import ChannelError, Message

LABEL = "E-mail"
SAID_MAX = 200


def address_of(user: User) -> str:
    return user.email.strip()


def refusal(address: str) -> str:
    """Why no mail may go there. The institution's own mail may be what the attacker reads."""
    if not address:
        return "no address on file"
    try:
        validate_email(address)
    except ValidationError:
        return "the address on file is not a mail address"
    domain = _ascii_domain(address.rpartition("@")[2])
    for institution in settings.INSTITUTION_MAIL_DOMAINS:
        affected = _ascii_domain(institution)
        if domain == affected or domain.endswith(f".{affected}"):
            return "inside the affected system"
    return ""


def _ascii_domain(domain: str) -> str:
    """One spelling of a domain, however it was written: case, trailing dot, accents or punycode."""
    domain = domain.strip().strip(".").casefold()
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


def send(message: Message) -> None:
    """Hand the mail to the server. Raises ChannelError: 5xx is permanent, 4xx and a dead line are not.

    A mail that is tried again keeps its Message-ID, so that a mailbox that got it twice can show it once.
    """
    connection = get_connection()
    try:
        connection.open()
        connection.send_messages([_mail(message)])
    except smtplib.SMTPException as error:
        raise _refused(error) from error
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise ChannelError(f"The mail server cannot be reached: {reason.lower()}.", permanent=False) from error
    except ValueError as error:
        raise ChannelError(f"The mail cannot be written: {_said(str(error))}.", permanent=True) from error
    finally:
        # The server has answered by now: trouble in saying goodbye changes nothing.
        with suppress(OSError):
            connection.close()


def _mail(message: Message) -> EmailMessage:
    sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    headers = {
        # Half of the key is unique as well, and keeps the header on one line.
        "Message-ID": f"<{message.idempotency_key[:32]}@{sender.rpartition('@')[2]}>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }
    if message.is_exercise:
        headers["X-IR-Portal-Exercise"] = "yes"
    return EmailMessage(message.subject, message.body, to=[message.address], headers=headers)


def _refused(error: smtplib.SMTPException) -> ChannelError:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        # Not the notice's fault: it goes out once somebody has mended the portal's own sign-in.
        return ChannelError("The mail server refused the portal's own sign-in.", permanent=False)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return ChannelError(f"The mail server refused the address: {code} {_said(said)}", permanent=code >= 500)
    if isinstance(error, smtplib.SMTPResponseException):
        answer = f"{error.smtp_code} {_said(error.smtp_error)}"
        return ChannelError(f"The mail server refused the mail: {answer}", permanent=error.smtp_code >= 500)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return ChannelError("The mail server cannot carry an address with such letters.", permanent=True)
    return ChannelError(f"The mail server broke off: {_said(str(error))}.", permanent=False)


def _said(answer: bytes | str) -> str:
    """What the server said, on one line and not too long."""
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return " ".join(text.split())[:SAID_MAX].rstrip(".")
