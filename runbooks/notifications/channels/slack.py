"""Slack, by a bot of the site's: direct messages to members, and channels the bot was invited to."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx
from django.conf import settings

from runbooks.notifications.channels.base import BadAddressError, ChannelError, Line, Message, Reason, Sent
from runbooks.notifications.channels.http import Caller, calling
from runbooks.notifications.channels.plain import said, without_mentions

LABEL, ADDRESS, EXAMPLE = "Slack", "Member or channel ID", "U012AB3CD45"
IS_SHORT = SIGNS = False
ID: Final = re.compile(r"[CDGUW][A-Z0-9]{7,30}")
MOST_CHARACTERS, MEND = 4000, "Check SLACK_TOKEN."
# What it says besides 200. Anything else is the message's fault.
FAULTS: Final = {
    Reason.ADDRESS_GONE: "channel_not_found user_not_found is_archived user_disabled cannot_dm_bot",
    Reason.ADDRESS_REFUSED: "not_in_channel restricted_action messages_tab_disabled no_permission",
    Reason.SIGN_IN_REFUSED: "invalid_auth not_authed token_revoked token_expired account_inactive missing_scope",
    Reason.BUSY: "ratelimited rate_limited message_limit_exceeded",
    Reason.FAULT: "internal_error fatal_error service_unavailable request_timeout",
}


def is_configured() -> bool:
    return "slack" in settings.NOTICE_CHANNELS and bool(settings.SLACK_TOKEN)


def clean(written: str) -> str:
    if not ID.fullmatch(address := written.strip().upper()):
        raise BadAddressError(f"Write the ID as Slack shows it under “Copy member ID”, such as {EXAMPLE}.")
    return address


def domain_of(address: str) -> str:
    return "slack.com"


def shown(address: str) -> str:
    return address


@contextmanager
def line() -> Iterator[Line]:
    with calling(mend=MEND, headers={"Authorization": f"Bearer {settings.SLACK_TOKEN}"}) as caller:
        yield _SlackLine(caller)


@dataclass(frozen=True, slots=True)
class _SlackLine:
    caller: Caller

    def send(self, message: Message) -> Sent:
        text = without_mentions(said(message, MOST_CHARACTERS))
        for sign, spelt in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(sign, spelt)
        content = {"channel": message.address, "text": text, "mrkdwn": False, "parse": "none"}
        content |= {"link_names": False, "unfurl_links": False, "unfurl_media": False}
        answer = self.caller.call(f"{settings.SLACK_URL}/chat.postMessage", json=content)
        told = self.caller.content_of(answer)
        if told.get("ok") is not True:
            raise self._refused(str(told.get("error") or "unknown")[:60], answer)
        return Sent(f"{told.get('channel', '')}:{told.get('ts', '')}")

    def _refused(self, error: str, answer: httpx.Response) -> ChannelError:
        reason = next((one for one, known in FAULTS.items() if error in known.split()), Reason.MESSAGE_REFUSED)
        permanent = reason in {Reason.ADDRESS_GONE, Reason.ADDRESS_REFUSED, Reason.MESSAGE_REFUSED}
        mend = {Reason.ADDRESS_REFUSED: " Invite the portal’s bot.", Reason.SIGN_IN_REFUSED: f" {MEND}"}.get(reason, "")
        return self.caller.fault(
            f"Slack did not take the message ({error}).{mend}",
            reason,
            permanent=permanent,
            retry_after=self.caller.wait_of(answer),
            may_have_arrived=reason == Reason.FAULT,
        )
