"""A MISP event: the accounts as targets, each entry as a comment with its moment.

MISP takes numbers as strings, and refuses the same value twice in an event: every entry begins with its number. The
ids follow from the incident's, so a second import updates the first. Nothing is marked for detection or published.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final
from uuid import uuid5

from runbooks.exports.formats.base import Format, Source, dumped, write_listed

# This organisation only (distribution 0), as whoever imports may open it up; 5 inherits from the event.
OWN_ORGANISATION, INHERITED = "0", "5"
ONGOING, COMPLETED = "1", "2"
# MISP's levels of threat: 1 high to 4 undefined.
THREAT: Final = {1: "1", 2: "1", 3: "2", 4: "3"}


def write(out: BinaryIO, source: Source) -> None:
    event = dumped(_event(source))
    out.write(b'{"Event":' + event[:-1] + b',"Attribute":[\n')
    write_listed(out, _attributes(source))
    out.write(b"\n]}}\n")


def _event(source: Source) -> dict[str, Any]:
    about, incident = source.about, source.about.incident
    is_over = incident.closed_at is not None
    accounts = sum(1 for _ in source.entries.accounts())
    return {
        "uuid": str(incident.id),
        "info": f"{incident.reference} {incident.title}",
        "date": f"{incident.detected_at.astimezone(UTC):%Y-%m-%d}",
        "timestamp": _epoch(about.exported_at),
        "published": False,
        "publish_timestamp": "0",
        "analysis": COMPLETED if is_over else ONGOING,
        "threat_level_id": THREAT[incident.severity],
        "distribution": OWN_ORGANISATION,
        "org_id": "0",
        "orgc_id": "0",
        "Orgc": {"name": "IR Portal", "uuid": str(uuid5(incident.id, "misp organisation"))},
        "attribute_count": str(about.entries + accounts + 1),
        "Tag": [{"name": f"tlp:{incident.tlp.lower()}"}],
    }


def _attributes(source: Source) -> Iterator[dict[str, Any]]:
    about = source.about
    yield {
        **_attribute(source, "about", about.exported_at, f"Head #{about.head_sequence}"),
        "value": about.sentence,
    }
    for account in source.entries.accounts():
        yield {
            **_attribute(source, f"account {account.login}", about.exported_at, account.display_name),
            "type": "target-user",
            "category": "Targeting data",
            "value": account.login,
        }
    for entry in source.each():
        sequence, recorded = entry["sequence"], datetime.fromisoformat(entry["recorded_at"])
        said = entry["summary"] or f"The content was taken out by entry #{entry['redacted_by']}."
        comment = f"{entry['kind']}, by {entry['actor']}, recorded {entry['recorded_at']}"
        yield {
            **_attribute(source, f"entry {sequence}", recorded, comment),
            "value": f"#{sequence} {said}",
            "first_seen": f"{entry['occurred_at'][:-1]}+00:00",
        }


def _attribute(source: Source, name: str, at: datetime, comment: str) -> dict[str, Any]:
    return {
        "uuid": str(uuid5(source.about.incident.id, f"misp {name}")),
        "type": "comment",
        "category": "Internal reference",
        "to_ids": False,
        "distribution": INHERITED,
        "disable_correlation": True,
        "timestamp": _epoch(at),
        "comment": comment,
    }


def _epoch(moment: datetime) -> str:
    return str(int(moment.timestamp()))


MISP = Format(
    slug="misp",
    label="MISP event",
    purpose="To share with other organisations through MISP: accounts as targets, entries as comments, unpublished.",
    suffix=".misp.json",
    media_type="application/json",
    write=write,
)
