"""PDF: the report for people who read on paper, tagged for those who listen (PDF/A-2a and PDF/UA-1)."""

from typing import Final

from runbooks.exports.formats.base import Format
from runbooks.exports.report import write_report

PDF: Final = Format(
    slug="pdf",
    label="PDF report",
    purpose="For people: figures, accounts, actions, approvals and the timeline on A4, with how to check it.",
    suffix=".pdf",
    media_type="application/pdf",
    write=write_report,
    options={"pseudonyms": "Name accounts by numbers"},
)
