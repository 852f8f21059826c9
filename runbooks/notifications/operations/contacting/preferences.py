"""Quiet hours, language and digest of a person."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction

from runbooks.access.permissions import Actor
from runbooks.contacts.models import ContactPreferences
from runbooks.contacts.zones import known_zones
from runbooks.errors import DomainError
from runbooks.notifications.operations.contacting.owning import locked_owner
from runbooks.notifications.operations.contacting.telling import tell_rules_changed

# Else somebody with a stolen session makes it quiet around the clock.
QUIET_MOST: Final = timedelta(hours=14)
DAY: Final = timedelta(days=1)


class BadPreferenceError(DomainError):
    """What was asked for cannot be. `field` names what is wrong."""

    status = 400

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Preferences:
    """As a person wants it; no quiet hours and no digest where the times are None."""

    language: str
    time_zone: str
    quiet_from: time | None = None
    quiet_until: time | None = None
    digest_at: time | None = None


@transaction.atomic
def set_preferences(*, wanted: Preferences, actor: Actor, at: datetime) -> None:
    """All of it at once. Other quiet hours than before are told by all ways, as a changed rule is."""
    owner = locked_owner(actor)
    _check(wanted)
    before = ContactPreferences.objects.filter(user=owner).first()
    was = (before.quiet_from, before.quiet_until, before.time_zone) if before else (None, None, "")
    ContactPreferences.objects.update_or_create(
        user=owner,
        defaults={
            "language": wanted.language,
            "time_zone": wanted.time_zone,
            "quiet_from": wanted.quiet_from,
            "quiet_until": wanted.quiet_until,
            "digest_at": wanted.digest_at,
        },
    )
    is_quiet = (wanted.quiet_from, wanted.quiet_until, wanted.time_zone)
    if is_quiet[:2] != was[:2] or (wanted.quiet_from and is_quiet != was):
        tell_rules_changed(owner, "quiet", at=at)


def _check(wanted: Preferences) -> None:
    if wanted.language not in dict(settings.LANGUAGES):
        raise BadPreferenceError("language", "Choose a language of the list.")
    if (wanted.time_zone, wanted.time_zone) not in known_zones():
        raise BadPreferenceError("time_zone", "Choose a time zone of the list, such as Europe/London.")
    begins, ends = wanted.quiet_from, wanted.quiet_until
    if (begins is None) != (ends is None):
        empty = "quiet_until" if ends is None else "quiet_from"
        raise BadPreferenceError(empty, "Give both times, or neither for no quiet hours.")
    if begins is None or ends is None:
        return
    if begins == ends:
        raise BadPreferenceError("quiet_until", "Quiet hours end at another time than they begin.")
    if _length(begins, ends) > QUIET_MOST:
        hours = QUIET_MOST // timedelta(hours=1)
        raise BadPreferenceError("quiet_until", f"Quiet hours last {hours} hours at most.")


def _length(begins: time, ends: time) -> timedelta:
    day = date(2000, 1, 3)
    return (datetime.combine(day, ends) - datetime.combine(day, begins)) % DAY
