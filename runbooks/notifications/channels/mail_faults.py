"""What it means when a mail was not taken: in words, and what to do about it."""

import smtplib
import ssl
from typing import Final

import requests
from anymail.exceptions import AnymailAPIError, AnymailError, AnymailRecipientsRefused
from django.core.exceptions import ImproperlyConfigured

from runbooks.notifications.channels.base import ChannelError, Reason

SAID_MAX: Final = 200
# RFC 4954: signing in is asked for, or fails.
OF_SIGN_IN: Final = frozenset({530, 534, 535, 538})
FAULTS: Final = (OSError, ValueError, AnymailError, ImproperlyConfigured)  # smtplib's are OSErrors


def fault_of(error: Exception, *, may_have_arrived: bool) -> ChannelError:
    """`may_have_arrived`: whether the mail had been said whole, should the line have broken off."""
    if isinstance(error, AnymailError | ImproperlyConfigured):
        return _of_provider(error)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return _answered("the address", code, said, Reason.ADDRESS_REFUSED)
    if isinstance(error, smtplib.SMTPConnectError | smtplib.SMTPHeloError | smtplib.SMTPAuthenticationError):
        sentence = f"The mail server refused the portal's own sign-in: {error.smtp_code} {_said(error.smtp_error)}"
        reason = Reason.BUSY if 400 <= error.smtp_code < 500 else Reason.SIGN_IN_REFUSED
        return ChannelError(sentence, permanent=False, reason=reason)
    if isinstance(error, smtplib.SMTPResponseException):
        return _answered("the mail", error.smtp_code, error.smtp_error, Reason.MESSAGE_REFUSED)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        sentence = f"The mail server cannot do what the settings ask for: {_said(str(error))}."
        return ChannelError(sentence, permanent=False, reason=Reason.NOT_CONFIGURED)
    if isinstance(error, OSError):
        return _broken_off(error, may_have_arrived)
    return ChannelError(
        f"The mail cannot be written: {_said(str(error))}.", permanent=True, reason=Reason.MESSAGE_REFUSED
    )


def _answered(what: str, code: int, said: bytes | str, refused: Reason) -> ChannelError:
    sentence = f"The mail server refused {what}: {code} {_said(said)}"
    if code in OF_SIGN_IN:
        # Not the notice's fault: it goes out once somebody has mended the portal's own sign-in.
        return ChannelError(sentence, permanent=False, reason=Reason.SIGN_IN_REFUSED)
    if code < 500:
        return ChannelError(sentence, permanent=False, reason=Reason.BUSY)
    return ChannelError(sentence, permanent=True, reason=refused)


def _broken_off(error: OSError, may_have_arrived: bool) -> ChannelError:
    if isinstance(error, ssl.SSLCertVerificationError):
        sentence = f"The certificate of the mail server is refused: {error.verify_message}."
        return ChannelError(sentence, permanent=False, reason=Reason.NOT_CONFIGURED)
    # smtplib tells of a timeout as of any other end of the line.
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        sentence, reason = "The mail server did not answer in time.", Reason.TIMED_OUT
    elif isinstance(error, smtplib.SMTPException):
        sentence, reason = f"The mail server broke off: {_said(str(error))}.", Reason.UNREACHABLE
    else:
        words = (error.strerror or str(error) or type(error).__name__).lower()
        sentence, reason = f"The mail server cannot be reached: {words}.", Reason.UNREACHABLE
    if may_have_arrived:
        sentence += " The mail may have arrived all the same."
    return ChannelError(sentence, permanent=False, reason=reason, may_have_arrived=may_have_arrived)


def _of_provider(error: AnymailError | ImproperlyConfigured) -> ChannelError:
    """Nothing of the provider's answer is quoted: it may repeat the mail."""
    if isinstance(error, AnymailRecipientsRefused):
        return ChannelError("The mail provider refused the address.", permanent=True, reason=Reason.ADDRESS_REFUSED)
    if not isinstance(error, AnymailAPIError):
        words = _said(str(error)) if isinstance(error, ImproperlyConfigured) else type(error).__name__
        sentence = f"The mail provider is not set up: {words}. Check EMAIL_BACKEND and ANYMAIL_*."
        return ChannelError(sentence, permanent=False, reason=Reason.NOT_CONFIGURED)
    status = error.status_code
    if status is None:
        is_late = not isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError)
        reason = Reason.TIMED_OUT if isinstance(error, requests.Timeout) else Reason.UNREACHABLE
        sentence = "The mail provider cannot be reached, or did not answer in time."
        return ChannelError(sentence, permanent=False, reason=reason, may_have_arrived=is_late)
    sentence = f"The mail provider answered {status}."
    if status in {401, 403}:
        sentence = f"The mail provider refused the portal's own sign-in ({status}). Check ANYMAIL_*."
        return ChannelError(sentence, permanent=False, reason=Reason.SIGN_IN_REFUSED)
    if status in {408, 425, 429, 503}:
        return ChannelError(sentence, permanent=False, reason=Reason.BUSY, retry_after=_wait_of(error))
    if status >= 500:
        return ChannelError(sentence, permanent=False, reason=Reason.FAULT, may_have_arrived=True)
    return ChannelError(sentence, permanent=True, reason=Reason.MESSAGE_REFUSED)


def _wait_of(error: AnymailAPIError) -> float | None:
    text = error.response.headers.get("Retry-After", "") if error.response is not None else ""
    return min(float(text), 3600.0) if text.isascii() and text.isdigit() else None


def _said(answer: bytes | str) -> str:
    """What the server said, on one line and not too long."""
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return " ".join(text.split())[:SAID_MAX].rstrip(".")
