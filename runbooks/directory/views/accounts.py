"""The list of the institution's accounts."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import can
from runbooks.directory.models import Account
from runbooks.directory.queries import AccountCounts, Filter, account_counts, account_page, departments

STATES = (
    ("enabled", "Enabled"),
    ("disabled", "Sign-in disabled"),
    ("privileged", "Privileged"),
    ("gone", "Gone from the directory"),
)


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    actor = actor_of(request)
    narrowed = _filter(request)
    counts = account_counts(actor=actor)
    context = {
        "counts": counts,
        "filter": narrowed,
        "page": account_page(actor=actor, narrowed=narrowed, after=whole_number(request.GET.get("after"))),
        "kinds": _kinds(counts),
        "states": STATES,
        "departments": departments(actor=actor),
        "may_import": can(actor, "import_directory"),
        "may_view_connections": can(actor, "view_connections"),
    }
    return render(request, "directory/accounts.html", context)


def _filter(request: PortalRequest) -> Filter:
    """What the address asks for; what it says wrongly does not narrow."""
    given = {
        name: request.GET.get(name, "").replace("\x00", "").strip() for name in ("q", "kind", "state", "department")
    }
    return Filter(
        text=given["q"][:200],
        kind=given["kind"] if given["kind"] in Account.Kind.values else "",
        state=given["state"] if given["state"] in dict(STATES) else "",
        department=given["department"],
    )


def _kinds(counts: AccountCounts) -> list[tuple[str, str, int]]:
    """(kind, label, accounts) for the segments; those of no account are left out."""
    each = [
        (Account.Kind.PERSON, "People", counts.person),
        (Account.Kind.SHARED, "Shared mailboxes", counts.shared),
        (Account.Kind.SERVICE, "Service accounts", counts.service),
        (Account.Kind.GUEST, "Guests", counts.guest),
    ]
    return [("", "All", counts.known), *((str(kind), label, count) for kind, label, count in each if count)]
