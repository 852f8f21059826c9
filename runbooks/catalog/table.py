"""Reads one TOML table key by key, and reports what does not fit instead of stopping."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from runbooks.catalog.faults import FaultList, quoted
from runbooks.catalog.source_lines import Path

LONGEST_LINE = 200
MANY_CHOICES = 20


class Table:
    """A TOML table and its place in the file. Every reader returns a value of its own type, whatever the file says."""

    def __init__(self, values: dict[str, Any], path: Path, faults: FaultList) -> None:
        self.path = path
        self._values = values
        self._faults = faults
        self._known: list[str] = []

    def fault(self, key: str, reason: str) -> None:
        self._faults.add((*self.path, key), reason)

    def text(self, key: str, *, required: bool = True) -> str:
        """A string, stripped; empty when it is missing or no string."""
        value = self._value(key)
        if value is None:
            if required:
                self._faults.add(self.path, f'"{key}" is missing. Add it.')
            return ""
        if not isinstance(value, str):
            self.fault(key, f'"{key}" must be text in quotes.')
            return ""
        if required and not value.strip():
            self.fault(key, f'"{key}" is empty. Write it.')
        return value.strip()

    def line(self, key: str, *, required: bool = True, longest: int = LONGEST_LINE) -> str:
        """A text of one line, of at most so many characters."""
        text = self.text(key, required=required)
        if "\n" in text:
            self.fault(key, f'"{key}" must be one line.')
        if len(text) > longest:
            self.fault(key, f'"{key}" has {len(text)} characters. Use at most {longest}.')
        return text

    def choice(self, key: str, allowed: Iterable[str], *, required: bool = True) -> str:
        """One of the allowed words; empty when it is missing or another."""
        allowed = tuple(allowed)
        word = self.line(key, required=required)
        if word and word not in allowed:
            self.fault(key, unknown(key, word, allowed))
            return ""
        return word

    def flag(self, key: str) -> bool:
        value = self._value(key)
        if value is not None and not isinstance(value, bool):
            self.fault(key, f'"{key}" must be true or false.')
        return value is True

    def words(self, key: str) -> tuple[str, ...]:
        """A list of different words, each at its own line; a word that comes twice is a fault."""
        value = self._value(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            self.fault(key, f'"{key}" must be a list of words in quotes.')
            return ()
        for index, word in enumerate(value):
            if word in value[:index]:
                self._faults.add((*self.path, key, index), f'"{word}" stands twice in "{key}". Remove one.')
        return tuple(dict.fromkeys(value))

    def tables(self, key: str) -> list["Table"]:
        value = self._value(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.fault(key, f'"{key}" must be a list of tables.')
            return []
        return [Table(item, (*self.path, key, index), self._faults) for index, item in enumerate(value)]

    def table(self, key: str) -> "Table":
        value = self._value(key)
        if value is not None and not isinstance(value, dict):
            self.fault(key, f'"{key}" must be a table.')
        return Table(value if isinstance(value, dict) else {}, (*self.path, key), self._faults)

    def names(self) -> tuple[str, ...]:
        return tuple(self._values)

    def says(self, key: str) -> bool:
        """Whether the author wrote something there, be it right or wrong."""
        return self._values.get(key) not in (None, "")

    def done(self) -> None:
        """Every key nobody asked for is a fault: a misspelt one would otherwise be ignored in silence."""
        for key in self._values:
            if key not in self._known:
                self.fault(key, unknown("key", key, self._known))

    def _value(self, key: str) -> object:
        self._known.append(key)
        return self._values.get(key)


def unknown(what: str, word: str, allowed: Iterable[str]) -> str:
    """Why a word is refused, with the likeliest meant or, failing that, all there are when they are few."""
    choices = tuple(allowed)
    if near := get_close_matches(word, choices, n=1):
        return f'Unknown {what} "{word}". Did you mean "{near[0]}"?'
    if 0 < len(choices) <= MANY_CHOICES:
        return f'Unknown {what} "{word}". Use one of {quoted(choices)}.'
    return f'Unknown {what} "{word}".'
