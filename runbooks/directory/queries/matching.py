"""Whom a line of a list means. Exactly one account: matched. Several: ambiguous. None: unmatched. Never a guess."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.db import connection
from rapidfuzz import fuzz, process

from runbooks.directory.models import Account
from runbooks.directory.names import Candidates, Identifier, fold, parse_line

NEAREST: Final = 3
NEAREST_CUTOFF: Final = 60
# Comparing with every name takes about a millisecond a line; a list of nothing but strangers must not take minutes.
NEAREST_LINES: Final = 500

FEW_KEYS: Final = 200
# For some keys the index on match_keys is quickest; for thousands, one walk through all of them and a hash.
FIND_FEW: Final = """
    SELECT key, account.id FROM runbooks_account account CROSS JOIN unnest(account.match_keys) AS key
    WHERE account.match_keys && %(wanted)s::varchar[] AND key = ANY (%(wanted)s::varchar[])
    """
FIND_MANY: Final = """
    SELECT key, account.id FROM runbooks_account account CROSS JOIN unnest(account.match_keys) AS key
    WHERE key = ANY (%(wanted)s::varchar[])
    """
ByKey = dict[str, list[Account]]


class MatchStatus(StrEnum):
    MATCHED = "matched"
    AMBIGUOUS = "ambiguous"
    UNMATCHED = "unmatched"
    BLANK = "blank"


@dataclass(frozen=True, slots=True)
class Match:
    """What a line means. `text` is the line without its surroundings, as it can be shown and kept.

    `account` only where matched; `candidates`, by login, only where ambiguous; `nearest`, the likeliest first, only
    where unmatched, for a person to choose from. An account that is gone from the directory matches like any other:
    `is_gone` says so.
    """

    text: str
    status: MatchStatus
    account: Account | None = None
    candidates: tuple[Account, ...] = ()
    nearest: tuple[Account, ...] = ()

    @property
    def is_gone(self) -> bool:
        return self.account is not None and self.account.gone_at is not None


def match(text: str) -> Match:
    """The account meant by one line of a list as analysts write them. At most four queries."""
    return match_many([text])[0]


def match_many(lines: Iterable[str]) -> list[Match]:
    """A Match for each line, in order. At most four queries, however many lines there are.

    The first 500 lines that match nobody get their nearest accounts; beyond, a list is not one to pick through by hand.
    """
    parsed = [(line.strip().strip("\ufeff").strip(), parse_line(line)) for line in lines]
    found = _accounts_by_key([candidates for _, candidates in parsed])
    matches = [_resolve(text, candidates, found) for text, candidates in parsed]
    return _with_nearest(matches, [candidates for _, candidates in parsed], found)


def _accounts_by_key(parsed: Sequence[Candidates]) -> ByKey:
    wanted = {
        key
        for candidates in parsed
        for identifier in (*candidates.identifiers, candidates.name)
        for level in identifier
        for key in level
        if "\x00" not in key
    }
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(FIND_FEW if len(wanted) <= FEW_KEYS else FIND_MANY, {"wanted": sorted(wanted)})
        pairs: list[tuple[str, int]] = cursor.fetchall()
    accounts = Account.objects.defer("match_keys").in_bulk({pk for _, pk in pairs})
    found: ByKey = {}
    for key, pk in pairs:
        found.setdefault(key, []).append(accounts[pk])
    return found


def _resolve(text: str, candidates: Candidates, found: ByKey) -> Match:
    if candidates.is_blank:
        return Match(text, MatchStatus.BLANK)
    named = {account.pk: account for identifier in candidates.identifiers for account in _strongest(identifier, found)}
    beside = {account.pk: account for account in _strongest(candidates.name, found)}
    if len(named) == 1 and beside and not named.keys() & beside.keys():
        # The address says one, the name beside it another: somebody has to look.
        named |= beside
    if not named:
        return Match(text, MatchStatus.UNMATCHED)
    accounts = tuple(sorted(named.values(), key=lambda account: account.login))
    if len(accounts) == 1:
        return Match(text, MatchStatus.MATCHED, account=accounts[0])
    return Match(text, MatchStatus.AMBIGUOUS, candidates=accounts)


def _strongest(identifier: Identifier, found: ByKey) -> list[Account]:
    """All accounts at the first level that has any."""
    for level in identifier:
        accounts = {account.pk: account for key in level for account in found.get(key, ())}
        if accounts:
            return list(accounts.values())
    return []


def _with_nearest(matches: list[Match], parsed: Sequence[Candidates], found: ByKey) -> list[Match]:
    """The matches, with the nearest accounts of those that match nobody. A name that stands beside comes first."""
    strangers = [index for index, match in enumerate(matches) if match.status is MatchStatus.UNMATCHED][:NEAREST_LINES]
    if not strangers:
        return matches
    known = list(Account.objects.values_list("id", "login", "display_name"))
    ids = [pk for pk, _, _ in known]
    logins = [fold(login).partition("@")[0] for _, login, _ in known]
    names = [_sorted_words(name) for _, _, name in known]
    near = {index: _near(parsed[index].text, ids, logins, names) for index in strangers}
    accounts = Account.objects.in_bulk({pk for pks in near.values() for pk in pks})
    for index in strangers:
        beside = {account.pk: account for account in _strongest(parsed[index].name, found)}
        nearest = beside | {pk: accounts[pk] for pk in near[index] if pk in accounts}
        matches[index] = Match(matches[index].text, MatchStatus.UNMATCHED, nearest=tuple(nearest.values())[:NEAREST])
    return matches


def _near(text: str, ids: Sequence[int], logins: Sequence[str], names: Sequence[str]) -> list[int]:
    """Ids of the accounts whose login or name is most alike, the likeliest first."""
    login = fold(text).partition("@")[0].rpartition("\\")[2]
    scores: dict[int, float] = {}
    for query, choices in ((login, logins), (_sorted_words(text), names)):
        for _, score, index in process.extract(
            query, choices, scorer=fuzz.ratio, limit=NEAREST, score_cutoff=NEAREST_CUTOFF
        ):
            scores[ids[index]] = max(score, scores.get(ids[index], 0))
    return sorted(scores, key=lambda pk: (-scores[pk], pk))[:NEAREST]


def _sorted_words(text: str) -> str:
    """Without order, so that a name is near itself whichever part comes first."""
    return " ".join(sorted(fold(text).replace(",", " ").split()))
