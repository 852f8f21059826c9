"""What stands in a report, and the PDF of it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any, BinaryIO, Final
from zoneinfo import ZoneInfo

from django.conf import settings

from runbooks.affected_accounts.models import AffectedAccount
from runbooks.affected_accounts.queries import burn_up
from runbooks.affected_accounts.transitions import GROUP_LABELS
from runbooks.exports.formats.base import About, Source
from runbooks.exports.formats.report import figures, tables
from runbooks.exports.formats.report.naming import Naming, Numbers, Plain
from runbooks.exports.models import Checkpoint
from runbooks.exports.queries.past import Past, past_of
from runbooks.incidents.models import Incident
from runbooks.presentation import full_clock, in_groups, number, plural, span, zone_name
from runbooks.room.queries.tally import begin
from runbooks.timeline.lines import RECORDED_LATE, TAKEN_OUT
from runbooks.typesetting import set_pdf, written_out

TEMPLATE: Final = Path(__file__).parent / "report.typ"
# typst keeps a file until it is whole: some 100 MB for a thousand lines. An entry is one line, more where it has over
# LINE characters; entries that are set as running text count by their characters alone.
ENTRIES_MAX, LINES_MAX, LINE = 20_000, 6_000, 800
# A table is some ten pages: what typst breaks into pages at a time.
PART: Final = 200
# Entries of one go beyond its first, from so many on, are set as running text: 9,000 say the same of 9,000 accounts.
RUN_LEAST, RUN_PART = 8, 40
SUMMARY_MAX: Final = 4000
LANES: Final = {
    "detection": "Detection",
    "action": "Action",
    "decision": "Decision",
    "contact": "Contact",
    "note": "Note",
}


@dataclass(slots=True)
class Printed:
    """The timeline as it is printed: parts of rows and of running text, and how many entries found no place."""

    parts: list[dict[str, Any]] = field(default_factory=list)
    entries: int = 0
    beyond: int = 0
    lines: float = 0
    is_full: bool = False

    def add(self, block: dict[str, Any], sequences: Sequence[int], lines: float) -> None:
        """Add a block of these entries, unless it is one too many: nothing follows a gap."""
        self.lines += lines
        self.is_full = self.is_full or self.lines > LINES_MAX
        if self.is_full:
            self.beyond += len(sequences)
            return
        self.entries += len(sequences)
        if not self.parts or (len(self.parts[-1]["blocks"]) >= PART and "row" in block):
            self.parts.append({"first": sequences[0], "blocks": []})
        part = self.parts[-1]
        part["blocks"].append(block)
        first, last = part["first"], sequences[-1]
        part["title"] = f"Entry #{number(first)}" if first == last else f"Entries #{number(first)} to #{number(last)}"


def write_report(out: BinaryIO, source: Source) -> None:
    """Write the PDF. Raises SettingError. Takes seconds, and some hundred MB in a process of its own.

    Whatever the timeline's length the portal's own process holds no more of it than is printed.
    """
    out.write(set_pdf(TEMPLATE, content_of(source), made_at=source.about.exported_at))


def content_of(source: Source) -> dict[str, Any]:
    about = source.about
    incident = Incident.objects.select_related("lead").get(pk=about.incident.id)
    naming = _naming(incident, source)
    later, as_of = _standing(incident, about)
    writer = tables.Writer(incident, naming, source.entries.until, about.exported_at, as_of)
    printed = _timeline(source, naming, incident.zone)
    past = past_of(incident, source.entries.until)
    is_whole = not about.filter
    title = written_out(naming.text(incident.title), most=200)
    return {
        "title": f"{incident.reference}: {title}",
        "institution": written_out(settings.INSTITUTION_NAME, most=80),
        "reference": incident.reference,
        "name": title,
        "tlp": incident.get_tlp_display(),
        "exercise": "Exercise. Nothing of this happened in fact." if incident.is_exercise else "",
        "cover": _cover(source, incident, writer),
        "notes": _notes(source, printed, naming, later),
        "summary": _summary(incident, past, about.exported_at, writer),
        "clocks": tables.clocks(writer).as_data(),
        "tables": [table.as_data() for table in tables.all_of(writer)] if is_whole else [],
        "timeline": printed.parts,
        "timeline_intro": _timeline_intro(source, printed),
        "verify": _verify(source, incident),
    }


def _standing(incident: Incident, about: About) -> tuple[int, str]:
    """(entries that came after the report's last one and may have changed what it reads from rows, what it says of it)

    Rows are read as they are when it is made, in the snapshot that the entries are read in, too.
    """
    after = incident.events.filter(sequence__gt=about.head_sequence)
    later = after.exclude(kind__startswith="export.").count()
    if not later:
        return 0, f"As of entry #{number(about.head_sequence)}, the last of this report." if about.head_sequence else ""
    newest = after.latest("sequence")
    return later, (
        f"As of entry #{number(newest.sequence)}, recorded {full_clock(newest.recorded_at, incident.zone)}, when this "
        f"report was made; its last entry is #{number(about.head_sequence)}."
    )


def _naming(incident: Incident, source: Source) -> Naming:
    if not source.options.get("pseudonyms"):
        return Plain()
    return Numbers(AffectedAccount.objects.filter(incident=incident).values_list("login", "display_name"))


# The cover


def _cover(source: Source, incident: Incident, writer: tables.Writer) -> dict[str, Any]:
    about = source.about
    digest = about.head_hash
    signed = Checkpoint.objects.filter(incident=incident, sequence__lte=about.head_sequence).select_related("key")
    newest = signed.order_by("-sequence").first()
    rows = [
        ("Export", about.number),
        ("Made", f"{full_clock(about.exported_at, incident.zone)}, {_utc(about.exported_at)}"),
        ("By", written_out(about.exported_by, most=160)),
        ("Purpose", writer.said(about.purpose)),
        ("Entries", f"{plural(about.entries, 'entry', 'entries')} of {about.range}{_left(about)}"),
        ("Filter", writer.said(about.filter_words) if about.filter else "None: the whole timeline"),
        ("Times", f"Of {incident.time_zone}; on the timeline in UTC as well"),
        ("Signer", source.held.key.fingerprint if source.held else newest.key.fingerprint if newest else "No key"),
        (
            "Checkpoint",
            f"#{number(newest.sequence)}, signed {full_clock(newest.signed_at, incident.zone)}" if newest else "",
        ),
    ]
    return {
        "rows": [row for row in rows if row[1]],
        "head_words": " ".join(in_groups(digest[:16], 4)),
        "head": " ".join(in_groups(digest)),
        "head_entry": f"#{number(about.head_sequence)}",
        "qr": figures.qr(f"{incident.reference} #{about.head_sequence} {digest}"),
        "qr_alt": f"QR code of the chain head: {incident.reference}, entry {about.head_sequence}, {digest}",
    }


def _left(about: About) -> str:
    return f", {plural(about.left_out, 'entry', 'entries')} left out by the filter" if about.filter else ""


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def _notes(source: Source, printed: Printed, naming: Naming, later: int) -> list[str]:
    """What a reader has to know before the first page."""
    notes = []
    if source.about.filter:
        notes.append(
            "A filter is set. So this report holds the figures and the entries that the filter shows, and no tables of "
            "accounts, steps and actions."
        )
    if later:
        notes.append(
            f"{plural(later, 'entry', 'entries')} came in between this report’s last one, "
            f"#{number(source.about.head_sequence)}, and its making. The figures, decisions, corrections and the "
            "timeline end with the last one. What else it says, status, deadlines and the other tables, is later, and "
            "says as of when."
        )
    if naming.is_hidden:
        notes.append(
            "Accounts are named by numbers, also in what people wrote. Their words may still tell who somebody is: "
            "read this report before it leaves the house."
        )
    if printed.beyond:
        notes.append(
            f"Printed are the first {plural(printed.entries, 'entry', 'entries')}. {number(printed.beyond)} more are "
            "in the evidence bundle and in the other formats."
        )
    return notes


# The summary


def _summary(incident: Incident, past: Past, at: datetime, writer: tables.Writer) -> dict[str, Any]:
    counts = past.groups
    moment = past.recorded_at or incident.declared_at
    points = [point for point in burn_up(incident.pk) if point.at <= moment]
    until = min(incident.closed_at or moment, moment)
    drawn = figures.burn_up(points, begin(incident), until, incident.zone) if points else ""
    return {
        "sentence": _sentence(past),
        "facts": [row for row in _facts(incident, writer) if row[1]],
        "facts_as_of": writer.as_of,
        "figures": [(label, number(getattr(counts, group.value))) for group, label in GROUP_LABELS.items()]
        + [
            ("Accounts on the list", number(counts.total)),
            ("Restricted remote access", number(past.restricted)),
            ("Steps closed", f"{number(past.steps_closed)} of {number(past.steps)}"),
        ],
        "as_of": f"As of entry #{number(past.sequence)}, {full_clock(moment, incident.zone)}.",
        "bar": figures.bar(counts),
        "bar_alt": figures.bar_words(counts),
        "burn": drawn,
        "burn_alt": figures.burn_up_words(points) if drawn else "",
    }


def _sentence(past: Past) -> str:
    counts = past.groups
    if not counts.compromised:
        return f"{plural(counts.total, 'account')} on the list, none confirmed as compromised."
    contained = f"{number(past.contained)} of {plural(counts.compromised, 'compromised account')} contained"
    return f"{contained}, {number(counts.reset + counts.restored)} reset, {number(counts.restored)} restored."


def _facts(incident: Incident, writer: tables.Writer) -> list[tuple[str, str]]:
    took = span(incident.contained_at - incident.declared_at) if incident.contained_at else ""
    return [
        ("Severity", f"{incident.severity}, {incident.get_severity_display().lower()}"),
        ("Status", incident.get_status_display()),
        ("Noticed", f"{writer.at(incident.detected_at)}{_by(writer, incident.detected_by)}"),
        ("Declared", f"{writer.at(incident.declared_at)}"),
        ("Contained", f"{writer.at(incident.contained_at)}, {took} after declaration" if took else ""),
        ("Closed", writer.at(incident.closed_at)),
        ("Lead", written_out(str(incident.lead), most=160) if incident.lead else ""),
        ("Runbook", f"{writer.said(incident.runbook_title)}, version {incident.runbook_version}"),
    ]


def _by(writer: tables.Writer, who: str) -> str:
    return f", {writer.said(who)}" if who else ""


# The timeline


def _timeline(source: Source, naming: Naming, zone: ZoneInfo) -> Printed:
    printed = Printed()
    entries = _counted(source, printed)
    for _, run in groupby(entries, lambda entry: entry["run"] or -entry["sequence"]):
        for one, together in _split(run):
            if printed.is_full:
                printed.beyond += len(together) or 1
            elif together:
                said = "; ".join(_dense(entry, naming, zone) for entry in together)
                printed.add({"dense": said}, [entry["sequence"] for entry in together], len(said) / LINE)
            else:
                row = _row(one, naming, zone)
                printed.add({"row": row}, [one["sequence"]], max(1, len(row[WHAT]) / LINE))
    return printed


def _counted(source: Source, printed: Printed) -> Iterator[dict[str, Any]]:
    """The first entries, read; the others are only counted, when those were taken."""
    left = ENTRIES_MAX
    for part in source.lines():
        yield from map(json.loads, part[:left])
        printed.beyond += max(len(part) - left, 0)
        left = max(left - len(part), 0)


def _split(run: Iterator[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Of a run its first entry alone, the others in parts; few enough ones each alone."""
    first = next(run)
    yield first, []
    while part := list(islice(run, RUN_PART)):
        if len(part) >= RUN_LEAST:
            yield first, part
        else:
            yield from ((entry, []) for entry in part)


# Where of a row what happened stands.
WHAT: Final = 3


def _row(entry: dict[str, Any], naming: Naming, zone: ZoneInfo) -> tuple[str, ...]:
    """Number and digits of the hash; when; what; by whom, and what became of it."""
    happened, recorded = (datetime.fromisoformat(entry[name]) for name in ("occurred_at", "recorded_at"))
    local = happened.astimezone(zone)
    when = [f"{local:%a} {local.day} {local:%b %H:%M:%S} {zone_name(local)}", _utc(happened)]
    if entry["occurred_precision"] in ("hour", "day"):
        when.append(f"known to the {entry['occurred_precision']}")
    if recorded - happened >= RECORDED_LATE:
        when.append(f"recorded {full_clock(recorded, zone)}")
    said = entry["summary"]
    what = TAKEN_OUT if said is None else written_out(naming.text(said, _about(entry)), most=SUMMARY_MAX)
    by = f"{written_out(naming.text(entry['actor']), most=160)}{', automated' if entry['automated'] else ''}"
    marks = [by, LANES[entry["lane"]]]
    marks += [f"step {entry['step']}"] if entry["step"] else []
    marks += [f"{word} #{number(entry[name])}" for word, name in MARKS if entry[name]]
    marks += ["key event"] if entry["key_event"] else []
    return (f"#{number(entry['sequence'])}", entry["hash"][:8], "\n".join(when), what, "; ".join(marks))


MARKS: Final = (("corrects", "corrects"), ("corrected by", "corrected_by"), ("taken out by", "redacted_by"))


def _dense(entry: dict[str, Any], naming: Naming, zone: ZoneInfo) -> str:
    local = datetime.fromisoformat(entry["occurred_at"]).astimezone(zone)
    said = entry["summary"]
    what = TAKEN_OUT if said is None else written_out(naming.text(said, _about(entry)), most=SUMMARY_MAX)
    extra = "".join(f" ({word} #{number(entry[name])})" for word, name in MARKS if entry[name])
    return f"#{number(entry['sequence'])} {local:%H:%M:%S} {what}{extra} [{entry['hash'][:8]}]"


def _about(entry: dict[str, Any]) -> str:
    """The account that an entry of a run names; no other is in its words."""
    named = (entry["details"] or {}).get("account")
    return named if isinstance(named, str) else ""


def _timeline_intro(source: Source, printed: Printed) -> list[str]:
    order = "when they happened" if source.about.order == "occurred" else "their numbers, which is that of recording"
    intro = [
        f"In the order of {order}. Under each number stand the first 8 digits of the entry’s SHA-256.",
        "Entries of one go follow their first one as running text, each with its number, time and digits.",
        "[U+0000] stands for a character that this font does not have. A later entry corrects an earlier one; none is "
        "ever changed.",
    ]
    if not printed.entries:
        intro.append("There is no entry to show.")
    if printed.beyond:
        intro.append(f"{plural(printed.beyond, 'further entry is', 'further entries are')} not printed here.")
    return intro


def _verify(source: Source, incident: Incident) -> dict[str, Any]:
    address = f"{settings.PORTAL_URL.rstrip('/')}/.well-known/ir-portal-signers"
    return {
        "intro": "You need no account and no network, and should use a computer that the portal does not manage.",
        "steps": [
            [
                "This file: compare its SHA-256 with the one that the entry “export.made” of the timeline and the list "
                f"of exports give for {source.about.number}.",
                "sha256sum FILE.pdf",
            ],
            [
                "The chain: ask for the evidence bundle, with the public keys from another way than the bundle came, "
                "and check it. Expect that the last line begins with SOUND.",
                f"curl {address} -o signers\npython3 verify_export.py BUNDLE.zip --signers signers",
            ],
            [
                "This report: the chain head on its first page, and the 8 digits beside each entry, are the beginnings "
                "of the hashes in the bundle’s chain.jsonl.",
                f"grep -n '\"sequence\":{source.about.head_sequence},' chain.jsonl",
            ],
            [
                "Somebody outside: a witness keeps each checkpoint as it was made. Whoever holds database and key "
                "cannot change that one.",
                "python3 verify_export.py BUNDLE.zip --signers signers --checkpoint MESSAGE.eml",
            ],
        ],
        "failed": "If a check fails: keep the file, change nothing, and telephone the records auditor with the number "
        f"of this export and of the first entry that is wrong ({incident.reference}).",
    }
