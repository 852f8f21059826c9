"""PDF: the report for people who read on paper, tagged for those who listen (PDF/A-2a and PDF/UA-1)."""

from typing import BinaryIO, Final

from runbooks.errors import DomainError
from runbooks.exports.formats.base import Format, Source
from runbooks.exports.formats.report import write_report
from runbooks.typesetting import SettingError


class NoReportError(DomainError):
    """The report was not set, and why."""


def write(out: BinaryIO, source: Source) -> None:
    try:
        write_report(out, source)
    except SettingError as error:
        raise NoReportError(str(error)) from error


PDF: Final = Format(
    slug="pdf",
    label="PDF report",
    purpose="For people: figures, accounts, actions, approvals and the timeline on A4, with how to check it.",
    suffix=".pdf",
    media_type="application/pdf",
    write=write,
    options={"pseudonyms": "Name accounts by numbers"},
)
