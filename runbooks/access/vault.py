"""Secrets that the portal must say again later, such as what a webhook is signed with: kept shut by SECRET_KEY.

Somebody with a copy of the database alone cannot read them. SECRET_KEY_FALLBACKS opens what an older key shut.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class CannotOpenError(Exception):
    """The secret was shut with a key that is no longer known. Make a new one."""


def shut(secret: str) -> str:
    return _locks().encrypt(secret.encode()).decode("ascii")


def opened(kept: str) -> str:
    """Raises CannotOpenError where no key of the settings fits."""
    try:
        return _locks().decrypt(kept.encode("ascii")).decode()
    except (InvalidToken, UnicodeError):
        raise CannotOpenError("A secret cannot be opened: SECRET_KEY was changed. Make a new one.") from None


def _locks() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(str(key))) for key in keys])


def _derived(key: str) -> bytes:
    made = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"ir-portal vault").derive(key.encode())
    return base64.urlsafe_b64encode(made)
