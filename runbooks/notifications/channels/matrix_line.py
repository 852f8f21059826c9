"""Speaking in rooms of Matrix, by its client-server API."""

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import httpx
from django.conf import settings

from runbooks.notifications.channels.base import ChannelError, Message, Reason, Sent
from runbooks.notifications.channels.http import Caller
from runbooks.notifications.channels.plain import said, without_mentions
from runbooks.outbound import MOST_WAIT_SECONDS

MOST_CHARACTERS, MEND = 8000, "Check MATRIX_HOMESERVER and MATRIX_TOKEN."
SIGN_IN = (Reason.SIGN_IN_REFUSED, f"refuses the portal’s account. {MEND}")
FAULTS: Final = {
    "M_FORBIDDEN": (Reason.ADDRESS_REFUSED, "does not let the portal’s account speak in this room. Invite it."),
    "M_NOT_FOUND": (Reason.ADDRESS_GONE, "knows no such room."),
    "M_LIMIT_EXCEEDED": (Reason.BUSY, "asks to come later."),
    **dict.fromkeys(("M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_USER_DEACTIVATED"), SIGN_IN),
}


@dataclass(frozen=True, slots=True)
class MatrixLine:
    caller: Caller
    rooms: dict[str, str] = field(default_factory=dict)

    def send(self, message: Message) -> Sent:
        """The key is the transaction's id: sent twice, it is in the room once."""
        text = without_mentions(said(message, MOST_CHARACTERS))
        path = f"rooms/{quote(self._room(message.address), safe='')}/send/m.room.message/{quote(message.key, safe='')}"
        # Nobody is mentioned: with this said, no client looks for names in the text (Matrix 1.7, 11.35).
        told = self._call("PUT", path, json={"msgtype": "m.text", "body": text, "m.mentions": {}})
        return Sent(str(told.get("event_id", "")))

    def _room(self, address: str) -> str:
        if address.startswith("#") and address not in self.rooms:
            found = self._call("GET", f"directory/room/{quote(address, safe='')}")
            self.rooms[address] = str(found.get("room_id", ""))
        return self.rooms.get(address, address)

    def _call(self, method: str, path: str, **what: Any) -> dict[str, Any]:
        url = f"{settings.MATRIX_HOMESERVER}/_matrix/client/v3/{path}"
        answer = self.caller.call(url, method=method, taken=range(400, 500), **what)
        if answer.status_code >= 400:
            raise self._refused(answer)
        return self.caller.content_of(answer)

    def _refused(self, answer: httpx.Response) -> ChannelError:
        try:
            told = self.caller.content_of(answer)
        except ChannelError:
            return self.caller.refused(answer)
        if (known := FAULTS.get(str(told.get("errcode")))) is None:
            return self.caller.refused(answer)
        reason, words = known
        wait = told.get("retry_after_ms")
        return self.caller.fault(
            f"{answer.request.url.host} {words}",
            reason,
            permanent=reason in {Reason.ADDRESS_REFUSED, Reason.ADDRESS_GONE},
            retry_after=min(wait / 1000, MOST_WAIT_SECONDS) if isinstance(wait, int) and wait >= 0 else None,
        )
