"""Looking at a disclosure copy before it is made: how much of it is whole, and what the rest would look like."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from runbooks.access.permissions import Actor, require
from runbooks.exports.formats.base import Source
from runbooks.exports.formats.disclosure import DISCLOSURE, disclosure_of
from runbooks.exports.models import Export
from runbooks.exports.operations.making import about_of
from runbooks.exports.queries.asked import narrowing
from runbooks.exports.queries.entries import snapshot
from runbooks.incidents.models import Incident

SAMPLE: Final = 20


@dataclass(frozen=True, slots=True)
class DisclosurePreview:
    """`holder` is None for a regulator's copy; `counts` are entries whole, pseudonymised and withheld; `sample` holds
    the first of what disclosed.jsonl would. Its pseudonyms are not those of the copy."""

    holder: str | None
    counts: dict[str, int]
    left_out: int
    sample: list[dict[str, Any]]


def preview_disclosure(*, incident_id: UUID, query: str, actor: Actor, at: datetime) -> DisclosurePreview:
    """What a copy of now would hold; nothing is kept. Raises NoHolderError, UnreadableFilterError."""
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
        disclosure = disclosure_of(source)
        sample: list[dict[str, Any]] = []
        for line in disclosure.lines():
            if len(sample) < SAMPLE:
                sample.append(line)
        return DisclosurePreview(disclosure.pseudonyms.holder, disclosure.counts, source.about.left_out, sample)
