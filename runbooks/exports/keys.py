"""The key that checkpoints and bundles are signed with. Its private part stays outside the database.

It comes from the setting SIGNING_KEY (OpenSSH's PEM) or from the file that SIGNING_KEY_FILE names. The file is read
anew each time, so that a rotation needs no restart. Its public part is a row, published for ever.
"""

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Info, Warning
from django.db import transaction

from runbooks.errors import DomainError
from runbooks.exports import signing
from runbooks.exports.models import SigningKey

CREATE: Final = "manage.py signing_key create"
FILE_MAX: Final = 16 * 1024


class NoKeyError(DomainError):
    """Nothing can be signed. The text says why, `mend` what to do."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what} {mend}")
        self.what, self.mend = what, mend


class CannotMakeKeyError(DomainError):
    """The key was not made, or not retired, and why."""


@dataclass(frozen=True, slots=True)
class Held:
    """The key at hand: what is known of it, and what signs with it."""

    key: SigningKey
    sign: Callable[[bytes], str] = field(repr=False)


def is_from_environment() -> bool:
    return bool(settings.SIGNING_KEY)


def key_file() -> Path | None:
    named = settings.SIGNING_KEY_FILE
    return Path(named) if named else None


def private_part() -> str:
    """The PEM from the settings or the file. Raises NoKeyError; what is in it is told to nobody."""
    if given := settings.SIGNING_KEY:
        return given.replace("\\n", "\n").strip() + "\n"
    path = key_file()
    if path is None:
        raise NoKeyError("No signing key is set.", f"Name a file in SIGNING_KEY_FILE, then run {CREATE}.")
    try:
        with path.open(encoding="ascii") as file:
            return file.read(FILE_MAX)
    except FileNotFoundError:
        raise NoKeyError(f"There is no file {path}, which SIGNING_KEY_FILE names.", f"Run {CREATE}.") from None
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise NoKeyError(f"The signing key in {path}: {reason}.", "Give the portal's user the right to read.") from None
    except UnicodeDecodeError:
        raise NoKeyError(f"{path} holds no signing key.", "Name the right file in SIGNING_KEY_FILE.") from None


def fingerprint_at_hand() -> str:
    """Of the private part at hand. Raises NoKeyError."""
    return signing.fingerprint(_public(private_part()))


def _public(private: str) -> str:
    try:
        return signing.public_line(private)
    except signing.BadKeyError as error:
        raise NoKeyError(str(error), f"Set another one, or make it by {CREATE}.") from None


def held() -> Held:
    """The key to sign with. Raises NoKeyError where there is none, or it is not published, or retired."""
    private = private_part()
    fingerprint = signing.fingerprint(_public(private))
    key = SigningKey.objects.filter(fingerprint=fingerprint).first()
    if key is None:
        raise NoKeyError(f"The signing key {fingerprint} is not published yet.", f"Run {CREATE}.")
    if key.retired_at is not None:
        raise NoKeyError(
            f"The signing key {fingerprint} is retired.", "Set SIGNING_KEY or SIGNING_KEY_FILE to the one that follows."
        )
    return Held(key, lambda data: signing.sign(private, data))


def problem() -> NoKeyError | None:
    """Why nothing can be signed now; None where something can."""
    try:
        held()
    except NoKeyError as error:
        return error
    return None


def published() -> str:
    """All keys, those that retired too, as `ssh-keygen -Y verify -f` reads them, each with when it was in use."""
    return "".join(f"{_allowed(key)}\n" for key in SigningKey.objects.order_by("made_at", "pk"))


def _allowed(key: SigningKey) -> str:
    options = [f'namespaces="{signing.NAMESPACE}"', f'valid-after="{_moment(key.made_at)}"']
    if key.retired_at is not None:
        options.append(f'valid-before="{_moment(key.retired_at)}"')
    return f"{signing.PRINCIPAL} {','.join(options)} {key.public_key}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%d%H%M%S}Z"


# Making and retiring


def create_key(*, path: Path | None, by: str, at: datetime) -> tuple[SigningKey, Path | None]:
    """Publish the key at hand, or make one in a new file where there is none. The path is that of a new file.

    Raises CannotMakeKeyError, and NoKeyError for a key at hand that cannot be used.
    """
    path = path or key_file()
    if is_from_environment() or (path is not None and path == key_file() and path.exists()):
        public = _public(private_part())
        if SigningKey.objects.filter(fingerprint=signing.fingerprint(public)).exists():
            raise CannotMakeKeyError("There is a signing key already. To replace it: manage.py signing_key rotate.")
        return _publish(public, by, at), None
    if path is None:
        raise CannotMakeKeyError("Name a file for the key: SIGNING_KEY_FILE=/path, or --file /path.")
    pair = signing.make_key()
    _write_new(path, pair.private)
    return _publish(pair.public, by, at), path


@transaction.atomic
def _publish(public: str, by: str, at: datetime) -> SigningKey:
    return SigningKey.objects.create(fingerprint=signing.fingerprint(public), public_key=public, made_at=at, made_by=by)


def rotate_key(*, by: str, at: datetime) -> tuple[SigningKey, SigningKey, Path]:
    """Make the key that follows the one in SIGNING_KEY_FILE, in its place; the old file is kept under another name.

    Gives the new one, the old one, and where its private part now is. The new one is published before it is in place,
    so that no signature is by a key nobody knows. Raises CannotMakeKeyError, NoKeyError.
    """
    path = key_file()
    if is_from_environment() or path is None:
        raise CannotMakeKeyError(
            "The key does not come from SIGNING_KEY_FILE, so it cannot be exchanged here. Make one by "
            f"{CREATE} --file /path, set it, start the portal again, then: manage.py signing_key retire FINGERPRINT."
        )
    old = held().key
    pair = signing.make_key()
    coming, kept = path.with_name(f"{path.name}.new"), path.with_name(f"{path.name}.retired-{at:%Y%m%d%H%M%S}")
    _write_new(coming, pair.private)
    new = _publish(pair.public, by, at)
    try:
        os.link(path, kept)
        coming.replace(path)
    except OSError as error:
        raise CannotMakeKeyError(f"{path} cannot be exchanged: {(error.strerror or 'no reason').lower()}.") from None
    return new, retire_key(fingerprint=old.fingerprint, at=at), kept


@transaction.atomic
def retire_key(*, fingerprint: str, at: datetime) -> SigningKey:
    """From now on nothing is signed with it; what it signed stays good. Raises CannotMakeKeyError."""
    key = SigningKey.objects.select_for_update().filter(fingerprint=fingerprint).first()
    if key is None:
        raise CannotMakeKeyError(f"There is no key {fingerprint}. They are listed by manage.py signing_key list.")
    if key.retired_at is not None:
        raise CannotMakeKeyError(f"{fingerprint} is retired already.")
    key.retired_at = at
    key.save(update_fields=["retired_at"])
    return key


def _write_new(path: Path, private: str) -> None:
    """A new file that its owner alone can read. One that is there stays as it is."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise CannotMakeKeyError(f"{path} is there already, and is not overwritten. Name another file.") from None
    except OSError as error:
        raise CannotMakeKeyError(f"{path} cannot be written: {(error.strerror or 'no reason').lower()}.") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(private)
        file.flush()
        os.fsync(file.fileno())


# What `manage.py check` says


def check_key(app_configs: Sequence[Any] | None, **options: Any) -> list[CheckMessage]:
    """Without a database: whether there is a key, one that can sign, and that nobody else can read."""
    try:
        fingerprint_at_hand()
    except NoKeyError as error:
        said = f"Nothing is sealed by a signature. {error.what}"
        return [(Warning if _is_set() else Info)(said, hint=error.mend, id="runbooks.W001")]
    path = key_file()
    if not is_from_environment() and path is not None and _is_open(path):
        hint = f"chmod 600 {path}, and rotate the key if somebody may have read it."
        return [Warning("Others than the portal's user can read the signing key.", hint=hint, id="runbooks.W002")]
    return []


def _is_set() -> bool:
    return is_from_environment() or key_file() is not None


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
