"""Numbers in addresses and forms."""


def whole_number(text: str | None) -> int | None:
    """The number, or None for what is none: an address somebody cut short shows the first page."""
    return int(text) if text and text.isdecimal() and len(text) < 16 else None
