"""PDF from data by typst: tagged PDF/A-2a and PDF/UA-1, the same fonts on every sheet that leaves the portal.

`set_pdf` runs a template of ours; what it prints comes to it as data, so that no text is ever part of the program.
"""

from runbooks.typesetting.printable import printable, written_out
from runbooks.typesetting.process import SettingError, set_pdf

__all__ = ["SettingError", "printable", "set_pdf", "written_out"]
