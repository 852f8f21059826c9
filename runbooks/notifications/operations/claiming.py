"""Taking notices that are due: each to one worker, and those that are of no use any more to none."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from runbooks.access.models import Membership
from runbooks.access.vault import opened
from runbooks.contacts.models import ContactPoint
from runbooks.contacts.queries import Place, Quiet, routes_of
from runbooks.notifications import call_backs
from runbooks.notifications.channels import channel
from runbooks.notifications.channels.base import Message, Reason
from runbooks.notifications.models import ChannelState, Notification, NotificationAttempt
from runbooks.notifications.operations.breaking import resting
from runbooks.notifications.queries import BEYOND_THE_ROOM, bundled_with, due
from runbooks.notifications.routing import NO_ADDRESS, Refusal, opened_route, refusal_of, untrusted_in
from runbooks.notifications.wording import gathered, leaving, may_say_all

# A worker that says nothing for this long is taken for dead; a message ends long before, by its channel's time limits.
LEASE: Final = timedelta(seconds=90)
ATTEMPTS: Final = 10
LOST: Final = "The worker stopped before it could say whether this had left."
Status = Notification.Status


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A notice on its way to one place. `then` is the place after it, where there is one that can be used.

    `has_moved`: the place is another one than its row says. `is_failing`: the contact point took no message last time.
    `carries`: the message says what others say as well.
    """

    notice: Notification
    place: Place
    message: Message
    has_moved: bool
    is_failing: bool
    then: int | None
    then_waits: timedelta
    carries: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """What the notices of one claim are judged by, in as many queries as for one of them."""

    at: datetime
    here: frozenset[tuple[UUID, int]]
    points: Mapping[UUID, ContactPoint]
    quiet: Mapping[int, Quiet | None]
    resting: Mapping[str, ChannelState]


@transaction.atomic
def claim(at: datetime, *, limit: int, only: Collection[UUID] | None = None) -> tuple[int, list[Outgoing]]:
    """Lease up to so many due notices that nobody holds: how many were due, and those of them that leave now.

    The others are settled on the way: out of use, held, or put off until quiet hours end or a channel rests no more.
    """
    rows = due(at, only=only).select_related("incident", "recipient")
    notices = list(rows.select_for_update(skip_locked=True, of=("self",))[:limit])
    if not notices:
        return 0, []
    world = _world(notices, at)
    leaving = [one for one in (_judged(notice, world) for notice in notices) if one is not None]
    _keep(notices, leaving, at)
    return len(notices), _gathered(leaving)


def _keep(notices: Sequence[Notification], leaving: Sequence[Outgoing], at: datetime) -> None:
    """Nearly all leave for where they were to go: these are leased in one short statement."""
    as_planned = {one.notice.pk for one in leaving if not one.has_moved}
    Notification.objects.filter(pk__in=as_planned).update(leased_until=at + LEASE, sending_since=None)
    others = [notice for notice in notices if notice.pk not in as_planned]
    changed = ["status", "reason_code", "reason", "position", "next_attempt_at", "leased_until", "sending_since"]
    Notification.objects.bulk_update(others, [*changed, "attempts_made"])


def _world(notices: Sequence[Notification], at: datetime) -> World:
    people = {notice.recipient_id for notice in notices}
    rooms = {notice.incident_id for notice in notices if notice.incident_id}
    here = Membership.objects.filter(incident_id__in=rooms, user_id__in=people, ended_at__isnull=True)
    ids = {place["point"] for notice in notices for place in notice.route if place["point"]}
    routes = routes_of({notice.recipient_id for notice in notices if not notice.ignores_quiet_hours})
    return World(
        at=at,
        here=frozenset(here.values_list("incident_id", "user_id")),
        points=ContactPoint.objects.in_bulk(ids) if ids else {},
        quiet={user_id: found.quiet for user_id, found in routes.items()},
        resting=resting(at),
    )


def _judged(notice: Notification, world: World) -> Outgoing | None:
    """Lease the notice for the place it goes to now; None when nothing of it leaves, and its row says why."""
    if notice.sending_since is not None:
        _note_lost(notice, notice.sending_since)
    notice.leased_until = notice.sending_since = None
    if refusal := _of_no_use(notice, world):
        _end(notice, Status.DROPPED, refusal)
        return None
    quiet = None if notice.ignores_quiet_hours else world.quiet.get(notice.recipient_id)
    if quiet is not None and (ends := quiet.ends_after(world.at)):
        notice.next_attempt_at = ends
        return None
    places = opened_route(notice.route, world.points, notice.recipient.email.strip())
    usable, refused = _usable(notice, places)
    if not usable:
        _end(notice, Status.HELD, refused)
        return None
    if notice.attempts_made >= ATTEMPTS:
        _end(notice, Status.FAILED, Refusal(Reason.LOST, LOST))
        return None
    awake = [position for position in usable if places[position].channel not in world.resting]
    if not awake:
        notice.next_attempt_at = min(_rest_of(world, places[position].channel) for position in usable)
        notice.reason_code, notice.reason = Reason.BUSY, world.resting[places[usable[0]].channel].reason
        return None
    return _outgoing(notice, places, awake[0], usable, world)


