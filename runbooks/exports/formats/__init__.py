"""Ways to take a timeline away, in the order in which a form offers them."""

from collections.abc import Mapping
from typing import Final

from runbooks.exports.formats.base import About, Format, IncidentFacts, Source
from runbooks.exports.formats.bundle import evidence_bundle
from runbooks.exports.formats.csv import CSV
from runbooks.exports.formats.disclosure import DISCLOSURE
from runbooks.exports.formats.json import JSON
from runbooks.exports.formats.jsonl import JSONL
from runbooks.exports.formats.misp import MISP
from runbooks.exports.formats.pdf import PDF
from runbooks.exports.formats.stix import STIX
from runbooks.exports.formats.timesketch import TIMESKETCH_CSV, TIMESKETCH_JSONL
from runbooks.exports.formats.xlsx import XLSX

# What the evidence bundle holds the timeline in.
PLAIN: Final = (PDF, XLSX, CSV, JSON, JSONL, TIMESKETCH_JSONL, TIMESKETCH_CSV, STIX, MISP)
FORMATS: Final[Mapping[str, Format]] = {one.slug: one for one in (evidence_bundle(PLAIN), DISCLOSURE, *PLAIN)}

__all__ = ["FORMATS", "PLAIN", "About", "Format", "IncidentFacts", "Source"]
