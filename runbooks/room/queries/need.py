"""One line of what needs somebody."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Need:
    """A mark, what, where to go, one line of why; a button or a time."""

    icon: str
    tone: str
    title: str
    address: str
    meta: str
    button: str = ""
    when: str = ""
