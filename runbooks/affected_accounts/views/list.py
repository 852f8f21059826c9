"""The table of an incident's accounts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import can
from runbooks.affected_accounts.models import FactKind, State, Tier
from runbooks.affected_accounts.queries import GroupCounts, grouped
from runbooks.affected_accounts.queries.page import (
    COMPROMISED,
    CONTACTS,
    NOBODY,
    SORTS,
    AccountFilter,
    table,
)
from runbooks.affected_accounts.transitions import GROUP_LABELS, Group
from runbooks.affected_accounts.views.table import CHECKS, table_body
from runbooks.affected_accounts.views.verbs import allowed_verbs
from runbooks.incidents.queries import incident_for, people_of
from runbooks.presentation import number, plural
from runbooks.timeline.operations import now

SORT_LABELS = {"work": "Work left first", "login": "Account", "changed": "Changed last"}
GROUP_WORDS = {**{str(group): label for group, label in GROUP_LABELS.items()}, COMPROMISED: "Compromised"}


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    address: str
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class Select:
    """A list to choose from in the filter row. `options` is ready HTML: forty of them on every page."""

    name: str
    label: str
    any: str
    options: SafeString


OPTION = '<option value="{}"{}>{}</option>'
CHOSEN = mark_safe(" selected")


def _select(name: str, label: str, any_: str, options: list[tuple[str, str]], chosen: str) -> Select:
    marked = ((value, CHOSEN if value == chosen else "", said) for value, said in options)
    return Select(name, label, any_, format_html_join("", OPTION, marked))


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    wanted = AccountFilter.read(request.GET.dict())
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else "work"
    read = table(incident, wanted, sort=sort, after=request.GET.get("after", ""), before=request.GET.get("before", ""))
    found, counts, matched = read.page, grouped(read.states), read.matched
    people = people_of(incident.pk)
    verbs = [] if incident.is_over else [(form.verb, form.title) for form in allowed_verbs(actor)]
    links = Links(incident.reference, wanted, sort)
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "accounts",
        "rows": len(found.rows),
        "body": table_body(found.rows, dict(people), incident.zone, at, choosable=bool(verbs)),
        "counts": counts,
        "total": matched.total,
        "heads": [(kind.value, *words, number(matched.facts[kind])) for kind, *words in CHECKS],
        "wanted": wanted,
        "parameters": wanted.parameters(),
        "sort": sort,
        "sorts": {name: links.to(sort=name) for name in SORTS},
        "segments": _segments(counts, wanted, links),
        "selects": _selects(people, read.states, wanted, sort),
        "tokens": _tokens(wanted, links),
        "next": links.to(after=found.after) if found.after else "",
        "previous": links.to(before=found.before) if found.before else "",
        "first": links.to() if found.before else "",
        "verbs": verbs,
        "may_act": can(actor, "request_action") and not incident.is_over,
        "may_send_codes": can(actor, "issue_code") and not incident.is_over,
        "may_import": can(actor, "import_affected") and not incident.is_over,
        "unresolved": read.unresolved,
        "differs": matched.differs,
        "differing": links.to(differs="1"),
        "caption": f"{plural(matched.total, 'account')}, {SORT_LABELS[sort].lower()}",
    }
    return render(request, "affected_accounts/list.html", context)


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of this table with something changed; a changed filter begins at the first page."""

    reference: str
    wanted: AccountFilter
    sort: str

    def to(self, *, sort: str = "", after: str = "", before: str = "", **changes: str) -> str:
        parameters = replace(self.wanted, **changes).parameters()
        chosen = sort or self.sort
        if chosen != "work":
            parameters["sort"] = chosen
        parameters |= {name: value for name, value in (("after", after), ("before", before)) if value}
        address = reverse("accounts", args=[self.reference])
        return f"{address}?{urlencode(parameters)}" if parameters else address


def _segments(counts: GroupCounts, wanted: AccountFilter, links: Links) -> list[Link]:
    parts: list[tuple[str, str, int]] = [
        ("", "All", counts.total),
        (Group.SUSPECTED, "Suspected", counts.suspected),
        (COMPROMISED, "Compromised", counts.compromised),
        (Group.CLEARED, "Not affected", counts.cleared),
    ]
    return [
        Link(f"{label} {number(count)}", links.to(group=key, state="", ready=""), is_current=wanted.group == key)
        for key, label, count in parts
    ]


def _tokens(wanted: AccountFilter, links: Links) -> list[Link]:
    """What narrows and is shown by no control of the row; each can be taken off."""
    tokens = []
    if wanted.group in GROUP_WORDS and wanted.group not in {Group.SUSPECTED, COMPROMISED, Group.CLEARED}:
        tokens.append(Link(GROUP_WORDS[wanted.group], links.to(group="")))
    if wanted.differs:
        tokens.append(Link("Differs from what was done", links.to(differs="")))
    if wanted.ready:
        tokens.append(Link(f"Can become {State(wanted.ready).label.lower()}", links.to(ready="")))
    return tokens


def _selects(
    people: list[tuple[int, str]], states: Mapping[State, int], wanted: AccountFilter, sort: str
) -> list[Select]:
    present = [(state.value, f"{state.label} {number(states[state])}") for state in State if state in states]
    owners = [(str(pk), name) for pk, name in people]
    contacts = [(value, label) for value, (label, _) in CONTACTS.items()]
    given: list[tuple[str, str, str, list[tuple[str, str]]]] = [
        ("state", "State", "Any state", present),
        ("missing", "Missing check", "Any check", [(kind.value, f"No: {kind.label.lower()}") for kind in FactKind]),
        ("contact", "Contact", "Any contact", contacts),
        ("owner", "Owner", "Any owner", [(NOBODY, "Nobody"), *owners]),
        ("tier", "Tier", "Any tier", [(tier.value, f"Tier {tier.label}") for tier in Tier]),
    ]
    parameters = wanted.parameters()
    selects = [_select(name, label, any_, options, parameters.get(name, "")) for name, label, any_, options in given]
    others = [(value, label) for value, label in SORT_LABELS.items() if value != "work"]
    return [*selects, _select("sort", "Sort by", SORT_LABELS["work"], others, sort)]
