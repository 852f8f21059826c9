"""Time stamps of an authority (RFC 3161) over the signatures of checkpoints: proof of when, by somebody outside.

TSA_URL names the authority, TSA_CA_FILE the certificates to trust. Claim (transaction), ask, note (transaction). The
token is kept in DER; it is over SHA-256 of the armoured signature: `openssl ts -verify -token_in` checks it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from django.conf import settings
from django.core.checks import CheckMessage, Warning
from django.db import transaction
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimeStampRequest,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    Verifier,
    VerifierBuilder,
    decode_timestamp_response,
)

from runbooks import outbound
from runbooks.exports.models import Checkpoint
from runbooks.outbound import OutboundError, Timeouts

QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
MOST_BYTES: Final = 256 * 1024
TIMEOUTS: Final = Timeouts(connect=5, read=15, total=20)
LEASE, LONGEST = timedelta(minutes=2), timedelta(minutes=3)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
# A stamp that comes later than this says too little to go on asking for.
GIVE_UP: Final = timedelta(days=7)


class StampError(Exception):
    """There is no stamp to keep, and why."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """`token` is DER; `at` is the authority's own time."""

    token: bytes
    at: datetime


def stamp_due(*, clock: Callable[[], datetime]) -> int:
    """Have all checkpoints stamped that wait for it, for three minutes at most; how many were."""
    began, stamped = clock(), 0
    while clock() - began < LONGEST and (checkpoint := _claim(clock())) is not None:
        try:
            stamp = ask(checkpoint.signature.encode())
        except StampError as error:
            _finish(checkpoint, str(error), clock())
        else:
            _finish(checkpoint, stamp, clock())
            stamped += 1
    return stamped


@transaction.atomic
def _claim(at: datetime) -> Checkpoint | None:
    due = Checkpoint.objects.filter(token_due_at__lte=at).order_by("token_due_at", "pk")
    checkpoint = due.select_for_update(skip_locked=True).first()
    if checkpoint is not None:
        checkpoint.token_due_at = at + LEASE
        checkpoint.save(update_fields=["token_due_at"])
    return checkpoint


@transaction.atomic
def _finish(asked: Checkpoint, found: Stamp | str, at: datetime) -> None:
    checkpoint = Checkpoint.objects.select_for_update().get(pk=asked.pk)
    if checkpoint.token is not None:
        return  # another worker took it over, and was quicker
    if isinstance(found, Stamp):
        checkpoint.token, checkpoint.token_at = found.token, found.at
        checkpoint.token_trouble, checkpoint.token_due_at = "", None
    else:
        age = at - checkpoint.signed_at
        checkpoint.token_trouble = found[:300]
        # Each wait is as long as all of them before.
        checkpoint.token_due_at = at + min(max(age, FIRST_WAIT), LONGEST_WAIT) if age < GIVE_UP else None
    checkpoint.save(update_fields=["token", "token_at", "token_trouble", "token_due_at"])


def ask(data: bytes) -> Stamp:
    """A stamp over the data from the configured authority, verified against its certificates. Raises StampError."""
    address, trusted = settings.TSA_URL, _trusted()
    request = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).build()
    raw = _answer(address, request)
    try:
        response = decode_timestamp_response(raw)
        if PKIStatus(response.status) != PKIStatus.GRANTED:
            raise StampError(f"{_host(address)} refused: {PKIStatus(response.status).name.lower()}.")
        _builder(trusted, request).verify_message(response, data)
        return Stamp(response.time_stamp_token(), response.tst_info.gen_time.astimezone(UTC))
    except VerificationError as error:
        raise StampError(f"The stamp of {_host(address)} is not good: {error}.") from None
    except (ValueError, TypeError):
        raise StampError(f"{_host(address)} answered with something that is no time stamp.") from None


def stamp_fault(checkpoint: Checkpoint) -> str:
    """What is wrong with the stamp that is kept, or nothing."""
    try:
        response = _response(bytes(checkpoint.token or b""))
        _builder(_trusted(), None).verify_message(response, checkpoint.signature.encode())
    except StampError as error:
        return str(error)
    except (VerificationError, ValueError, TypeError):
        return "its time stamp is not one over its signature by the authority that is trusted"
    return "" if response.tst_info.gen_time == checkpoint.token_at else "its time stamp names another time"


def _response(token: bytes) -> TimeStampResponse:
    """The token as the answer it came in: SEQUENCE { SEQUENCE { INTEGER 0 }, token }."""
    inside = b"\x30\x03\x02\x01\x00" + token
    size = len(inside)
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    # DER: short lengths in one byte, long ones in as few as hold them.
    head = bytes([0x30, size]) if size < 128 else bytes([0x30, 0x80 | len(length)]) + length
    return decode_timestamp_response(head + inside)


def _answer(address: str, request: TimeStampRequest) -> bytes:
    try:
        with outbound.client(timeout=TIMEOUTS, most_bytes=MOST_BYTES) as client:
            headers = {"Content-Type": QUERY, "Accept": REPLY}
            answer = client.post(address, content=request.as_bytes(), headers=headers)
    except OutboundError as error:
        raise StampError(str(error)) from None
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if answer.status_code != 200 or kind != REPLY:
        said = f"{answer.status_code}, {kind or 'no content type'}"
        raise StampError(f"{_host(address)} answered {said} where a time stamp should be.")
    return answer.content


def _host(address: str) -> str:
    return urlsplit(address).hostname or "The authority"


def _trusted() -> list[x509.Certificate]:
    path = settings.TSA_CA_FILE
    if not path:
        raise StampError("No certificates of the authority are trusted. Name them in TSA_CA_FILE.")
    try:
        found = x509.load_pem_x509_certificates(Path(path).read_bytes())
    except OSError as error:
        raise StampError(f"{path} cannot be read: {(error.strerror or 'no reason').lower()}.") from None
    except ValueError:
        raise StampError(f"{path} holds no certificates in PEM.") from None
    if not any(one.issuer == one.subject for one in found):
        raise StampError(f"{path} holds no root certificate, only ones that others issued.")
    return found


def _builder(trusted: list[x509.Certificate], request: TimeStampRequest | None) -> Verifier:
    roots = [one for one in trusted if one.issuer == one.subject]
    between = [one for one in trusted if one.issuer != one.subject]
    nonce, policy = (request.nonce, request.policy) if request is not None else (None, None)
    return VerifierBuilder(roots=roots, intermediates=between, nonce=nonce, policy_id=policy).build()


def check_authority(app_configs: Sequence[Any] | None, **options: Any) -> list[CheckMessage]:
    """For `manage.py check`: whether the authority that is named can be trusted."""
    if not settings.TSA_URL:
        return []
    try:
        _trusted()
    except StampError as error:
        hint = "Without it no checkpoint is stamped."
        return [Warning(f"TSA_URL is set. {error}", hint=hint, id="runbooks.W003")]
    return []
