"""Other people's accounts under pseudonyms, for a disclosure copy: who is known, where a text names them, and how.

Texts are compared word by word, without accents and case, so a name never matches within another word, and
“Heron, Ana”, “ana heron” and “ANA HÉRON” are one. What surely names an account (login, address, identifier, full name,
telephone number) is replaced. A single word that is somebody's name may be theirs or not: that is said, never guessed.
"""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from runbooks.affected_accounts.models import AffectedAccount
from runbooks.directory.models import Account

WORD: Final = re.compile(r"[^\W_]+")
MAIL: Final = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+\.[^\s@<>\"'(),;:]+")
TELEPHONE: Final = re.compile(r"\+?\(?\d[\d\s().\-/\u00a0\u2010-\u2015]{5,}\d")
# What numbers agree in, whatever stands before them: +44 7700 900123, 07700 900123, +44 (0)7700 900123.
DIGITS: Final = 9
PLAIN: Final = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "ð": "d", "þ": "th"})
BEGINNING: Final = re.compile(r"(?:^|[.!?:\n])\W*$")
LENGTHS: Final = (4, 6, 8, 12, 16, 32, 64)


def word(text: str) -> str:
    """A word as it is compared."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    return "".join(mark for mark in folded if not unicodedata.combining(mark)).translate(PLAIN)


def words(text: str) -> tuple[str, ...]:
    return tuple(word(one) for one in WORD.findall(unicodedata.normalize("NFC", text)))


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of an account: `names` are wholes that name it, `given` and `family` may be empty."""

    login: str
    wholes: Sequence[str]
    display_names: Sequence[str]
    given: str
    family: str
    numbers: Sequence[str]
    is_person: bool = True

    def sure(self) -> Iterable[tuple[str, ...]]:
        """Words in a row that name this account and no other."""
        for whole in self.wholes:
            yield words(whole)
            local, at, _ = whole.partition("@")
            if at and (len(words(local)) > 1 or any(mark.isdigit() for mark in local)):
                yield words(local)
        for name in self.display_names:
            if len(said := words(name)) > 1:
                yield said
                yield said[1:] + said[:1]
                yield said[-1:] + said[:-1]
        given, family = words(self.given), words(self.family)
        if given and family:
            yield given + family
            yield family + given

    def maybe(self) -> Iterable[str]:
        """Single words that may be this person's name: parts of it, and all of it written together.

        What shared mailboxes and services are called are words like others.
        """
        if not self.is_person:
            return
        for name in (*self.display_names, self.given, self.family, *(one.partition("@")[0] for one in self.wholes)):
            parts = words(name)
            yield from (part for part in parts if len(part) > 1 and not part.isdigit())
            # O'Neill is written ONeill as well.
            yield from ("".join(pair) for pair in pairwise(parts))
            yield "".join(parts)
            yield "".join(reversed(parts))


def people() -> list[Person]:
    """Every account of the directory, with what incidents called it when it was added to them."""
    called: dict[int, list[tuple[str, str]]] = {}
    for pk, login, name in AffectedAccount.objects.values_list("account_id", "login", "display_name").iterator():
        called.setdefault(pk, []).append((login, name))
    fields = (
        "pk", "login", "mail", "alternate_mail", "external_id", "display_name", "given_name", "family_name", "mobile",
        "telephone", "kind",
    )  # fmt: skip
    found = []
    for (
        pk,
        login,
        mail,
        other,
        external,
        display,
        given,
        family,
        mobile,
        telephone,
        kind,
    ) in Account.objects.values_list(*fields).iterator():
        before = called.get(pk, [])
        wholes = dict.fromkeys(one for one in (login, mail, other, external, *(old for old, _ in before)) if one)
        names = dict.fromkeys(one for one in (display, *(name for _, name in before)) if one)
        found.append(
            Person(login, list(wholes), list(names), given, family, [mobile, telephone], kind == Account.Kind.PERSON)
        )
    return found


@dataclass(slots=True)
class Said:
    """What was found in a text: names that were replaced, words that may be one, and those of them that are written
    as names are, with a capital within a sentence."""

    replaced: int = 0
    doubtful: int = 0
    named: int = 0


