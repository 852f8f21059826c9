"""Looking at a disclosure copy before it is made: how much of it is whole, and what the rest would look like."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from runbooks.access.permissions import Actor, require
from runbooks.errors import DomainError
from runbooks.exports.formats.base import Source
from runbooks.exports.formats.disclosure import DISCLOSURE, disclosure_of
from runbooks.exports.models import Export
from runbooks.exports.operations.making import about_of
from runbooks.exports.queries.asked import narrowing
from runbooks.exports.queries.entries import snapshot
from runbooks.incidents.models import Incident
from runbooks.presentation import number, plural

# So many of those under pseudonyms, and of those withheld; of one kind no more than that, or all were alike.
SAMPLE, OF_A_KIND = 8, 2
# An entry that is shown costs as much as so many that are passed by.
PASSED_BY: Final = 10


class TooMuchToPreviewError(DomainError):
    """It would take longer than somebody waits for a page."""

    status = 400


@dataclass(frozen=True, slots=True)
class DisclosurePreview:
    """`holder` is None for a regulator's copy; `counts` are entries whole, pseudonymised and withheld; `sample` holds
    the first of what disclosed.jsonl would, some of each. Its pseudonyms are not those of the copy."""

    holder: str | None
    counts: dict[str, int]
    left_out: int
    sample: list[dict[str, Any]]


def preview_disclosure(
    *, incident_id: UUID, query: str, actor: Actor, at: datetime, at_most: int | None = None
) -> DisclosurePreview:
    """What a copy of now would hold; nothing is kept. Each entry is read, and none written.

    Raises NoHolderError, UnreadableFilterError, and TooMuchToPreviewError where over `at_most` entries would be read.
    """
    require(actor, "export_timeline", incident_id)
    incident = Incident.objects.get(pk=incident_id)
    export = Export(
        incident=incident,
        number=0,
        format=DISCLOSURE.slug,
        options={"order": "sequence"},
        requested_by=actor.name,
        requested_at=at,
        head_sequence=incident.head_sequence,
        head_hash=incident.head_hash,
        filter=narrowing(query),
    )
    with snapshot(incident.time_zone):
        source = Source(*about_of(export, incident))
        _refuse_long(source, at_most)
        disclosure = disclosure_of(source)
        sample = _sample(disclosure.lines())
        return DisclosurePreview(disclosure.pseudonyms.holder, disclosure.counts, source.about.left_out, sample)


def _sample(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first of them, of several kinds. All are read: that is how they are counted."""
    taken, alike, sample = Counter[str](), Counter[tuple[str, str]](), []
    for line in lines:
        told, kind = line["as"], (line["as"], line["kind"])
        if taken[told] < SAMPLE and alike[kind] < OF_A_KIND:
            taken[told] += 1
            alike[kind] += 1
            sample.append(line)
    return sample


def _refuse_long(source: Source, at_most: int | None) -> None:
    about = source.about
    if at_most is not None and about.entries + about.head_sequence // PASSED_BY > at_most:
        raise TooMuchToPreviewError(
            f"{plural(about.entries, 'entry', 'entries')} of {number(about.head_sequence)} are too much to look at "
            f"on a page. On the server, “manage.py preview_disclosure {about.incident.reference}” does it."
        )
