"""What goes into a letter, and who sends it."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

Language = Literal["en-gb", "cy"]
LANGUAGES: Final[tuple[Language, ...]] = ("en-gb", "cy")

TWO_GROUPS: Final = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{4}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is seen in the window, and the number of the letter in its run."""

    number: int
    name: str
    office: str
    department: str
    account: str


@dataclass(frozen=True, slots=True)
class Letter(Envelope):
    """`code` is two groups, as 7K2M-9QTX. `what_happened` is one sentence, in the letter's language."""

    code: str
    expires_at: datetime
    incident: str
    what_happened: str
    language: Language = "en-gb"

    def __post_init__(self) -> None:
        if not TWO_GROUPS.fullmatch(self.code):
            raise ValueError("A code on a letter must read as two groups, such as 7K2M-9QTX.")


@dataclass(frozen=True, slots=True)
class Sender:
    """`page_url` is the https address of the page that asks for codes. Without `desk_telephone` it is the pass's.

    Whoever is written to in Welsh is sent to `welsh_page_url`, where there is one.
    """

    institution: str
    page_url: str
    zone: ZoneInfo
    desk_telephone: str = ""
    welsh_page_url: str = ""

    @property
    def host(self) -> str:
        return urlsplit(self.page_url).netloc

    @property
    def address(self) -> str:
        """The page's address as somebody types it: no scheme, no final slash."""
        return self.host + urlsplit(self.page_url).path.rstrip("/")

    def writing(self, language: Language) -> "Sender":
        """The same, naming the page of a language."""
        return replace(self, page_url=self.welsh_page_url) if language == "cy" and self.welsh_page_url else self


def language_of(written: str) -> Language | None:
    """The language that is written so in the database; None for any other."""
    return next((language for language in LANGUAGES if language == written), None)
