"""Letters to holders on paper: one PDF of a whole run, and the list by which its envelopes are checked.

`make_letters` gives the letters, with codes; `make_envelope_list` what lies beside them, without. Both are tagged
PDF/A-2a and PDF/UA-1 with their fonts inside. What is in the directory travels into them as data: no name is ever part
of the program that typst runs. docs/letters.md says how to print and fold them.
"""

from runbooks.confirmations.letters.contents import Envelope, Letter, Sender
from runbooks.confirmations.letters.making import make_envelope_list, make_letters
from runbooks.typesetting import SettingError

__all__ = ["Envelope", "Letter", "Sender", "SettingError", "make_envelope_list", "make_letters"]
