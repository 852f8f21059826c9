"""The room of the exercise: who signs in, with which role, and what each does in the incident."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password

from runbooks.access.models import Role, User
from runbooks.access.permissions import Actor, actor_for
from runbooks.incidents.models import IncidentRole

Kind = IncidentRole.Kind
# Without signs that are taken for one another when somebody reads a password aloud or types it from a screen.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
OUTDATED = "legal.adviser@old-mail.example"
"""The address the legal adviser had until the exercise showed that mail to it comes back."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the room, known by a duty. `kinds` are the roles given at the start of the incident."""

    key: str
    username: str
    name: str
    role: Role
    kinds: tuple[Kind, ...] = ()

    @property
    def address(self) -> str:
        return f"{self.username}@responders.example"


PEOPLE = (
    Person("duty", "duty.coordinator", "Duty coordinator", Role.COORDINATOR, (Kind.LEAD,)),
    Person("deputy", "deputy.coordinator", "Deputy coordinator", Role.COORDINATOR, (Kind.DEPUTY,)),
    Person("scribe", "incident.scribe", "Incident scribe", Role.RESPONDER, (Kind.SCRIBE,)),
    Person("directory", "directory.team", "Directory team", Role.RESPONDER, (Kind.IDENTITY,)),
    Person(
        "security",
        "security.operations",
        "Security operations",
        Role.RESPONDER,
        (Kind.FORENSICS, Kind.INTELLIGENCE),
    ),
    Person("mail", "mail.team", "Mail platform team", Role.RESPONDER, (Kind.MAIL,)),
    Person("network", "network.team", "Network team", Role.RESPONDER, (Kind.NETWORK,)),
    Person("desk", "service.desk", "Service desk", Role.DESK, (Kind.DESK, Kind.CONTACT)),
    # One of those who come for the second day; whoever leads adds them then.
    Person("caller", "call.desk", "Call desk", Role.DESK),
    Person("communications", "communications", "Communications lead", Role.COMMUNICATIONS, (Kind.COMMUNICATIONS,)),
    Person("protection", "data.protection", "Data protection officer", Role.RESPONDER, (Kind.DPO,)),
    Person("legal", "legal.adviser", "Legal adviser", Role.RESPONDER, (Kind.LEGAL,)),
    Person("auditor", "internal.auditor", "Internal auditor", Role.AUDITOR),
    Person("administrator", "administrator", "Portal administrator", Role.ADMINISTRATOR),
)
# Who is in the room without signing in.
OTHERS = {
    "control": Actor("Exercise control"),
    "gateway": Actor("Gateway counter", is_automated=True),
    "firewall": Actor("Gateway rules", is_automated=True),
    "check": Actor("Directory check", is_automated=True),
    "mailbox": Actor("Mail platform check", is_automated=True),
}


@dataclass(frozen=True, slots=True)
class SignIn:
    """What somebody needs to sign in; the password is known nowhere else."""

    role: str
    username: str
    name: str
    password: str


def make_password_text() -> str:
    """Three groups of five signs, about 74 bits."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(3))


def make_users() -> tuple[dict[str, User], list[SignIn]]:
    """The portal's users by key, with passwords of this installation's own."""
    users, sign_ins = {}, []
    for person in PEOPLE:
        password = make_password_text()
        is_administrator = person.role == Role.ADMINISTRATOR
        users[person.key] = User.objects.create(
            username=person.username,
            name=person.name,
            role=person.role,
            email=OUTDATED if person.key == "legal" else person.address,
            password=make_password(password),
            is_staff=is_administrator,
            is_superuser=is_administrator,
        )
        sign_ins.append(SignIn(person.role.label, person.username, person.name, password))
    return users, sign_ins


def make_actors(users: Mapping[str, User]) -> dict[str, Actor]:
    return OTHERS | {key: actor_for(user) for key, user in users.items()}
