"""The report on paper: tagged PDF/A-2a and PDF/UA-1, A4, from what an export is given.

What people wrote comes to typst as data. A report is read years later by somebody who has nothing else: it says what it
is, what it leaves out, and how it can be checked.
"""

from runbooks.exports.formats.report.making import write_report

__all__ = ["write_report"]
