"""Sending again what was given up, held or dropped, by the ways its recipients have now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from runbooks.background import wake
from runbooks.contacts.queries import Place, Routes, routes_of
from runbooks.notifications.models import Notification
from runbooks.notifications.operations.announcing import A_WORKER_EACH, WORKERS_WOKEN
from runbooks.notifications.queries import still_here
from runbooks.notifications.routing import Refusal, first_usable, kept_route, untrusted_in

NOT_HERE = "not in the incident"
CHANGED = (
    *("route", "position", "status", "reason_code", "reason", "attempts_made", "next_attempt_at", "carried_by"),
    *("leased_until", "sending_since", "acknowledged_at", "ignores_quiet_hours", "expires_at"),
)


@dataclass(frozen=True, slots=True)
class Resent:
    """Which notices are on their way again, and why the others are not."""

    sent: Sequence[Notification]
    refused: Mapping[UUID, str]


def requeue_all(notices: Sequence[Notification], *, at: datetime) -> Resent:
    """Give notices whose rows the caller has locked a new beginning, whatever the hour: a person asked for it.

    Those for whom there is no way, or who may not hear of it any more, are left as they are. The operation above says
    who may and when, and records it. As many queries as for one.
    """
    routes, here = routes_of({notice.recipient_id for notice in notices}), still_here(notices)
    sent, refused = [], {}
    for notice in notices:
        if notice.pk not in here:
            refused[notice.pk] = NOT_HERE
            continue
        places, (position, refusal) = _ways_now(notice, routes)
        if refusal is not None:
            refused[notice.pk] = refusal.sentence
            continue
        _begin_anew(notice, places, position, at)
        sent.append(notice)
    Notification.objects.bulk_update(sent, CHANGED, batch_size=500)
    for _ in range(min(-(-len(sent) // A_WORKER_EACH), WORKERS_WOKEN)):
        wake("notifications.deliver")
    return Resent(sent, refused)


def requeue(notice: Notification, *, at: datetime) -> None:
    """The same for one, of which it is known that it may go."""
    requeue_all([notice], at=at)


def _begin_anew(notice: Notification, places: Sequence[Place], position: int, at: datetime) -> None:
    lifetime = notice.expires_at - notice.created_at if notice.expires_at else None
    notice.route, notice.position = kept_route(places), position
    notice.status, notice.reason_code, notice.reason = Notification.Status.WAITING, "", ""
    notice.attempts_made, notice.next_attempt_at, notice.carried_by = 0, at, None
    notice.leased_until = notice.sending_since = notice.acknowledged_at = None
    notice.ignores_quiet_hours = True
    notice.expires_at = at + lifetime if lifetime else None


def _ways_now(notice: Notification, routes: Mapping[int, Routes]) -> tuple[list[Place], tuple[int, Refusal | None]]:
    found = routes[notice.recipient_id]
    is_important = notice.importance == Notification.Importance.IMPORTANT
    places = found.important if is_important else found.default
    return places, first_usable(places, untrusted_in(notice.incident))
