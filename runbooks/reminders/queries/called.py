"""Whom a step of a chain calls at this moment, and whether they can be reached before the next step is due."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbooks.access.http import whole_number
from runbooks.access.models import Role, User
from runbooks.access.permissions import LEADING
from runbooks.actions.models import Action
from runbooks.contacts.models import Rota
from runbooks.contacts.queries import Routes, on_call
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Escalation
from runbooks.notifications.routing import first_usable, untrusted_in
from runbooks.reminders.queries.crew import Crew

CRITICAL = Incident.Severity.CRITICAL


@dataclass(frozen=True, slots=True)
class Called:
    """`groups` are tried in this order: the first of whom one can be reached is called. `whom` says it in words.

    `on_duty`: they are called because it is their shift, so their quiet hours do not count.
    """

    whom: str
    groups: Sequence[Sequence[User]]
    on_duty: bool = False
    nobody: str = ""
    """Why there is nobody at all; empty where there is somebody."""


def called_by(to: str, crew: Crew, at: datetime) -> Called:
    """`to` as a policy keeps it: lead, role:<role>, rota:<id>, user:<id>."""
    kind, _, which = to.partition(":")
    if kind == "lead":
        groups = [[one] for one in (crew.lead, crew.deputy) if one is not None]
        return Called("the lead", groups, nobody="nobody leads the incident, and there is no deputy")
    if kind == "role" and which in Role.values:
        label = Role(which).label.lower()
        return Called(f"role {label}", [crew.of_role(which)], nobody=f"nobody in the incident has the role {label}")
    number = whole_number(which)
    if kind == "rota" and number is not None:
        return _on_call(number, at)
    if kind == "user" and number is not None:
        return _person(number)
    return Called(to, [], nobody=f"the portal does not know who {to} is")


def _on_call(rota_id: int, at: datetime) -> Called:
    rota = Rota.objects.filter(pk=rota_id).first()
    if rota is None:
        return Called("a rota", [], nobody="its rota is not there")
    user_id = on_call(rota_id, at)
    people = list(User.objects.filter(pk=user_id, is_active=True)) if user_id else []
    whom, nobody = f"whoever is on call in {rota}", f"nobody is on call in {rota}"
    return Called(whom, [people], on_duty=True, nobody=f"{nobody}, which has ended" if rota.ended_at else nobody)


def _person(user_id: int) -> Called:
    person = User.objects.filter(pk=user_id).first()
    if person is None:
        return Called("a person", [], nobody="the person is not there")
    people = [person] if person.is_active else []
    return Called(str(person), [people], nobody=f"{person} may not sign in any more")


def who_cannot_answer(chain: Escalation) -> frozenset[int]:
    """People a call would be of no use to: whoever asked for a second person is not the second person."""
    kind, _, which = chain.about.partition(":")
    if chain.event != "action.requested" or kind != "action":
        return frozenset()
    authors = Action.objects.filter(pk=which).values_list("authors", flat=True).first()
    return frozenset(authors or ())


def may_answer(user: User, chain: Escalation, barred: frozenset[int]) -> bool:
    decides = chain.event != "action.requested" or user.role in LEADING
    return decides and user.pk not in barred


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether a notice can leave for somebody: why not, or until when they want quiet."""

    refusal: str = ""
    quiet_until: datetime | None = None

    @property
    def in_words(self) -> str:
        return self.refusal or ("quiet hours" if self.quiet_until else "")

    def is_within(self, at: datetime, wait: timedelta) -> bool:
        """Whether a notice written now leaves before the next step is due."""
        return not self.refusal and (self.quiet_until is None or self.quiet_until < at + wait)


def reach_of(
    people: Iterable[User], routes: Mapping[int, Routes], incident: Incident | None, at: datetime, *, on_duty: bool
) -> dict[int, Reach]:
    """By the ways of each for important notices, as the outbox judges them."""
    untrusted = untrusted_in(incident)
    wakes = on_duty or (incident is not None and incident.severity == CRITICAL)
    found: dict[int, Reach] = {}
    for user in people:
        ways = routes[user.pk]
        _, refusal = first_usable(ways.important, untrusted)
        quiet = None if wakes or ways.quiet is None else ways.quiet.ends_after(at)
        found[user.pk] = Reach(refusal.sentence if refusal else "", quiet)
    return found
