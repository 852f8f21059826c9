"""Signatures of calls to others, as Standard Webhooks 1.0 has them: HMAC-SHA256 over "id.timestamp.body"."""

import base64
import binascii
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Final

PREFIX: Final = "whsec_"
FEWEST_BYTES: Final = 24


def new_secret() -> str:
    """Shown once to whoever is going to check the signatures."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def signed(keys: Iterable[str], message_id: str, body: bytes, at: datetime) -> dict[str, str]:
    """The headers that go with a body: a signature a secret. Raises ValueError where one is none.

    `message_id` is the same whenever the same message is tried again, by which receivers take it once.
    """
    timestamp = str(int(at.timestamp()))
    content = f"{message_id}.{timestamp}.".encode() + body
    made = [base64.b64encode(hmac.digest(_key(secret), content, "sha256")).decode("ascii") for secret in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{one}" for one in made),
    }


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if len(key) < FEWEST_BYTES:
        raise ValueError(f"A secret to sign with reads {PREFIX}, and at least {FEWEST_BYTES} bytes in Base64.")
    return key