def _outgoing(
    notice: Notification, places: Sequence[Place], position: int, usable: Sequence[int], world: World
) -> Outgoing:
    has_moved = position != notice.position
    if has_moved:
        notice.position, notice.attempts_made = position, 0
    notice.leased_until = world.at + LEASE
    place = places[position]
    point = world.points.get(place.point_id) if place.point_id else None
    then = next((later for later in usable if later > position), None)
    return Outgoing(
        notice=notice,
        place=place,
        message=_message(notice, place, point),
        has_moved=has_moved,
        is_failing=point is not None and point.failing_since is not None,
        then=then,
        then_waits=places[then].wait if then is not None else timedelta(0),
    )


def _of_no_use(notice: Notification, world: World) -> Refusal | None:
    """Asked again for each attempt: who left the incident since, perhaps as their account fell, hears no more of it."""
    if notice.expires_at is not None and notice.expires_at <= world.at:
        return Refusal(Reason.EXPIRED, "too old to be of use")
    is_here = notice.incident_id is None or notice.event in BEYOND_THE_ROOM
    is_here = is_here or (notice.incident_id, notice.recipient_id) in world.here
    if not (is_here and notice.recipient.is_active):
        return Refusal(Reason.NOT_IN_INCIDENT, "not in the incident")
    return None


def _usable(notice: Notification, places: Sequence[Place]) -> tuple[list[int], Refusal]:
    """The places from the present one on that can be used, or why the first of them cannot."""
    untrusted = untrusted_in(notice.incident)
    found, first = [], None
    for position in range(notice.position, len(places)):
        refusal = refusal_of(places[position], untrusted)
        if refusal is None:
            found.append(position)
        first = first or refusal
    return found, first or Refusal(Reason.NO_ADDRESS, NO_ADDRESS)


def _rest_of(world: World, name: str) -> datetime:
    return world.resting[name].opened_until or world.at


def _end(notice: Notification, status: Status, refusal: Refusal) -> None:
    """Nothing more of it leaves. One that arrived by an earlier channel stays delivered."""
    notice.status = Status.DELIVERED if notice.delivered_at else status
    notice.reason_code, notice.reason = refusal.code, refusal.sentence


def _note_lost(notice: Notification, at: datetime) -> None:
    """A worker died as it was sending: whether that one left is not known, and the row says so."""
    place = notice.route[notice.position] if notice.position < len(notice.route) else {}
    NotificationAttempt.objects.create(
        notification=notice,
        at=at,
        channel=place.get("channel", ""),
        point_id=place.get("point"),
        is_delivered=False,
        reason_code=Reason.LOST,
        reason=LOST,
    )


def _message(notice: Notification, place: Place, point: ContactPoint | None) -> Message:
    by = channel(place.channel)
    tlp = notice.incident.tlp if notice.incident is not None else None
    subject, body = leaving(notice.subject, notice.body, notice.brief, tlp=tlp, is_short=by.IS_SHORT)
    return Message(
        address=by.clean(place.address),
        subject=subject,
        body=body,
        key=notice.idempotency_key,
        is_exercise=notice.incident is not None and notice.incident.is_exercise,
        is_important=notice.importance == Notification.Importance.IMPORTANT,
        language=notice.language,
        call_back=call_backs.address_for(notice.pk),
        secret=opened(point.secret) if point is not None and point.secret else "",
    )


def _gathered(leaving: Sequence[Outgoing]) -> list[Outgoing]:
    """The same, where of each bundle one carries what all the others say."""
    found: list[Outgoing] = []
    carriers: dict[str, list[Notification]] = {}
    for one in leaving:
        if not one.notice.bundle:
            found.append(one)
        elif one.notice.bundle not in carriers:
            carriers[one.notice.bundle] = bundled_with(one.notice)
            found.append(_carrying(one, carriers[one.notice.bundle]))
    return found


def _carrying(one: Outgoing, carried: Sequence[Notification]) -> Outgoing:
    if not carried:
        return one
    for notice in carried:
        notice.carried_by, notice.leased_until = one.notice, None
    Notification.objects.bulk_update(carried, ["carried_by", "leased_until"])
    incident = one.notice.incident
    if incident is not None and not may_say_all(incident.tlp):
        return replace(one, carries=True)
    subject, body = gathered([one.notice, *carried], one.notice.language)
    is_short = channel(one.place.channel).IS_SHORT
    message = replace(one.message, subject=subject, body=subject if is_short else body)
    return replace(one, message=message, carries=True)
