"""Sending again what was given up, held or dropped, by the ways its recipient has now."""

from datetime import datetime

from runbooks.background import wake
from runbooks.contacts.queries import Place, routes_of
from runbooks.notifications.models import Notification
from runbooks.notifications.queries import is_still_here
from runbooks.notifications.routing import Refusal, first_usable, kept_route, untrusted_in


def refusal_now(notice: Notification) -> str:
    """Why nothing may be sent now, by any way its recipient has or to this person at all; empty when it may."""
    if not is_still_here(notice):
        return "not in the incident"
    _, refusal = _ways_now(notice)[1]
    return refusal.sentence if refusal else ""


def requeue(notice: Notification, *, at: datetime) -> None:
    """Give a notice whose row the caller has locked a new beginning, whatever the hour: a person asked for it.

    The operation above says who may and when, and records it.
    """
    places, (position, _) = _ways_now(notice)
    lifetime = notice.expires_at - notice.created_at if notice.expires_at else None
    notice.route, notice.position = kept_route(places), position
    notice.status, notice.reason_code, notice.reason = Notification.Status.WAITING, "", ""
    notice.attempts_made, notice.next_attempt_at, notice.carried_by = 0, at, None
    notice.leased_until = notice.sending_since = notice.acknowledged_at = None
    notice.ignores_quiet_hours = True
    notice.expires_at = at + lifetime if lifetime else None
    notice.save()
    wake("notifications.deliver")


def _ways_now(notice: Notification) -> tuple[list[Place], tuple[int, Refusal | None]]:
    routes = routes_of({notice.recipient_id})[notice.recipient_id]
    is_important = notice.importance == Notification.Importance.IMPORTANT
    places = routes.important if is_important else routes.default
    return places, first_usable(places, untrusted_in(notice.incident))