@dataclass(slots=True)
class Pseudonyms:
    """Names for everybody but the holder, who is None for a regulator's copy. The key is never kept."""

    everybody: Sequence[Person]
    holder: str | None
    key: bytes
    _sure: dict[str, list[tuple[tuple[str, ...], str]]] = field(default_factory=dict)
    _maybe: set[str] = field(default_factory=set)
    _numbers: dict[str, str] = field(default_factory=dict)
    _own: set[tuple[str, ...]] = field(default_factory=set)
    _own_numbers: set[str] = field(default_factory=set)
    _names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        holder = (self.holder or "").lower()
        others = [one for one in self.everybody if one.login.lower() != holder]
        self._names = self._named(others)
        for one in self.everybody:
            if one.login.lower() == holder:
                self._own.update(one.sure())
                self._own_numbers.update(tail for number in one.numbers if (tail := _tail(number)))
        for one in others:
            name = self._names[one.login]
            # What is the holder's as well, such as a name that two share or the telephone of an office, may be theirs.
            for said in set(one.sure()) - self._own - {()}:
                self._sure.setdefault(said[0], []).append((said, name))
            self._maybe.update(one.maybe())
            self._numbers.update(dict.fromkeys((tail for number in one.numbers if (tail := _tail(number))), name))
        for rows in self._sure.values():
            rows.sort(key=lambda row: -len(row[0]))
        self._maybe.discard("")

    def name(self, login: str) -> str:
        return self._names[login]

    def read(self, value: Any, said: Said) -> Any:
        """The JSON value with pseudonyms in every text and name of it; `said` counts."""
        if isinstance(value, str):
            return self._text(value, said)
        if isinstance(value, Mapping):
            return {self._text(name, said): self.read(part, said) for name, part in value.items()}
        if isinstance(value, list):
            return [self.read(part, said) for part in value]
        return value

    def _named(self, others: Sequence[Person]) -> dict[str, str]:
        """As short as nobody shares: account-7F3A"""
        digests = {
            one.login: hmac.new(self.key, one.login.casefold().encode(), hashlib.sha256).hexdigest().upper()
            for one in others
        }
        length = next(length for length in LENGTHS if len({text[:length] for text in digests.values()}) == len(digests))
        return {login: f"account-{text[:length]}" for login, text in digests.items()}

    def _text(self, text: str, said: Said) -> str:
        text = self._without_numbers(unicodedata.normalize("NFC", text), said)
        found = [(one.start(), one.end(), word(one.group())) for one in WORD.finditer(text)]
        parts: list[str] = []
        until = place = 0
        while place < len(found):
            length, name = self._at(found, place)
            if length and name:
                parts += [text[until : found[place][0]], name]
                until = found[place + length - 1][1]
                said.replaced += 1
            elif not length:
                self._doubt(text, found[place], said)
            place += length or 1
        parts.append(text[until:])
        result = "".join(parts)
        # An address that nobody is known by is somebody's all the same.
        unknown = sum(words(one) not in self._own for one in MAIL.findall(result))
        said.doubtful += unknown
        said.named += unknown
        return result

    def _doubt(self, text: str, found: tuple[int, int, str], said: Said) -> None:
        start, _, plain = found
        if plain in self._maybe:
            said.doubtful += 1
            said.named += text[start].isupper() and not BEGINNING.search(text, 0, start)

    def _at(self, found: Sequence[tuple[int, int, str]], place: int) -> tuple[int, str]:
        """(how many words from here name an account, its pseudonym; empty where it is the holder's); (0, "") if none"""
        ahead = tuple(one[2] for one in found[place : place + 24])
        own = max((len(one) for one in self._own if one and ahead[: len(one)] == one), default=0)
        for said, name in self._sure.get(ahead[0], ()):
            if len(said) > own and ahead[: len(said)] == said:
                return len(said), name
        return own, ""

    def _without_numbers(self, text: str, said: Said) -> str:
        def pseudonym(match: "re.Match[str]") -> str:
            digits = "".join(mark for mark in match.group() if mark.isdigit())
            for start in range(max(len(digits) - DIGITS + 1, 0)):
                tail = digits[start : start + DIGITS]
                if tail in self._numbers:
                    if tail in self._own_numbers and len(digits) < 2 * DIGITS:
                        # The number of an office that the holder shares.
                        continue
                    said.replaced += 1
                    return self._numbers[tail]
            return match.group()

        return TELEPHONE.sub(pseudonym, text)


def _tail(number: str) -> str:
    """The last digits; empty for a number so short that it would be found everywhere."""
    digits = "".join(mark for mark in number if mark.isdigit())
    return digits[-DIGITS:] if len(digits) >= DIGITS else ""
