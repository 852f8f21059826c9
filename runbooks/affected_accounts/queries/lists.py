"""What an analysts' list says, and which of its lines nobody has settled yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final
from uuid import UUID

from django.db.models import Q

from runbooks.affected_accounts.models import AffectedAccount, AffectedImport, UnresolvedLine
from runbooks.directory.formats.encoding import detect_encoding
from runbooks.directory.models import Account
from runbooks.directory.queries import Match, MatchStatus, match_many
from runbooks.errors import DomainError, NotFoundError

PAGE: Final = 50
FOUND_AT_MOST: Final = 8
WORDS_AT_MOST: Final = 10
LINES_AT_MOST: Final = 100_000
LETTERS_AT_MOST: Final = 1000


class BadListError(DomainError):
    """The list cannot be read."""

    status = 400


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the list that means somebody, or should. `number` counts from 1.

    `choices` are the accounts to choose from: candidates of an ambiguous line, the nearest of an unmatched one.
    """

    number: int
    text: str
    account: Account | None = None
    is_already_there: bool = False
    choices: tuple[Account, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a list means, in the order of its lines. Repeats are lines that say again what an earlier one said."""

    matched: tuple[Line, ...]
    ambiguous: tuple[Line, ...]
    unmatched: tuple[Line, ...]
    repeats: int

    @property
    def new(self) -> list[Line]:
        return [line for line in self.matched if not line.is_already_there]

    @property
    def already(self) -> list[Line]:
        return [line for line in self.matched if line.is_already_there]

    def counts(self) -> dict[str, int]:
        return {
            "matched": len(self.matched),
            "already": len(self.already),
            "ambiguous": len(self.ambiguous),
            "unmatched": len(self.unmatched),
            "repeats": self.repeats,
        }


@dataclass(frozen=True, slots=True)
class OpenLine:
    """An unresolved line with the accounts it might mean."""

    line: UnresolvedLine
    choices: tuple[Account, ...]


def read_list(incident_id: UUID, content: bytes) -> Reading:
    """Match every line against the directory. At most five queries, however long the list.

    Raises BadListError for what is no list, BrokenFileError (a DomainError) where the bytes are no text.
    """
    lines = _lines(content)
    matches = match_many(lines)
    there = set(AffectedAccount.objects.filter(incident_id=incident_id).values_list("account_id", flat=True))
    by_status: dict[MatchStatus, list[Line]] = {status: [] for status in MatchStatus}
    seen: set[object] = set()
    repeats = 0
    for number, match in enumerate(matches, start=1):
        if match.status == MatchStatus.BLANK:
            continue
        means = match.account.pk if match.account else match.text.casefold()
        if means in seen:
            repeats += 1
            continue
        seen.add(means)
        by_status[match.status].append(_line(number, match, there))
    return Reading(
        tuple(by_status[MatchStatus.MATCHED]),
        tuple(by_status[MatchStatus.AMBIGUOUS]),
        tuple(by_status[MatchStatus.UNMATCHED]),
        repeats,
    )


def _line(number: int, match: Match, there: set[int]) -> Line:
    account = match.account
    return Line(
        number=number,
        text=match.text,
        account=account,
        is_already_there=account is not None and account.pk in there,
        choices=match.candidates or match.nearest,
    )


def _lines(content: bytes) -> list[str]:
    encoding = detect_encoding(BytesIO(content))
    lines = content.decode(encoding).lstrip("\ufeff").splitlines()
    if not any(line.strip() for line in lines):
        raise BadListError("The list is empty. Give one account a line.")
    if len(lines) > LINES_AT_MOST:
        raise BadListError(f"The list has {len(lines):,} lines. Split it: {LINES_AT_MOST:,} at once is the most.")
    if long := next((number for number, line in enumerate(lines, start=1) if len(line) > LETTERS_AT_MOST), 0):
        raise BadListError(
            f"Line {long:,} has {len(lines[long - 1]):,} letters, more than any account. Give one account a line."
        )
    if any("\0" in line for line in lines):
        raise BadListError("This is no list but a binary file. Save it as text or CSV, one account a line.")
    return lines


def import_of(incident_id: UUID, import_id: int) -> AffectedImport:
    found = AffectedImport.objects.filter(incident_id=incident_id, pk=import_id).first()
    if found is None:
        raise NotFoundError("There is no such list in this incident.")
    return found


def imports_of(incident_id: UUID) -> list[AffectedImport]:
    """The newest 20 lists."""
    return list(AffectedImport.objects.filter(incident_id=incident_id).order_by("-id")[:20])


def find_accounts(text: str) -> tuple[Account, ...]:
    """Up to eight accounts of the directory that a person may mean by some words. Two queries at most."""
    words = text.replace("\0", "").split()[:WORDS_AT_MOST]
    if not words:
        return ()
    named = match_many([text])[0]
    exact = (named.account,) if named.account else named.candidates
    accounts = Account.objects.defer("match_keys")
    for word in words:
        accounts = accounts.filter(Q(login__icontains=word) | Q(display_name__icontains=word))
    found = {account.pk: account for account in (*exact, *accounts.order_by("login")[:FOUND_AT_MOST])}
    return tuple(found.values())[:FOUND_AT_MOST]


def unresolved_lines(incident_id: UUID, *, after: int = 0) -> tuple[list[OpenLine], int | None]:
    """Lines that wait to be settled, oldest first, 50 at a time; and the id to go on after. At most six queries."""
    waiting = UnresolvedLine.objects.filter(incident_id=incident_id, settled_at__isnull=True, pk__gt=after)
    found = list(waiting.select_related("source").order_by("pk")[: PAGE + 1])
    page = found[:PAGE]
    choices = _choices(page)
    more = page[-1].pk if len(found) > PAGE else None
    return [OpenLine(line, choices[line.pk]) for line in page], more


def unresolved_line(incident_id: UUID, line_id: int) -> UnresolvedLine:
    found = UnresolvedLine.objects.filter(incident_id=incident_id, pk=line_id).first()
    if found is None:
        raise NotFoundError("There is no such line in this incident.")
    return found


def _choices(lines: Sequence[UnresolvedLine]) -> dict[int, tuple[Account, ...]]:
    """The directory is asked again: an import since may have brought the account."""
    matches = match_many(line.text for line in lines) if lines else []
    return {
        line.pk: ((match.account,) if match.account else match.candidates or match.nearest)
        for line, match in zip(lines, matches, strict=True)
    }
