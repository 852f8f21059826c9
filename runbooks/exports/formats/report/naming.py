"""How a report names accounts: as they are, or by numbers where it goes to somebody who is not to know."""

import re
from collections.abc import Iterable
from typing import Final, Protocol

# Shorter parts of an address are words of the language as well.
LOCAL_PART_LEAST: Final = 5


class Naming(Protocol):
    is_hidden: bool

    def account(self, login: str) -> str: ...

    def text(self, words: str, about: str = "") -> str:
        """What somebody wrote; `about` is the account that it is about, where one is known."""


class Plain:
    is_hidden = False

    def account(self, login: str) -> str:
        return login

    def text(self, words: str, about: str = "") -> str:
        return words


class Numbers:
    """Account 1, Account 2 ... in the order of the logins; in texts instead of login, mailbox name and holder's name.

    `accounts` are (login, display name). What people wrote may name somebody in other words: the report says so.
    """

    is_hidden = True

    def __init__(self, accounts: Iterable[tuple[str, str]]) -> None:
        self._known: dict[str, str] = {}
        self._words: dict[str, str] = {}
        for login, name in sorted(accounts):
            number = self.account(login)
            for word in (login, *_parts(login), *_orders(name)):
                self._words.setdefault(word.lower(), number)
        longest_first = sorted(self._words, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)

    def account(self, login: str) -> str:
        return self._known.setdefault(login.lower(), f"Account {len(self._known) + 1}")

    def text(self, words: str, about: str = "") -> str:
        if about:
            words = words.replace(about, self.account(about))
        if not self._words:
            return words
        return self._pattern.sub(lambda found: self._words[found.group().lower()], words)


def _parts(login: str) -> list[str]:
    local = login.partition("@")[0]
    return [local] if len(local) >= LOCAL_PART_LEAST else []


def _orders(name: str) -> list[str]:
    """Birkmere, Zoë: as it stands, and as people say it."""
    family, comma, given = (part.strip() for part in name.partition(","))
    return [name, f"{given} {family}"] if comma and given else [name] if " " in name else []
