"""Timesketch's own CSV and JSON Lines: message, datetime and timestamp_desc first.

Its importer wants these names and a file name that ends in .csv or .jsonl; of a field over 32,766 bytes OpenSearch
indexes nothing. The last line is the export itself, as an event of the time it was made.
"""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from runbooks.exports.formats.base import Format, Source, dumped
from runbooks.exports.formats.cells import cell
from runbooks.timeline.seal import instant

FIELD_MAX: Final = 32_766
CUT: Final = " ... (cut: the JSON export has all of it)"
COLUMNS: Final = (
    "message", "datetime", "timestamp_desc", "recorded_at", "incident", "sequence", "kind", "lane", "actor",
    "automated", "step", "accounts", "corrects", "corrected_by", "redacted_by", "key_event", "hash", "details",
)  # fmt: skip
ROUGHLY: Final = {"second": "Occurred", "minute": "Occurred (to the minute)", "hour": "Occurred (to the hour)"}


def events(source: Source) -> Iterator[dict[str, Any]]:
    reference = source.about.incident.reference
    for entry in source.each():
        accounts = entry["accounts"]
        yield {
            "message": fitting(entry["summary"] or f"Taken out by entry #{entry['redacted_by']}"),
            "datetime": _moment(entry["occurred_at"]),
            "timestamp_desc": ROUGHLY.get(entry["occurred_precision"], "Occurred (on that day)"),
            "recorded_at": _moment(entry["recorded_at"]),
            "incident": reference,
            **{name: entry[name] for name in ("sequence", "kind", "lane", "actor", "automated", "step")},
            "accounts": fitting(", ".join(accounts)),
            **{name: entry[name] for name in ("corrects", "corrected_by", "redacted_by", "key_event", "hash")},
            "details": fitting(json.dumps(entry["details"], ensure_ascii=False)) if entry["details"] else "",
        }
    about = source.about
    yield {
        "message": fitting(about.sentence),
        "datetime": _moment(instant(about.exported_at)),
        "timestamp_desc": "Exported",
        "incident": reference,
        "kind": "export.about",
        "actor": about.exported_by,
    }


def fitting(text: str) -> str:
    """The text, cut where OpenSearch would not index it."""
    raw = text.encode()
    if len(raw) <= FIELD_MAX:
        return text
    return raw[: FIELD_MAX - len(CUT)].decode(errors="ignore") + CUT


def _moment(instant: str) -> str:
    """With the offset in digits, which every parser of ISO 8601 takes."""
    return f"{instant[:-1]}+00:00"


def write_csv(out: BinaryIO, source: Source) -> None:
    out.write(",".join(COLUMNS).encode() + b"\n")
    for event in events(source):
        out.write(",".join([_cell(event.get(name)) for name in COLUMNS]).encode() + b"\n")


def _cell(value: object) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return cell(value) if isinstance(value, str) else str(value)


def write_jsonl(out: BinaryIO, source: Source) -> None:
    for event in events(source):
        out.write(dumped({name: value for name, value in event.items() if value not in (None, "")}) + b"\n")


TIMESKETCH_JSONL = Format(
    slug="timesketch-jsonl",
    label="Timesketch JSONL",
    purpose="To lay the timeline beside logs in Timesketch. Texts are exactly as recorded.",
    suffix=".timesketch.jsonl",
    media_type="application/jsonl",
    write=write_jsonl,
)
TIMESKETCH_CSV = Format(
    slug="timesketch-csv",
    label="Timesketch CSV",
    purpose="The same where only CSV is taken. Texts that could be calculated carry an apostrophe.",
    suffix=".timesketch.csv",
    media_type="text/csv; charset=utf-8",
    write=write_csv,
)
