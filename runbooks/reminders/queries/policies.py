"""Whom each event calls: as decided last, its history, and what would happen if it happened now."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from runbooks.access.models import Role, User
from runbooks.access.permissions import TALKING
from runbooks.contacts.models import Rota
from runbooks.contacts.queries import routes_of
from runbooks.errors import NotFoundError
from runbooks.incidents.models import Incident
from runbooks.notifications.events import Chain, Event, events
from runbooks.notifications.models import EscalationPolicy
from runbooks.presentation import plural, span
from runbooks.reminders.queries.called import Called, called_by, reach_of
from runbooks.reminders.queries.crew import Crew, crew_of

HISTORY_MOST: Final = 50
ROLES: Final = sorted(TALKING, key=list(Role).index)


@dataclass(frozen=True, slots=True)
class Policy:
    """What counts for one event now. `edited` is the newest version; None while it is as shipped."""

    event: Event
    edited: EscalationPolicy | None

    @property
    def version(self) -> int:
        return self.edited.version if self.edited else 0

    @property
    def is_shipped(self) -> bool:
        return self.edited is None or (self.edited.is_active and not self.edited.steps)

    @property
    def is_active(self) -> bool:
        return self.edited is None or self.edited.is_active

    @property
    def chain(self) -> Chain:
        """Also of one that is switched off, to be switched on again."""
        shipped = self.event.chain
        if shipped is None:
            raise NotFoundError("This event calls nobody.")
        if self.edited is None or not self.edited.steps:
            return shipped
        return Chain(self.edited.severity_at_most, self.edited.repeats, self.edited.steps)


def calling_events() -> dict[str, Event]:
    """The events that call people, by name, in the order of the file."""
    return {name: event for name, event in events().items() if event.chain is not None}


def policies() -> list[Policy]:
    """All of them, in one query."""
    known = calling_events()
    rows = EscalationPolicy.objects.filter(event__in=known).order_by("event", "-version").distinct("event")
    newest = {row.event: row for row in rows}
    return [Policy(event, newest.get(name)) for name, event in known.items()]


def policy_of(name: str) -> Policy:
    event = calling_events().get(name)
    if event is None:
        raise NotFoundError("There is no such event that calls people.")
    return Policy(event, EscalationPolicy.objects.filter(event=name).order_by("-version").first())


def history_of(name: str) -> list[EscalationPolicy]:
    """Its versions, the newest first."""
    return list(EscalationPolicy.objects.filter(event=name).order_by("-version")[:HISTORY_MOST])


@dataclass(frozen=True, slots=True)
class Callable:
    """Somebody, or some duty, that a step may call: as the policy keeps it, and in words."""

    to: str
    label: str


def callables() -> list[Callable]:
    """Whom a step may call: the lead, roles, rotas that have not ended, people who may sign in. Two queries."""
    found = [Callable("lead", "The lead, else the deputy")]
    found += [Callable(f"role:{role.value}", f"Everybody with the role {role.label.lower()}") for role in ROLES]
    rotas = Rota.objects.filter(ended_at__isnull=True).order_by("name").values_list("pk", "name")
    found += [Callable(f"rota:{pk}", f"On call: {name}") for pk, name in rotas]
    people = User.objects.filter(is_active=True).order_by("name", "pk").values_list("pk", "name", "username")
    return [*found, *(Callable(f"user:{pk}", f"{name or username}") for pk, name, username in people)]


def names_of(chains: Iterable[Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """{to: how it is said} for the steps of these chains; at most two queries."""
    wanted = {str(step["to"]) for steps in chains for step in steps}
    found = {"lead": "the lead", **{f"role:{role.value}": f"role {role.label.lower()}" for role in Role}}
    by_kind = {kind: [to.partition(":")[2] for to in wanted if to.startswith(f"{kind}:")] for kind in ("rota", "user")}
    if by_kind["rota"]:
        rotas = Rota.objects.filter(pk__in=by_kind["rota"])
        found |= {f"rota:{rota.pk}": f"on call: {rota}{', ended' if rota.ended_at else ''}" for rota in rotas}
    if by_kind["user"]:
        found |= {f"user:{user.pk}": str(user) for user in User.objects.filter(pk__in=by_kind["user"])}
    return {to: found.get(to, "nobody known") for to in wanted}


def in_words(chain: Chain, names: Mapping[str, str]) -> str:
    """After 10 min the lead, 10 min later role coordinator; all of it 2 more times."""
    said: list[str] = []
    for step in chain.steps:
        wait = span(timedelta(minutes=step["wait"]))
        said.append(f"{wait} later {names[step['to']]}" if said else f"after {wait} {names[step['to']]}")
    words = ", ".join(said)
    times = plural(chain.repeats, "more time")
    return f"{words[0].upper()}{words[1:]}" + (f"; all of it {times}" if chain.repeats else "")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who would be called; `trouble` is why they would not hear of it, empty where they would."""

    name: str
    trouble: str


@dataclass(frozen=True, slots=True)
class Line:
    """One step of a preview. `nobody` says why there is nobody to call."""

    at: datetime
    whom: str
    people: Sequence[Person]
    nobody: str


@dataclass(frozen=True, slots=True)
class Preview:
    """The first round, how often it is gone through again, and when nobody has answered."""

    lines: Sequence[Line]
    repeats: int
    ends_at: datetime


def preview(chain: Chain, incident: Incident | None, now: datetime) -> Preview:
    """What would happen if it happened now, in this incident or, where none is given, in one declared now."""
    crew = crew_of(incident) if incident else _crew_at_declaration()
    lines, at, each = [], now, timedelta()
    for step in chain.steps:
        at += timedelta(minutes=step["wait"])
        each += timedelta(minutes=step["wait"])
        lines.append(_line(called_by(step["to"], crew, at), incident, at))
    first = timedelta(minutes=chain.steps[0]["wait"]) if chain.steps else timedelta()
    return Preview(lines, chain.repeats, now + each * (chain.repeats + 1) + first)


def _crew_at_declaration() -> Crew:
    """Every coordinator is in an incident from its start; who leads is not known."""
    coordinators = User.objects.filter(is_active=True, role=Role.COORDINATOR).order_by("name", "pk")
    return Crew({user.pk: user for user in coordinators}, {}, None)


def _line(called: Called, incident: Incident | None, at: datetime) -> Line:
    people = [user for group in called.groups for user in group]
    if not people:
        known = "whoever leads it" if called.whom == "the lead" else "those of them who are in it"
        return Line(at, called.whom, [], called.nobody if incident or called.on_duty else known)
    reach = reach_of(people, routes_of({user.pk for user in people}), incident, at, on_duty=called.on_duty)
    return Line(at, called.whom, [Person(str(user), reach[user.pk].in_words) for user in people], "")
