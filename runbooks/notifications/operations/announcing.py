"""Writing notices: one row a person, in the transaction of the change it tells of."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from runbooks.access.models import User
from runbooks.access.permissions import ANYWHERE, TALKING
from runbooks.background import wake
from runbooks.contacts.queries import Place, Routes, routes_of
from runbooks.notifications.edited_texts import Fault
from runbooks.notifications.events import Event, events
from runbooks.notifications.models import Escalation, Notification
from runbooks.notifications.operations.chains import start_chain
from runbooks.notifications.routing import first_usable, kept_route, untrusted_in
from runbooks.notifications.wording import Announcing, Text, written

CRITICAL: Final = 1
WORKERS_WOKEN: Final = 4
A_WORKER_EACH: Final = 100
TEXT_FAILED: Final = "notice.text_failed"
Status = Notification.Status


@dataclass(frozen=True, slots=True)
class Said:
    """One event as it happened: what every notice of it has in common."""

    incident: Announcing | None
    event: Event
    about: str
    at: datetime
    texts: Mapping[str, Text]
    escalation: Escalation | None = None
    # Sets apart what says the same words again on purpose: the round of a chain.
    turn: str = ""
    is_fixed: bool = False


def announce(
    incident: Announcing,
    event: str,
    context: Mapping[str, Any],
    *,
    at: datetime,
    to: Iterable[User] | None = None,
    about: str = "",
) -> None:
    """Write one notice a recipient, in the transaction of the change, then wake workers.

    `event` names the template notifications/<event>.txt, which is rendered once in each language, with `context`, and
    its entry in events.toml. `about` names what makes the notice useless once it is done, for `withdraw`. Without `to`,
    everybody hears it who works in the incident, whoever did it included: a coordinator whose session was stolen
    learns from the notice what was done under their name. Call it after `record`.
    """
    recipients = list(working_in(incident.id) if to is None else to)
    _write(incident, event, context, recipients, at=at, about=about)


def tell(
    users: Iterable[User],
    event: str,
    context: Mapping[str, Any],
    *,
    at: datetime,
    about: str = "",
    places: Sequence[Place] | None = None,
) -> None:
    """The same for what concerns the portal itself and no incident.

    `places` takes the notice there and nowhere else, even to a contact point that was ended or not verified: it is the
    old address that must hear of it when somebody takes it out.
    """
    _write(None, event, context, list(users), at=at, about=about, places=places)


def _write(
    incident: Announcing | None,
    name: str,
    context: Mapping[str, Any],
    recipients: list[User],
    *,
    at: datetime,
    about: str,
    places: Sequence[Place] | None = None,
) -> None:
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("A notice belongs into the transaction of its change")
    event = events()[name]
    routes = routes_of({user.pk for user in recipients})
    languages = {"en-gb"} | {routes[user.pk].language for user in recipients}
    if places is not None:
        routes = {
            user_id: replace(found, default=list(places), important=list(places)) for user_id, found in routes.items()
        }
    texts = texts_of(name, context, incident, languages, at=at)
    said = Said(incident, event, about, at, texts, is_fixed=places is not None)
    if incident is not None:
        said = replace(said, escalation=start_chain(incident, event, about, texts, at=at))
    write_notices(said, recipients, routes)


def texts_of(
    event: str, context: Mapping[str, Any], incident: Announcing | None, languages: Iterable[str], *, at: datetime
) -> dict[str, Text]:
    """The words in each of these languages. An edited text that had to give way is told to those who can mend it."""
    texts = {language: written(event, context, incident, language=language, at=at) for language in sorted(languages)}
    for text in texts.values():
        if text.fault is not None:
            _tell_of_fault(text.fault, at)
    return texts


def _tell_of_fault(fault: Fault, at: datetime) -> None:
    """Once a version of the text. Where another transaction tells just now, it is left to that one: nobody waits."""
    about = f"text:{fault.event}:{fault.language}:{fault.version}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [about])
        (is_mine,) = cursor.fetchone()
    if is_mine and not Notification.objects.filter(event=TEXT_FAILED, about=about, incident__isnull=True).exists():
        context = {
            "what": events()[fault.event].says,
            "language": fault.language,
            "version": fault.version,
            "why": fault.why,
        }
        tell(
            User.objects.filter(is_active=True, role__in=ANYWHERE["edit_notices"]),
            TEXT_FAILED,
            context,
            at=at,
            about=about,
        )


def write_notices(said: Said, recipients: Iterable[User], routes: Mapping[int, Routes]) -> None:
    """The rows, and a wake-up for those that may leave now. The same words to the same person are one notice."""
    notices = [_notice(said, user, routes[user.pk]) for user in {user.pk: user for user in recipients}.values()]
    Notification.objects.bulk_create(notices, batch_size=1000, ignore_conflicts=True)
    leaving = sum(notice.status == Status.WAITING for notice in notices)
    for _ in range(min(-(-leaving // A_WORKER_EACH), WORKERS_WOKEN)):
        wake("notifications.deliver")


def working_in(incident_id: UUID) -> QuerySet[User]:
    """Current members who work in the incident. Auditors only read, and administrators look after the portal."""
    return User.objects.filter(
        is_active=True, role__in=TALKING, memberships__incident_id=incident_id, memberships__ended_at__isnull=True
    )


def _notice(said: Said, user: User, routes: Routes) -> Notification:
    event, incident, at = said.event, said.incident, said.at
    text = said.texts[routes.language]
    places = routes.important if event.is_important else routes.default
    position, refusal = first_usable(places, untrusted_in(incident))
    route = kept_route(places, is_fixed=said.is_fixed)
    leaves_at = at + event.bundled_for
    ignores_quiet = event.ignores_quiet_hours or (incident is not None and incident.severity == CRITICAL)
    if not ignores_quiet and routes.quiet and (quiet_ends := routes.quiet.ends_after(leaves_at)):
        leaves_at = quiet_ends
    return Notification(
        incident_id=incident.id if incident else None,
        event=event.name,
        sequence=incident.head_sequence if incident else None,
        about=said.about,
        importance=Notification.Importance.IMPORTANT if event.is_important else Notification.Importance.DEFAULT,
        ignores_quiet_hours=ignores_quiet,
        recipient=user,
        escalation=said.escalation,
        language=routes.language,
        subject=text.subject,
        body=text.body,
        brief=text.brief,
        idempotency_key=_key(said, user.pk, text, route),
        bundle=f"{incident.id}:{event.name}:{user.pk}"[:80] if incident and event.bundled_for else "",
        route=route,
        position=position,
        status=Status.HELD if refusal else Status.WAITING,
        reason_code=refusal.code if refusal else "",
        reason=refusal.sentence if refusal else "",
        next_attempt_at=leaves_at,
        expires_at=leaves_at + event.lifetime,
        created_at=at,
    )


def _key(said: Said, user_id: int, text: Text, route: list[dict[str, Any]]) -> str:
    """The same words of the same entry to the same person are one notice; at places of its own, one each."""
    incident = said.incident
    places = str(route) if said.is_fixed else ""
    place = [str(incident.id), str(incident.head_sequence)] if incident else ["", said.at.isoformat()]
    words = "\n".join([*place, said.event.name, said.turn, str(user_id), places, text.subject, text.body])
    return hashlib.sha256(words.encode()).hexdigest()
