"""Codes: what proves that somebody reads where they say they do. Six digits, ten minutes, five tries."""

import hmac
import unicodedata
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.utils.crypto import salted_hmac

from runbooks.access.models import User
from runbooks.access.permissions import Actor
from runbooks.background import wake
from runbooks.contacts.models import ContactCode, ContactPoint
from runbooks.errors import DomainError
from runbooks.notifications.operations.contacting.owning import locked_owner, own_point
from runbooks.notifications.operations.contacting.telling import tell_added

DIGITS: Final = 6
TRIES: Final = 5
GOOD_FOR: Final = timedelta(minutes=10)
# Codes that left, of one person and to one address, whoever asked for them; and all that were asked for.
WITHIN: Final = timedelta(hours=1)
PER_PERSON, PER_ADDRESS, ASKED_MOST = 5, 3, 15
TYPED_MAX: Final = 40
Status = ContactCode.Status


class TooManyCodesError(DomainError):
    """Nobody is to be showered with codes, least of all a stranger whose address somebody typed."""

    status = 429


class WrongCodeError(DomainError):
    status = 400


@transaction.atomic
def ask_for_code(*, point_id: UUID, actor: Actor, at: datetime) -> ContactPoint:
    """Another code for a point that does not count yet. The one before is worth nothing from now on."""
    point = own_point(locked_owner(actor), point_id)
    if point.verified_at is None:
        order_code(point, at=at)
    return point


def order_code(point: ContactPoint, *, at: datetime) -> ContactCode:
    """In the transaction of whoever holds the person's lock. A worker makes the code as it sends it."""
    if _is_too_much(point, at):
        raise TooManyCodesError(
            f"No code was sent: within an hour {PER_PERSON} leave for one person and {PER_ADDRESS} to one address, "
            "whoever asks. Try again in an hour."
        )
    code = ContactCode.objects.create(point=point, asked_at=at)
    wake("notifications.send_codes")
    return code


def _is_too_much(point: ContactPoint, at: datetime) -> bool:
    """Counted in rows, so that no restart forgets; those that surely did not leave do not count for long."""
    with connection.cursor() as cursor:
        # One after the other for each address: its other askers hold locks of their own.
        key = f"contact-code:{point.channel}:{point.address.casefold()}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
    recent = ContactCode.objects.filter(asked_at__gt=at - WITHIN)
    left = recent.exclude(status=Status.FAILED, code_hash="")
    mine, there = Q(point__user=point.user), Q(point__channel=point.channel, point__address__iexact=point.address)
    return (
        left.filter(mine).count() >= PER_PERSON
        or left.filter(there).count() >= PER_ADDRESS
        or recent.filter(mine).count() >= ASKED_MOST
        or recent.filter(there).count() >= ASKED_MOST
    )


def hash_of(code_id: int, digits: str) -> str:
    """HMAC-SHA-256 by the portal's key, hex: a million codes are soon tried by who has the database alone."""
    return salted_hmac("contact code", f"{code_id}:{digits}", algorithm="sha256").hexdigest()


class _Try(Enum):
    RIGHT = auto()
    WRONG = auto()
    SPENT = auto()
    EXPIRED = auto()
    NOT_SENT = auto()


def enter_code(*, point_id: UUID, typed: str, actor: Actor, at: datetime) -> ContactPoint:
    """The person typed in what arrived: the point counts from now on, and all their other ways are told.

    A wrong one is counted in a transaction of its own that stands. Raises WrongCodeError.
    """
    point, outcome, left = _try(point_id, typed, actor, at)
    if outcome is _Try.RIGHT:
        return point
    raise WrongCodeError(
        {
            _Try.WRONG: f"That is not the code. Look at the newest message. Tries left: {left}.",
            _Try.SPENT: f"{TRIES} wrong codes were typed. Have a new one sent.",
            _Try.EXPIRED: f"That code is older than {GOOD_FOR.seconds // 60} minutes. Have a new one sent.",
            _Try.NOT_SENT: "No code has left for there yet. Wait for it, or have a new one sent.",
        }[outcome]
    )


@transaction.atomic
def _try(point_id: UUID, typed: str, actor: Actor, at: datetime) -> tuple[ContactPoint, _Try, int]:
    owner = locked_owner(actor)
    point = own_point(owner, point_id)
    if point.verified_at is not None:
        return point, _Try.RIGHT, 0
    code = ContactCode.objects.select_for_update().filter(point=point).order_by("-asked_at", "-pk").first()
    if code is None or not code.code_hash or code.expires_at is None:
        return point, _Try.NOT_SENT, 0
    if code.tries >= TRIES:
        return point, _Try.SPENT, 0
    if at > code.expires_at:
        return point, _Try.EXPIRED, 0
    code.tries += 1
    is_right = hmac.compare_digest(hash_of(code.pk, digits_of(typed)), code.code_hash)
    if is_right:
        code.code_hash = ""
        _verify(owner, point, at)
    code.save(update_fields=["tries", "code_hash"])
    left = TRIES - code.tries
    return point, _Try.RIGHT if is_right else _Try.WRONG if left else _Try.SPENT, left


def _verify(owner: User, point: ContactPoint, at: datetime) -> None:
    point.verified_at, point.failing_since, point.failed_because = at, None, ""
    point.save(update_fields=["verified_at", "failing_since", "failed_because"])
    tell_added(owner, point, at=at)


def digits_of(typed: str) -> str:
    """What somebody typed or pasted, without the spaces and hyphens between; digits of any script."""
    plain = unicodedata.normalize("NFKC", typed[:TYPED_MAX])
    return "".join(str(unicodedata.digit(sign)) for sign in plain if unicodedata.digit(sign, None) is not None)
