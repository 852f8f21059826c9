"""Codes: what they look like, how they are kept, and how long each channel lets them live.

Eight characters of Crockford's base32 are 40 bits. They are bound to the account by what is hashed, so that a code is
found by one look-up that takes the same for an account nobody has, a wrong code, a used and an expired one.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import timedelta

from django.conf import settings

from runbooks.confirmations.models import Code

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH, GROUP = 8, 4
# What people write for what was meant: Crockford's own table.
MEANT = str.maketrans({"O": "0", "I": "1", "L": "1"})
# No more of what comes in is looked at.
TYPED_MAX = 400
CONFIRM_PASSWORD = "confirm_password"  # noqa: S105  # a purpose, and no password
CALL = "desk_call"

LIFETIMES: Mapping[str, timedelta] = {
    Code.Channel.READ_OUT: timedelta(minutes=15),
    Code.Channel.IN_PERSON: timedelta(hours=24),
    Code.Channel.COLLEAGUE: timedelta(hours=24),
    Code.Channel.TEXT: timedelta(hours=24),
    Code.Channel.LETTER: timedelta(days=14),
}


def new_code() -> str:
    """Eight characters, without a hyphen."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def shown(code: str) -> str:
    """7K2M-9QTX"""
    return f"{code[:GROUP]}-{code[GROUP:]}"


def meant(typed: str) -> str:
    """What somebody typed, as a code is hashed: any dash, space or dot is left out. Nothing is refused here."""
    return "".join(sign for sign in typed[:TYPED_MAX].upper() if sign.isalnum()).translate(MEANT)[:64]


def account_meant(typed: str) -> str:
    """The account name as it is hashed: with or without what follows the @."""
    return typed[:TYPED_MAX].replace("\0", "").strip().lower().partition("@")[0].rstrip()[:320]


def digest_of(purpose: str, login: str, code: str) -> str:
    """HMAC-SHA-256 with the key of codes, hex. `login` and `code` as typed or as kept."""
    said = "\0".join((purpose, account_meant(login), meant(code)))
    return hmac.new(_key(), said.encode(), hashlib.sha256).hexdigest()


def _key() -> bytes:
    """A key of its own, made from the portal's: who holds only the database can test no guess."""
    return hashlib.sha256(b"codes\0" + settings.SECRET_KEY.encode()).digest()
