"""Making the letters of a run for 500 holders, next to typst setting 500 pages of plain text alone.

The letters are two fonts, a QR code, a window and a tagged structure a page, in two languages; the plain pages say as
much, as paragraphs, in the same font, to the same standards of PDF. Both sides set the codes and names of their round,
so that nothing kept from the round before is of use.
"""

import itertools
import json
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import typst
from harness import Claim, Side, alternate, conclude, is_quick

from runbooks.confirmations.letters import Letter, Sender, make_letters
from runbooks.typesetting.printable import FONTS

TARGET = 6.0
SECONDS_OF_500 = 30
AT = datetime(2017, 6, 23, 14, tzinfo=UTC)
SENDER = Sender("Parliament (fictitious)", "https://portal.parliament.example/confirm/", ZoneInfo("Europe/London"))
WHAT_HAPPENED = "On 23 June 2017 somebody guessed passwords of our accounts, and may have used yours."
PLAIN = b"""
#set document(title: "Plain")
#set page(paper: "a4", margin: 20mm)
#set text(font: "Source Sans 3", size: 12pt, lang: "en", fallback: false)
#for page in json(bytes(sys.inputs.pages)) {
  page.map(par).join()
  pagebreak(weak: true)
}
"""
SENTENCE = "Change your password if you have not done so yet, and tell us on the page that is named in this letter."


def letters(count: int, round_: int) -> list[Letter]:
    return [
        Letter(
            number=number,
            name=f"Person {round_}-{number} Birkmere",
            office=f"Room {number}",
            department="Members' staff",
            account=f"person{number}@parliament.example",
            code=f"{round_:04}-{number:04}",
            expires_at=AT + timedelta(days=14),
            incident="IR-2017-003",
            what_happened=WHAT_HAPPENED,
            language="cy" if number % 4 == 0 else "en-gb",
        )
        for number in range(1, count + 1)
    ]


def plain(pages: list[list[str]]) -> bytes:
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])
    inputs = {"pages": json.dumps(pages)}
    return typst.compile(PLAIN, font_paths=fonts, sys_inputs=inputs, pdf_standards=["a-2a", "ua-1"])


def main() -> int:
    count = 100 if is_quick(__doc__) else 500
    rounds = itertools.count()

    def pages() -> list[list[str]]:
        number = next(rounds)
        return [[f"{number}-{page}-{line} {SENTENCE}" for line in range(14)] for page in range(count)]

    def run() -> list[Letter]:
        return letters(count, next(rounds))

    size = len(make_letters(run(), run=1, sender=SENDER, made_at=AT))
    seconds = alternate(
        {
            "letters": Side(lambda made: make_letters(made, run=1, sender=SENDER, made_at=AT), run),
            "plain pages": Side(plain, pages),
        }
    )
    allowed = SECONDS_OF_500 * count / 500
    print(f"{count} letters, {size / 1e6:.1f} MB, in {seconds['letters']:.1f} s of the {allowed:g} s they may take")
    return conclude(
        "letters",
        [
            Claim("to plain pages", seconds["letters"] / seconds["plain pages"], TARGET),
            Claim("to the seconds allowed", seconds["letters"] / allowed, 1),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
