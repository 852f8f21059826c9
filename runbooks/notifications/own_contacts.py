"""Reading how one person is reached, for their own page: points, codes on their way, tests, rules, what failed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import OuterRef, Q, Subquery

from runbooks.access.models import User
from runbooks.contacts.models import ContactCode, ContactPoint, ContactPreferences, ContactRule
from runbooks.contacts.queries import Place, routes_of
from runbooks.notifications.channels import CHANNELS, channel
from runbooks.notifications.models import Notification, NotificationAttempt
from runbooks.notifications.operations.contacting.codes import TRIES
from runbooks.notifications.operations.contacting.points import RESTORED_WITHIN
from runbooks.notifications.operations.contacting.testing import EVENT, about
from runbooks.notifications.routing import refusal_of, untrusted_in

FAILURES_MOST: Final = 10
FAILURES_BACK: Final = timedelta(days=30)
# For so long the page looks by itself how a test goes.
LOOKED_AT: Final = timedelta(minutes=2)
Status = ContactCode.Status


@dataclass(frozen=True, slots=True)
class Said:
    """How something stands, with its mark: (icon, tone, words). `is_open`: it will soon be said otherwise."""

    icon: str
    tone: str
    words: str
    at: datetime | None = None
    is_open: bool = False
    is_until: bool = False


@dataclass(frozen=True, slots=True)
class PointLine:
    """One contact point as its person sees it."""

    id: UUID
    channel: str
    label: str
    shown: str
    is_verified: bool
    verified_at: datetime | None
    trouble: str
    code: Said | None
    may_type: bool
    test: Said | None

    @property
    def is_open(self) -> bool:
        """Whether something is on its way of which it will soon be known how it went."""
        return any(said.is_open for said in (self.code, self.test) if said)


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One place of a route, in the words of its person's points."""

    point_id: UUID | None
    label: str
    shown: str
    wait_minutes: int


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that did not arrive."""

    at: datetime
    label: str
    shown: str
    about: str
    why: str


@dataclass(frozen=True, slots=True)
class OwnContacts:
    points: list[PointLine]
    taken_out: list[PointLine]
    entered: str
    rules: Mapping[str, list[RuleLine]]
    has_own: frozenset[str]
    preferences: ContactPreferences | None
    failures: list[Failure]

    @property
    def usable(self) -> list[PointLine]:
        """What lines of rules are made of."""
        return [point for point in self.points if point.is_verified]


def own_contacts(user: User, at: datetime) -> OwnContacts:
    """All of the page, in as many queries however much there is."""
    rows = _points(user, at)
    current = [row for row in rows if row.ended_at is None]
    codes = _newest_codes(current)
    tests = _newest_tests(user, current, at)
    lines = {row.pk: _line(row, codes.get(row.pk), tests.get(row.pk), at) for row in rows}
    routes = routes_of([user.pk])[user.pk]
    own = ContactRule.objects.filter(user=user, point__ended_at__isnull=True, point__verified_at__isnull=False)
    return OwnContacts(
        points=[lines[row.pk] for row in current],
        taken_out=[lines[row.pk] for row in rows if row.ended_at is not None],
        entered=user.email.strip(),
        rules={"important": _rule(routes.important, lines), "default": _rule(routes.default, lines)},
        has_own=frozenset(own.values_list("importance", flat=True)),
        preferences=ContactPreferences.objects.filter(user=user).first(),
        failures=_failures(user, at),
    )


def offered_channels() -> list[str]:
    """Those that the site's settings let send, in their order."""
    return [name for name in CHANNELS if channel(name).is_configured()]


def label_of(name: str) -> str:
    return channel(name).LABEL if name in CHANNELS else name


def shown_of(name: str, address: str) -> str:
    return channel(name).shown(address) if name in CHANNELS else "…"


def _points(user: User, at: datetime) -> list[ContactPoint]:
    """The current ones in the order they were added, and those that can still be put back."""
    recently = Q(ended_at__isnull=True) | Q(ended_at__gte=at - RESTORED_WITHIN, verified_at__isnull=False)
    return list(ContactPoint.objects.filter(recently, user=user).order_by("added_at", "pk"))


def _newest_codes(points: Iterable[ContactPoint]) -> Mapping[UUID, ContactCode]:
    waiting = [point.pk for point in points if point.verified_at is None]
    newest = ContactCode.objects.filter(point=OuterRef("pk")).order_by("-asked_at", "-pk").values("pk")[:1]
    ids = ContactPoint.objects.filter(pk__in=waiting).annotate(newest=Subquery(newest)).values("newest")
    return {code.point_id: code for code in ContactCode.objects.filter(pk__in=ids)}


