"""A process of its own that sets one PDF: a request as JSON on standard input, the PDF on standard output.

typst keeps what it has set, for whoever edits a document: some 250 MB a run of 500 letters, with all of their codes.
Here that ends with the run. Nothing of the portal is imported, so the process is up in a tenth of a second.
"""

import json
import sys

import typst

FAMILY = "Source Sans 3"


def main() -> None:
    request = json.load(sys.stdin.buffer)
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[request["fonts"]])
    if FAMILY not in fonts.families():  # or the pages would be empty
        sys.exit(f"The font {FAMILY} is missing from {request['fonts']}")
    pdf = typst.compile(
        request["template"],
        root=request["root"],
        font_paths=fonts,
        sys_inputs={"content": json.dumps(request["content"])},
        pdf_standards=["a-2a", "ua-1"],
        timestamp=request["timestamp"],
    )
    sys.stdout.buffer.write(pdf)


if __name__ == "__main__":
    main()
