"""What the words of providers mean: their states of a message, in ours, with a sentence for people."""

from typing import Final

from runbooks.notifications.operations.outcomes import Outcome

Told = tuple[Outcome, str]

# https://www.twilio.com/docs/messaging/api/message-resource#message-status-values
OF_TEXT: Final[dict[str, Told]] = {
    **dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent"), (Outcome.ON_ITS_WAY, "")),
    "delivered": (Outcome.DELIVERED, ""),
    "read": (Outcome.DELIVERED, ""),
    "undelivered": (Outcome.BOUNCED, "The text message did not arrive"),
    "failed": (Outcome.FAILED, "The text message could not be sent"),
    "canceled": (Outcome.FAILED, "The text message was called off at Twilio"),
}
# https://www.twilio.com/docs/voice/api/call-resource#call-status-values
OF_CALL: Final[dict[str, Told]] = {
    **dict.fromkeys(("queued", "initiated", "ringing", "in-progress"), (Outcome.ON_ITS_WAY, "")),
    "completed": (Outcome.ANSWERED, ""),
    "busy": (Outcome.NOT_ANSWERED, "The line was busy"),
    "no-answer": (Outcome.NOT_ANSWERED, "Nobody answered the telephone"),
    "canceled": (Outcome.FAILED, "The call was called off at Twilio"),
    "failed": (Outcome.FAILED, "The number could not be called"),
}
# https://www.twilio.com/docs/api/errors
CODES: Final = {
    "30003": "the telephone is switched off or out of reach",
    "30004": "messages to this number are blocked",
    "30005": "the number is unknown or no longer in use",
    "30006": "the number is a landline, or cannot be reached by text",
    "30007": "the network took the message for unwanted",
    "30008": "the network does not say why",
}
# Anymail's names: https://anymail.dev/en/stable/sending/tracking/
OF_MAIL: Final[dict[str, Told]] = {
    "queued": (Outcome.ON_ITS_WAY, ""),
    "sent": (Outcome.ON_ITS_WAY, ""),
    "deferred": (Outcome.DEFERRED, ""),
    "delivered": (Outcome.DELIVERED, ""),
    "bounced": (Outcome.BOUNCED, "The mail came back"),
    "rejected": (Outcome.FAILED, "The mail provider did not send the mail"),
    "failed": (Outcome.FAILED, "The mail provider could not send the mail"),
    "complained": (Outcome.COMPLAINED, "Whoever reads this mailbox called the mail unwanted"),
    "unsubscribed": (Outcome.COMPLAINED, "Whoever reads this mailbox wants no more mail of the portal’s"),
}
REASONS: Final = {
    "invalid": "there is no such mailbox",
    "bounced": "the other server refused it",
    "timed_out": "the other server could not be reached for too long",
    "blocked": "this address or the portal’s is blocked",
    "spam": "it was taken for unwanted",
    "unsubscribed": "the recipient wants no more mail",
}


def of_twilio(channel: str, status: str, code: str) -> Told | None:
    """None for states that say nothing."""
    told = (OF_CALL if channel == "voice" else OF_TEXT).get(status)
    return _with_reason(told, CODES.get(code, f"Twilio’s code {code}" if code.isdecimal() else ""))


def of_mail(event: str, reason: str) -> Told | None:
    return _with_reason(OF_MAIL.get(event), REASONS.get(reason, ""))


def _with_reason(told: Told | None, reason: str) -> Told | None:
    if told is None or not told[1]:
        return told
    return told[0], f"{told[1]}: {reason}." if reason else f"{told[1]}."
