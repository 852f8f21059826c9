"""Every connection to an identity system: what it can do and read back, and a test of it on the spot."""

import time
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import require
from runbooks.actions.models import Action
from runbooks.actions.views.connections import FACT_WORDS
from runbooks.connectors import configured, connection_names
from runbooks.connectors.base import Action as Verb
from runbooks.connectors.base import Capabilities, Fact, Finding, Severity
from runbooks.errors import DomainError
from runbooks.presentation import number, plural, span
from runbooks.timeline.operations import now

MARKS = {Severity.FINE: ("check", "good"), Severity.WARNING: ("warn", "wait"), Severity.ERROR: ("fail", "bad")}
HEADS = {
    Severity.FINE: "Nothing keeps it from working",
    Severity.WARNING: "It works, with warnings",
    Severity.ERROR: "It would not do all that it declares",
}
WORST = (Severity.ERROR, Severity.WARNING, Severity.FINE)


@dataclass(frozen=True, slots=True)
class Ability:
    label: str
    undone: str


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection in words. `problem` says why it cannot be used at all; the rest is empty then."""

    name: str
    connector: str
    problem: str = ""
    what_for: str = ""
    abilities: tuple[Ability, ...] = ()
    reads: tuple[str, ...] = ()
    lag: str = ""
    batch: str = ""
    rate: str = ""
    permissions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tested:
    """What a self-test said. `findings`: icon, tone, severity, what, how to mend it."""

    name: str
    head: str
    tone: str
    icon: str
    took: str
    findings: tuple[tuple[str, str, str, str, str], ...]


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    require(actor_of(request), "view_connections")
    return _show(request)


@require_POST
def test(request: PortalRequest, name: str) -> HttpResponse:
    """Ask the system now. It takes as long as the connection's own time-outs let it, and changes nothing there."""
    require(actor_of(request), "view_connections")
    if name not in settings.CONNECTIONS:
        raise Http404
    begun = time.monotonic()
    try:
        connector = configured(name)
        try:
            findings = connector.self_test()
        finally:
            connector.close()
    except DomainError as error:
        findings = [Finding(Severity.ERROR, str(error), "Mend the settings, then start the portal again.")]
    return _show(request, _tested(name, findings, timedelta(seconds=time.monotonic() - begun)))


def _show(request: PortalRequest, tested: Tested | None = None) -> HttpResponse:
    context = {
        "connections": [_described(name) for name in connection_names()],
        "tested": tested,
        "now": now(),
    }
    return render(request, "actions/connections.html", context)


def _tested(name: str, findings: list[Finding], took: timedelta) -> Tested:
    worst = next((severity for severity in WORST if any(one.severity is severity for one in findings)), Severity.FINE)
    icon, tone = MARKS[worst]
    said = tuple((*MARKS[one.severity], one.severity.value.capitalize(), one.what, one.mend) for one in findings)
    return Tested(name, HEADS[worst], tone, icon, f"{took.total_seconds():.1f} s", said)


def _described(name: str) -> Connection:
    kind = str(settings.CONNECTIONS[name].get("connector", "none"))
    try:
        connector = configured(name)
    except DomainError as error:
        return Connection(name, kind, problem=str(error))
    try:
        return _in_words(name, kind, connector.capabilities)
    finally:
        connector.close()


def _in_words(name: str, kind: str, can: Capabilities) -> Connection:
    return Connection(
        name,
        kind,
        what_for="Exercises only" if can.is_simulated else "Real incidents",
        abilities=tuple(_ability(verb, can) for verb in Verb if verb in can.actions),
        reads=tuple(FACT_WORDS[fact] for fact in Fact if fact in can.facts),
        lag=_seconds(can.lag_seconds) if can.lag_seconds else "none",
        batch=plural(can.batch_size, "account"),
        rate=_rate(can.rate_per_second),
        permissions=can.permissions,
    )


def _ability(verb: Verb, can: Capabilities) -> Ability:
    undoing = can.undone_by.get(verb)
    if verb is Verb.READ_STATE:
        return Ability(Action.Kind(verb).label, "changes nothing")
    return Ability(Action.Kind(verb).label, "can be undone" if undoing else "cannot be undone")


def _seconds(seconds: float) -> str:
    return span(timedelta(seconds=seconds)) if seconds >= 60 else f"{seconds:g} s"


def _rate(a_second: float) -> str:
    """Accounts a second, or a minute where that is under one."""
    if a_second >= 1:
        return f"{number(round(a_second))} accounts a second"
    return f"{a_second * 60:.2g} accounts a minute"
