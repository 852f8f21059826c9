"""Chains go on: whoever is next is called, until somebody answers or everybody was called in vain.

A step is taken when its time has come and not before, one at a time: a worker that was down for an hour calls one
step's people when it is back, and the next after that one's wait. Rows of notices say who was called and when.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from runbooks.access.models import User
from runbooks.access.permissions import PORTAL
from runbooks.contacts.queries import Routes, routes_of
from runbooks.incidents.models import Incident
from runbooks.notifications.events import events
from runbooks.notifications.models import Escalation, Notification
from runbooks.notifications.operations import withdraw
from runbooks.notifications.operations.announcing import Said, texts_of, write_notices
from runbooks.notifications.wording import Text
from runbooks.presentation import plural, span
from runbooks.reminders.operations.locking import lock_soon
from runbooks.reminders.queries.called import Called, called_by, may_answer, reach_of, who_cannot_answer
from runbooks.reminders.queries.calls import bare_subject
from runbooks.reminders.queries.crew import Crew, crew_of
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record

AT_ONCE = 500
OUTSIDE = "escalation.called"
Status = Escalation.Status


@dataclass(frozen=True, slots=True)
class Room:
    """What the steps of one chain share: the incident as of the entry it began with, and who is in it."""

    incident: Incident
    crew: Crew
    chain: Escalation
    barred: frozenset[int]
    at: datetime


def chains_due(at: datetime) -> list[tuple[UUID, UUID]]:
    """(chain, incident) of those whose next step has come, the longest due first."""
    due = Escalation.objects.filter(status=Status.RUNNING, next_at__lte=at).order_by("next_at", "pk")
    return list(due.values_list("pk", "incident_id")[:AT_ONCE])


@transaction.atomic
def move_chain(*, chain_id: UUID, incident_id: UUID, at: datetime) -> Escalation | None:
    """Take the step that is due; None where none is any more. A step that reaches nobody is passed over at once."""
    incident = lock_soon(incident_id)
    rows = Escalation.objects.select_for_update(of=("self",))
    chain = rows.filter(pk=chain_id, status=Status.RUNNING, next_at__lte=at).first()
    if chain is None:
        return None
    if incident.is_over:
        said = f"the incident is {incident.get_status_display().lower()}"
        withdraw(incident_id, chain.about, at=at, because=said)
        return chain
    view = copy.copy(incident)
    view.head_sequence = chain.sequence
    room = Room(view, crew_of(incident), chain, who_cannot_answer(chain), at)
    while chain.round <= chain.repeats:
        is_first_round, step = chain.round == 0, chain.steps[chain.position]
        called = called_by(step["to"], room.crew, at)
        turn = f"{chain.round}.{chain.position}"
        _advance(chain)
        missed = _call(room, called, turn, is_first_round=is_first_round)
        if not missed:
            chain.next_at = at + _wait(chain)
            chain.moved_at = at
            chain.save(update_fields=["position", "round", "next_at", "moved_at"])
            return chain
        if is_first_round:
            _say_passed_over(incident, chain, called, missed, at)
    _exhaust(incident, chain, at)
    return chain


def _advance(chain: Escalation) -> None:
    chain.position += 1
    if chain.position >= len(chain.steps):
        chain.position, chain.round = 0, chain.round + 1


def _wait(chain: Escalation) -> timedelta:
    """Before the step that is next; after the last, for an answer, as long as before the first."""
    return timedelta(minutes=chain.steps[chain.position]["wait"])


def _call(room: Room, called: Called, turn: str, *, is_first_round: bool) -> str:
    """Write the notices of one step; empty where somebody hears of it before the next, else why nobody does."""
    groups = [[user for user in group if may_answer(user, room.chain, room.barred)] for group in called.groups]
    people = [user for group in groups for user in group]
    if not people:
        return "nobody of them may decide on it" if any(called.groups) else called.nobody
    routes = routes_of({user.pk for user in people})
    reach = reach_of(people, routes, room.incident, room.at, on_duty=called.on_duty)
    wait = _wait(room.chain)
    heard = [any(reach[user.pk].is_within(room.at, wait) for user in group) for group in groups]
    tried = groups[: heard.index(True) + 1] if any(heard) else groups
    # Who cannot be reached has a row that says so, once: in a later round it would only say it again.
    told = [user for group in tried for user in group if is_first_round or not reach[user.pk].refusal]
    _write(room, told, routes, turn, on_duty=called.on_duty)
    return "" if any(heard) else "; ".join(f"{user}: {reach[user.pk].in_words}" for user in people)


def _write(room: Room, people: Sequence[User], routes: Mapping[int, Routes], turn: str, *, on_duty: bool) -> None:
    """Members hear what happened; who is called from outside hears that they are needed, and where."""
    inside = [user for user in people if user.pk in room.crew.members]
    outside = [user for user in people if user.pk not in room.crew.members]
    languages = {"en-gb"} | {routes[user.pk].language for user in people}
    chain = room.chain
    if inside:
        kept = {language: chain.texts.get(language) or chain.texts["en-gb"] for language in languages}
        texts = {language: Text(**said) for language, said in kept.items()}
        _say(room, chain.event, texts, inside, routes, turn, on_duty=on_duty)
    if outside:
        context = {"lead": str(room.crew.lead or room.crew.deputy or ""), "since": chain.started_at}
        texts = texts_of(OUTSIDE, context, room.incident, languages, at=room.at)
        _say(room, OUTSIDE, texts, outside, routes, turn, on_duty=on_duty)


def _say(
    room: Room,
    name: str,
    texts: dict[str, Text],
    people: Sequence[User],
    routes: Mapping[int, Routes],
    turn: str,
    *,
    on_duty: bool,
) -> None:
    """By every way of theirs, one after the other, at once: nobody is called to be told in a bundle."""
    known = events()[name]
    event = replace(
        known,
        is_important=True,
        bundled_for=timedelta(),
        ignores_quiet_hours=known.ignores_quiet_hours or on_duty,
    )
    said = Said(room.incident, event, room.chain.about, room.at, texts, escalation=room.chain, turn=turn)
    write_notices(said, people, routes)


def _say_passed_over(incident: Incident, chain: Escalation, called: Called, why: str, at: datetime) -> None:
    subject = subject_of(incident, chain)
    said = f"Could not call {called.whom}: {why}. The next are called at once. It is about: {subject}"
    details = {"event": chain.event, "about": chain.about, "called": called.whom, "why": why}
    record(incident, Entry("escalation.passed_over", said, Lane.NOTE, details), actor=PORTAL, at=at)


def _exhaust(incident: Incident, chain: Escalation, at: datetime) -> None:
    """Everybody was called as often as the policy says. The incident's page says so until somebody takes it on."""
    length = span(at - chain.started_at)
    told = Notification.objects.filter(escalation=chain, delivered_at__isnull=False)
    names = list(told.order_by("recipient__name").values_list("recipient__name", flat=True).distinct())
    chain.status, chain.next_at, chain.ended_at, chain.moved_at = Status.EXHAUSTED, None, at, at
    chain.ended_because = f"nobody answered within {length}"
    chain.save()
    reached = f"{plural(len(names), 'person', 'people')} told: {', '.join(names)}" if names else "nobody could be told"
    said = f"Nobody answered within {length}: {subject_of(incident, chain)}. {reached[0].upper()}{reached[1:]}"
    details = {"event": chain.event, "about": chain.about, "started_at": chain.started_at.isoformat(), "told": names}
    record(incident, Entry("escalation.exhausted", said, Lane.NOTE, details), actor=PORTAL, at=at)


def subject_of(incident: Incident, chain: Escalation) -> str:
    return bare_subject(chain.texts, incident.reference)
