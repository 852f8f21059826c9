"""Ed25519 keys and signatures as OpenSSH has them, so that `ssh-keygen -Y verify` checks them on any machine.

The envelope is PROTOCOL.sshsig of OpenSSH. A private key comes from its caller each time and is kept nowhere here; it
stands in no repr and in no error.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from runbooks.errors import DomainError

NAMESPACE = "ir-portal"
PRINCIPAL = "ir-portal"
KIND = "ssh-ed25519"
HASH = "sha512"
MAGIC = b"SSHSIG"
VERSION = (1).to_bytes(4, "big")
HEAD, FOOT = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
LINE = 70


class BadKeyError(DomainError):
    """The key is not an Ed25519 one in OpenSSH's format, without a passphrase."""


class BadSignatureError(DomainError):
    """The signature is not one of this data by this key."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """`private` is OpenSSH's PEM without a passphrase, `public` a line `ssh-ed25519 AAAA...`."""

    public: str
    private: str = field(repr=False)


def make_key() -> KeyPair:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return KeyPair(_line(key.public_key()), private)


def public_line(private: str) -> str:
    """`ssh-ed25519 AAAA...` of a private key."""
    return _line(_private(private).public_key())


def fingerprint(public: str) -> str:
    """SHA256:..., as `ssh-keygen -l` prints it."""
    return _fingerprint(_blob(public))


def allowed_signers(publics: Iterable[str]) -> str:
    """The file that `ssh-keygen -Y verify -f` reads: a line a key, all for this portal and this namespace."""
    lines = (f'{PRINCIPAL} namespaces="{NAMESPACE}" {KIND} {base64.b64encode(_blob(one)).decode()}' for one in publics)
    return "".join(f"{line}\n" for line in lines)


def sign(private: str, data: bytes, namespace: str = NAMESPACE) -> str:
    """An armoured OpenSSH signature over the data, for `manifest.json.sig` and checkpoints."""
    key = _private(private)
    made = key.sign(_signed(data, namespace.encode()))
    parts = (_blob(_line(key.public_key())), namespace.encode(), b"", HASH.encode(), _joined(KIND.encode(), made))
    encoded = base64.b64encode(MAGIC + VERSION + _joined(*parts)).decode()
    lines = [encoded[start : start + LINE] for start in range(0, len(encoded), LINE)]
    return "\n".join([HEAD, *lines, FOOT, ""])


def verify(publics: Iterable[str], data: bytes, signature: str, namespace: str = NAMESPACE) -> str:
    """The fingerprint of the one of these keys that made this signature; BadSignatureError where none did."""
    blob, made_for, reserved, algorithm, made = _opened(signature)
    kind, rest = _taken(made)
    raw, rest = _taken(rest)
    if (made_for, reserved, algorithm, kind, rest) != (namespace.encode(), b"", HASH.encode(), KIND.encode(), b""):
        raise BadSignatureError("The signature is of another kind or for another purpose.")
    if blob not in {_blob(public) for public in publics}:
        raise BadSignatureError(f"The signature is by an unknown key, {_fingerprint(blob)}.")
    try:
        Ed25519PublicKey.from_public_bytes(blob[-32:]).verify(raw, _signed(data, made_for))
    except InvalidSignature:
        raise BadSignatureError("The signature is not one of this data.") from None
    return _fingerprint(blob)


def _private(private: str) -> Ed25519PrivateKey:
    """What is wrong with a key is not told in the words of the library: they might quote it."""
    try:
        key = load_ssh_private_key(private.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKeyError("The signing key is not an Ed25519 private key in OpenSSH's format without a passphrase.")
    return key


def _line(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _blob(public: str) -> bytes:
    """The wire format of a public line: two strings, the kind and 32 bytes."""
    words = public.split()
    try:
        blob = base64.b64decode(words[1] if len(words) > 1 else "", validate=True)
    except binascii.Error:
        blob = b""
    if words[:1] != [KIND] or len(blob) != 51 or blob[:19] != _joined(KIND.encode()) + (32).to_bytes(4, "big"):
        raise BadKeyError("The public key is not a line ssh-ed25519 AAAA...")
    return blob


def _fingerprint(blob: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _signed(data: bytes, namespace: bytes) -> bytes:
    return MAGIC + _joined(namespace, b"", HASH.encode(), hashlib.sha512(data).digest())


def _joined(*parts: bytes) -> bytes:
    """SSH strings: each with its length before it."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _taken(blob: bytes) -> tuple[bytes, bytes]:
    """The first SSH string, and what follows it."""
    end = 4 + int.from_bytes(blob[:4], "big")
    if len(blob) < max(end, 4):
        raise BadSignatureError("The signature is cut off.")
    return blob[4:end], blob[end:]


def _opened(signature: str) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """Key, namespace, reserved, hash algorithm and signature of an armoured one."""
    lines = signature.strip().splitlines()
    try:
        blob = base64.b64decode("".join(lines[1:-1]), validate=True)
    except ValueError:
        blob = b""
    if len(lines) < 3 or (lines[0], lines[-1]) != (HEAD, FOOT) or not blob.startswith(MAGIC + VERSION):
        raise BadSignatureError("It is not an OpenSSH signature.")
    key, rest = _taken(blob[len(MAGIC + VERSION) :])
    namespace, rest = _taken(rest)
    reserved, rest = _taken(rest)
    algorithm, rest = _taken(rest)
    made, rest = _taken(rest)
    if rest:
        raise BadSignatureError("The signature is too long.")
    return key, namespace, reserved, algorithm, made
