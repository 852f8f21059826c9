"""How names are compared, and what one line of a list names.

`match_keys` says by what an account is found; `parse_line` says what a line looks for. Both write the same keys, so
that finding is a comparison of equal strings. Nothing here is fuzzy.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

# What a key is of. A key of one kind never meets one of another.
ADDRESS, PRIVATE_ADDRESS, LOGIN, NAME, GIVEN_FIRST = "a:", "p:", "l:", "n:", "g:"
KEY_LIMIT: Final = 400
LONGEST_REORDERED: Final = 6

Level = tuple[str, ...]
"""Keys of equal strength."""
Identifier = tuple[Level, ...]
"""The keys of one thing that a line names, strongest first."""

# Typewriter and typographic forms of one sign, and characters that take no room.
_SAME: Final = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛ʼʻ´′", "'"),
        **dict.fromkeys("“”„‟«»″", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys(
            "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        ),
    }
)
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
_BULLET: Final = re.compile(r"^\s*(?:[-*•·‣>+]+|\(?\d{1,5}[.)])\s+")
# Both begin only where a word does: tried at every letter, one long word would take the square of its length.
_ADDRESS: Final = re.compile(r"(?<![^\s<>\"(),;:\[\]{}|=\\])[^\s<>\"(),;:\[\]{}|=\\]+@[^\s<>\"(),;:\[\]{}|=\\@]+")
_DOMAIN_LOGIN: Final = re.compile(r"(?<![\w.\\-])[\w.-]+\\[^\s<>\"(),;:\[\]{}|=\\@]+(?=[\s<>\"(),;:\[\]{}|=]|$)")
_ANGLED: Final = re.compile(r"<([^<>]*)>")
_STRAY: Final = " \t\"';,:|•·*"
_PAIRS: Final = ("()", "[]", "{}", "<>")


@dataclass(frozen=True, slots=True)
class Candidates:
    """What one line names. `identifiers` each name an account of their own; `name` stands beside them.

    A line without an address or DOMAIN\\login has one identifier, read in every way that a bare word or name can be.
    """

    text: str
    identifiers: tuple[Identifier, ...] = ()
    name: Identifier = ()

    @property
    def is_blank(self) -> bool:
        return not self.identifiers


def fold(text: str) -> str:
    """A text as it is compared: NFKC, case folded, white space, quotes and dashes of one form."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_SAME))
    return " ".join(text.casefold().split())


def match_keys(
    login: str, mail: str, display_name: str = "", given_name: str = "", family_name: str = "", alternate_mail: str = ""
) -> list[str]:
    """The keys that find an account, without repeats. One over 400 characters is left out: cut, it could meet more."""
    keys: dict[str, None] = {}
    for address in (fold(login), fold(mail)):
        if address:
            keys[ADDRESS + address] = None
        if local := address.partition("@")[0].rpartition("\\")[2]:
            keys[LOGIN + local] = None
    if alternate_mail:
        keys[PRIVATE_ADDRESS + fold(alternate_mail)] = None
    display = fold(display_name)
    if display:
        keys[NAME + display] = None
        keys[GIVEN_FIRST + _given_first(display)] = None
    if given_name and family_name:
        keys[GIVEN_FIRST + f"{fold(given_name)} {fold(family_name)}"] = None
    return [key for key in keys if len(key) <= KEY_LIMIT]


def parse_line(text: str) -> Candidates:
    """What one line of a list names, as analysts write such lines; blank for empty lines and comments."""
    plain = unicodedata.normalize("NFKC", text.translate(_SAME))
    plain = shed(_BULLET.sub("", _COMMENT.sub("", plain)))
    if not plain:
        return Candidates(text="")
    identifiers, rest = _identifiers(plain)
    if not identifiers:
        return Candidates(text=plain, identifiers=(_bare(plain),))
    name = _names(shed(rest))
    return Candidates(text=plain, identifiers=tuple(identifiers), name=name)


def shed(text: str) -> str:
    """The text without what lists put around it: quotes, marks, separators, brackets around all or without partner."""
    before = None
    while text != before:
        before = text
        text = text.strip(_STRAY)
        for opening, closing in _PAIRS:
            if text.startswith(opening) and (text.endswith(closing) or closing not in text):
                text = text[1:].removesuffix(closing)
            elif text.endswith(closing) and opening not in text:
                text = text[:-1]
    return text


def _identifiers(text: str) -> tuple[list[Identifier], str]:
    """Addresses, DOMAIN\\login and <login> in a line, and the rest of it."""
    found: list[Identifier] = []
    for address in _ADDRESS.findall(text):
        folded = fold(address.strip("'").rstrip(".'"))
        found.append(((ADDRESS + folded,), (PRIVATE_ADDRESS + folded,)))
    rest = _ADDRESS.sub(" ", text)
    for login in _DOMAIN_LOGIN.findall(rest):
        folded = fold(login.strip("'."))
        found.append(((ADDRESS + folded,), (LOGIN + folded.rpartition("\\")[2],)))
    rest = _DOMAIN_LOGIN.sub(" ", rest)
    for angled in _ANGLED.findall(rest):
        if login := fold(shed(angled)):
            found.append(((ADDRESS + login,), (LOGIN + login,)))
    return found, _ANGLED.sub(" ", rest)


def _bare(text: str) -> Identifier:
    folded = fold(text)
    return ((ADDRESS + folded,), (LOGIN + folded,), *_names(text))


def _names(text: str) -> Identifier:
    """A name as it is written, then in the order it might be written in elsewhere."""
    folded = fold(text)
    if not folded:
        return ()
    return ((NAME + folded,), tuple(GIVEN_FIRST + order for order in _orders(folded)))


def _orders(folded: str) -> list[str]:
    """Given name first: a comma says where the family name ends, else any space between words may be the place."""
    if "," in folded:
        return [_given_first(folded)]
    words = folded.split()
    if len(words) > LONGEST_REORDERED:
        return [folded]
    return [" ".join(words[cut:] + words[:cut]) for cut in range(len(words))]


def _given_first(folded: str) -> str:
    family, comma, given = folded.partition(",")
    return " ".join(f"{given} {family}".split()) if comma else folded
