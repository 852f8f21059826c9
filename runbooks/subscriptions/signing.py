"""The signature of a call, as Standard Webhooks 1.0 says, so that receivers may check it with any of its libraries.

HMAC-SHA256 over `id.timestamp.body`. The identifier is the same for each attempt at a delivery, the timestamp is that
of the attempt. While a secret is being exchanged, the header holds a signature by each.
"""

import base64
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Final

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")


def signed(secrets_: Iterable[str], message_id: str, body: bytes, at: datetime) -> dict[str, str]:
    """The headers that go with a body; one signature a secret, the newest secret's first."""
    timestamp = str(int(at.timestamp()))
    signatures = [_signature(secret, message_id, timestamp, body) for secret in secrets_]
    return {ID: message_id, TIMESTAMP: timestamp, SIGNATURE: " ".join(signatures)}


def _signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    made = hmac.new(key, f"{message_id}.{timestamp}.".encode("ascii") + body, sha256).digest()
    return "v1," + base64.b64encode(made).decode("ascii")
