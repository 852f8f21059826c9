"""The options of a connection, read with their types. Nonsense is refused by name, with the mend."""

from collections.abc import Mapping, Sequence
from typing import Any

from ir_portal import environment
from runbooks.errors import DomainError


class MisconfiguredError(DomainError):
    pass


class Options:
    """What settings.CONNECTIONS says of one connection. `finish` refuses an option nobody asked for."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self._left = dict(options)

    def text(self, key: str, default: str | None = None) -> str:
        """Required when there is no default."""
        value = self._left.pop(key, default)
        if not isinstance(value, str) or (default is None and not value):
            raise self._wrong(key, "Write a text.")
        return value

    def number(self, key: str, default: float, *, least: float = 0, most: float = float("inf")) -> float:
        value = self._left.pop(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self._wrong(key, f"Write a number from {least:g} to {most:g}.")
        return float(value)

    def boolean(self, key: str, *, default: bool) -> bool:
        value = self._left.pop(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, "Write true or false.")
        return value

    def words(self, key: str, known: Sequence[str], default: Sequence[str] | None = None) -> list[str]:
        """Some of the known words, each once. Required when there is no default; never none at all."""
        value = self._left.pop(key, default)
        if not isinstance(value, list) or not value or any(word not in known for word in value):
            raise self._wrong(key, f"Write a list of some of these: {', '.join(known)}.")
        return list(dict.fromkeys(value))

    def secret(self, key: str) -> str:
        """From CONNECTION_<NAME>_<KEY> or the file CONNECTION_<NAME>_<KEY>_FILE names; never from the settings."""
        variable = f"CONNECTION_{self.name}_{key}".upper().replace("-", "_")
        if key in self._left:
            raise self._wrong(
                key, f"A secret does not stand there: put it into a file and name that in {variable}_FILE."
            )
        value = environment.text(variable)
        if not value:
            raise MisconfiguredError(
                f"The connection {self.name} has no {key}. Name a file with it in {variable}_FILE."
            )
        return value

    def finish(self) -> None:
        if self._left:
            raise MisconfiguredError(
                f"The connection {self.name} has options nobody reads: {', '.join(sorted(self._left))}."
            )

    def _wrong(self, key: str, mend: str) -> MisconfiguredError:
        return MisconfiguredError(f"The option {key} of the connection {self.name} is missing or wrong. {mend}")
