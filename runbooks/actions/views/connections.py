"""Which connections an incident may use, and what each says it can do."""

from datetime import timedelta
from typing import NamedTuple

from runbooks.actions.models import Action
from runbooks.connectors import configured, connection_names
from runbooks.connectors.base import Action as Verb
from runbooks.connectors.base import Capabilities, Fact
from runbooks.errors import DomainError
from runbooks.presentation import span

FACT_WORDS = {
    Fact.LOCKED: "whether sign-in is disabled",
    Fact.LOCKED_BY_FAILURES: "whether failed attempts locked it",
    Fact.PASSWORD_CHANGED_AT: "when the password changed",
    Fact.MUST_CHANGE_PASSWORD: "whether a new password is required",
    Fact.SESSIONS_ENDED_AT: "when sessions were ended",
    Fact.REMOTE_ACCESS: "remote access",
}


class Usable(NamedTuple):
    name: str
    capabilities: Capabilities

    def can(self, kind: str) -> bool:
        return kind in Action.Kind.values and Verb(kind) in self.capabilities.actions

    @property
    def says(self) -> str:
        """What it reads back, in words."""
        read = [word for fact, word in FACT_WORDS.items() if fact in self.capabilities.facts]
        if not read:
            return "Goes to people as a work list. They bring the evidence; nothing is read back."
        return f"Reads back {', '.join(read)}."


def usable_connections(*, exercise: bool) -> list[Usable]:
    """Simulated ones for an exercise, real ones for anything else; those that read back come first."""
    found = []
    for name in connection_names():
        capabilities = capabilities_of(name)
        if capabilities is not None and capabilities.is_simulated == exercise:
            found.append(Usable(name, capabilities))
    return sorted(found, key=lambda one: (not one.capabilities.facts, one.name))


def capabilities_of(name: str) -> Capabilities | None:
    """None where the connection is gone from the settings, or is not set up rightly."""
    try:
        connector = configured(name)
    except DomainError:
        return None
    try:
        return connector.capabilities
    finally:
        connector.close()


def duration(count: int, capabilities: Capabilities) -> str:
    """How long so many accounts take under the rate that the system bears: about 2 min; less than 1 min."""
    seconds = count / capabilities.rate_per_second if capabilities.rate_per_second else 0
    said = span(timedelta(seconds=seconds + capabilities.lag_seconds))
    return said if said.startswith("less") else f"about {said}"
