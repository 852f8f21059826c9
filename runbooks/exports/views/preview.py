"""What a disclosure copy would hold, before anybody asks for it: read, counted and forgotten."""

from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import require
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.exports.formats.disclosure import PSEUDONYMISED, WHOLE, WITHHELD
from runbooks.exports.operations.disclosing import DisclosurePreview, preview_disclosure
from runbooks.incidents.queries import incident_for
from runbooks.presentation import number
from runbooks.timeline.operations import now

# Some five seconds.
MOST: Final = 30_000
KINDS: Final = (
    (WHOLE, "whole: they name nobody else, and can be checked against their seal"),
    (PSEUDONYMISED, "with pseudonyms for others"),
    (WITHHELD, "withheld: a word of them may name somebody else"),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One entry: the words with which the copy would tell it, or what kind it is where it is withheld."""

    sequence: int
    words: str


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    """The query is the timeline page's. The form takes the part `#preview` of this page in."""
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "export_timeline", incident.pk)
    query = request.GET.urlencode()
    context = {"incident": incident, "actor": actor, "now": at, "tab": "exports", "query": query}
    try:
        found = preview_disclosure(incident_id=incident.pk, query=query, actor=actor, at=at, at_most=MOST)
    except (NotFoundError, NotAllowedError):
        raise
    except DomainError as error:
        context["problem"] = str(error)
    else:
        context |= _said(found)
    return render(request, "exports/preview.html", context)


def _said(found: DisclosurePreview) -> dict[str, Any]:
    return {
        "holder": found.holder,
        "counts": [(number(found.counts[kind]), words) for kind, words in KINDS],
        "left_out": number(found.left_out) if found.left_out else "",
        "told": [_sample(line) for line in found.sample if line["as"] == PSEUDONYMISED],
        "withheld": [_sample(line) for line in found.sample if line["as"] == WITHHELD],
    }


def _sample(line: dict[str, Any]) -> Sample:
    kind = str(line["kind"]).replace(".", " ").replace("_", " ").capitalize()
    return Sample(line["sequence"], str(line.get("summary", "")) or kind)