def _newest_tests(user: User, points: Sequence[ContactPoint], at: datetime) -> Mapping[UUID, Said]:
    """What became of the last test of each: of the notice, and of its newest attempt."""
    names = {about(point.pk): point.pk for point in points}
    rows = Notification.objects.filter(recipient=user, event=EVENT, about__in=names)
    newest = {row.about: row for row in rows.order_by("created_at", "pk")}
    tried = NotificationAttempt.objects.filter(notification__in=newest.values()).order_by("at", "pk")
    last = {attempt.notification_id: attempt for attempt in tried}
    return {names[name]: _test(notice, last.get(notice.pk), at) for name, notice in newest.items()}


def _test(notice: Notification, attempt: NotificationAttempt | None, at: datetime) -> Said:
    """In the words of what the channel said, never better than it was."""
    is_open = at - notice.created_at < LOOKED_AT
    match notice.status:
        case Notification.Status.DELIVERED:
            outcome = f"; later told: {attempt.outcome}" if attempt and attempt.outcome else ""
            return Said("check", "good", f"Test taken by the other side{outcome}", notice.delivered_at)
        case Notification.Status.WAITING if attempt is None:
            return Said("clock", "wait", "Test on its way", notice.created_at, is_open)
        case Notification.Status.WAITING:
            words = f"Test not sent yet: {_clause(notice.reason)}. It is tried again"
            return Said("clock", "wait", words, notice.next_attempt_at, is_open)
    return Said("fail", "bad", f"Test not sent: {_clause(notice.reason)}", attempt.at if attempt else notice.created_at)


def _line(row: ContactPoint, code: ContactCode | None, test: Said | None, at: datetime) -> PointLine:
    said, may_type = (_code(code, at) if code else None), False
    if code is not None and code.expires_at is not None:
        may_type = bool(code.code_hash) and code.tries < TRIES and at <= code.expires_at
    return PointLine(
        id=row.pk,
        channel=row.channel,
        label=label_of(row.channel),
        shown=shown_of(row.channel, row.address),
        is_verified=row.verified_at is not None,
        verified_at=row.verified_at,
        trouble=_trouble(row),
        code=said,
        may_type=may_type,
        test=test,
    )


def _trouble(row: ContactPoint) -> str:
    """Why nothing would arrive there; empty as far as anybody knows that it would."""
    refusal = refusal_of(Place(row.pk, row.channel, row.address, timedelta(0)), untrusted_in(None))
    if refusal is not None:
        return f"Not used: {refusal.sentence}."
    if row.failing_since is not None:
        return f"Did not arrive last: {row.failed_because}" if row.failed_because else "Did not arrive last."
    return ""


def _code(code: ContactCode, at: datetime) -> Said:
    if code.status == Status.FAILED and not code.code_hash:
        return Said("fail", "bad", f"No code was sent: {_clause(code.reason)}", code.asked_at)
    if code.status == Status.WAITING:
        return Said("clock", "wait", "The code is being sent", code.asked_at, is_open=True)
    if code.tries >= TRIES:
        return Said("warn", "bad", f"{TRIES} wrong codes were typed. Have a new one sent", code.asked_at)
    if code.expires_at is None or at > code.expires_at:
        return Said("warn", "wait", "The code has expired. Have a new one sent", code.expires_at)
    if code.status == Status.FAILED:
        return Said("warn", "wait", f"It is not known whether the code left: {_clause(code.reason)}", code.asked_at)
    return Said("check", "good", "Code sent. It is good", code.expires_at, is_until=True)


def _clause(sentence: str) -> str:
    """As a part of another sentence."""
    return sentence.rstrip(". ")


def _rule(places: Sequence[Place], lines: Mapping[UUID, PointLine]) -> list[RuleLine]:
    found = []
    for place in places:
        line = lines.get(place.point_id) if place.point_id else None
        shown = line.shown if line else f"{place.address} (not verified)"
        found.append(RuleLine(place.point_id, label_of(place.channel), shown, int(place.wait.total_seconds()) // 60))
    return found


def _failures(user: User, at: datetime) -> list[Failure]:
    rows = NotificationAttempt.objects.filter(
        Q(is_delivered=False) | Q(outcome="bounced"), notification__recipient=user, at__gte=at - FAILURES_BACK
    )
    columns = rows.order_by("-at", "-pk").values_list(
        "at", "channel", "address", "notification__subject", "reason", "outcome"
    )
    return [
        Failure(when, label_of(name), shown, subject, reason or f"Taken, and then {outcome}.")
        for when, name, shown, subject, reason, outcome in columns[:FAILURES_MOST]
    ]
