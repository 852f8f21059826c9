"""What an export is to hold: the timeline page's filter, read as that page reads it, and said in words."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.http import QueryDict

from runbooks.containment.models import Step
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import people_of
from runbooks.presentation import full_clock
from runbooks.room.views.timeline_filter import Asked, read
from runbooks.timeline.lines import label_of
from runbooks.timeline.models import Lane

# What narrows the page, in the order in which it is said. Its order, place and folds are no part of an export.
NAMES: Final = ("q", "lane", "kind", "who", "account", "step", "burst", "from", "to", "only")
EVERYTHING: Final = "everything"


class UnreadableFilterError(DomainError):
    """A part of the filter means nothing here: the export would not be what was asked for."""

    status = 400


def narrowing(query: str | Mapping[str, str]) -> dict[str, str]:
    """Of a query what narrows, and of each name one value, as the page takes it."""
    given = QueryDict(query).dict() if isinstance(query, str) else query
    kept = {name: str(given.get(name, "")).strip()[:200] for name in NAMES}
    return {name: value for name, value in kept.items() if value}


def asked(incident: Incident, narrowed: Mapping[str, str], at: datetime) -> Asked:
    """The filter, with words like "yesterday" meant from `at` on. Raises UnreadableFilterError."""
    query = QueryDict(mutable=True)
    query.update(dict(narrowed))
    steps = dict(Step.objects.filter(incident=incident).values_list("pk", "number"))
    found = read(query, incident, at, steps)
    if found.problems:
        raise UnreadableFilterError(" ".join(found.problems.values()))
    unread = [name for name in narrowed if name in {"lane", "who", "only", "burst"} and not _is_read(name, found)]
    if unread:
        raise UnreadableFilterError(f"The filter says nothing by “{unread[0]}={narrowed[unread[0]]}”. Set it again.")
    return found


def _is_read(name: str, found: Asked) -> bool:
    wanted = found.filter
    return bool(
        {
            "lane": wanted.lane,
            "who": wanted.who or wanted.person_id is not None,
            "only": wanted.corrected or wanted.pinned,
            "burst": wanted.burst is not None,
        }[name]
    )


def in_words(incident: Incident, narrowed: Mapping[str, str], found: Asked) -> str:
    """Such as “kind Decision; people only; from Fri 23 Jun 2017 09:00 BST”."""
    if not narrowed:
        return EVERYTHING
    wanted = found.filter
    said = {
        "q": f"text “{wanted.text}”",
        "lane": f"kind {Lane(wanted.lane).label}" if wanted.lane else "",
        "kind": f"“{label_of(wanted.kind, Lane.NOTE)}”",
        "who": _who(incident, narrowed.get("who", "")),
        "account": f"accounts that begin with “{narrowed.get('account', '')}”",
        "step": f"step {narrowed.get('step', '')}",
        "burst": f"the run from #{narrowed.get('burst', '')}",
        "from": f"from {full_clock(wanted.start, incident.zone)}" if wanted.start else "",
        "to": f"before {full_clock(wanted.end, incident.zone)}" if wanted.end else "",
        "only": "corrected entries and their corrections" if wanted.corrected else "key events",
    }
    return "; ".join(said[name] for name in NAMES if name in narrowed)


def _who(incident: Incident, who: str) -> str:
    known = {"people": "people only", "automated": "automated only"}
    people = {str(pk): name for pk, name in people_of(incident.pk)}
    return known.get(who) or f"by {people.get(who, f'person {who}')}"
