"""Which accounts of the institution the exercise is about, and how each of them ends."""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from runbooks.affected_accounts.models import State, Tier
from runbooks.demonstration.institution import Institution, Row
from runbooks.demonstration.waves import CONTAINED, FALLEN, LISTED, WAVES, Wave

S = State
# How the contained accounts end, those that come through first at the head.
FATES: tuple[tuple[State, int], ...] = (
    (S.WATCHED, 2),
    (S.RESTORED, 8),
    (S.RESTORED_RESTRICTED, 6),
    (S.CLEARED, 14),
    (S.HOLDER_CONFIRMED, 20),
    (S.CLOSED, 1),
    (S.ESCALATED, 2),
    (S.LEFT, 1),
    (S.HOLDER_REACHED, 12),
    (S.UNREACHABLE, 4),
    (S.CONTAINED, 14),
)
CONFIRMING = (S.WATCHED, S.RESTORED, S.RESTORED_RESTRICTED, S.CLEARED, S.HOLDER_CONFIRMED)
TIER_A = 61
# An account is through the earlier the earlier it was found, give or take this many places.
SHUFFLE = 15
PICKED_WAVE, SETTLED_WAVE, MISSPELT_WAVE = 3, 5, 7


@dataclass(frozen=True, slots=True)
class Holder:
    """An account of the exercise. `place` orders the contained ones by how soon they are through."""

    row: Row
    wave: Wave
    fate: State
    tier: str
    place: int = -1

    @property
    def login(self) -> str:
        return self.row.login


@dataclass(frozen=True, slots=True)
class Cast:
    """`picked`, `settled` and `misspelt` stand on their lists in a way that a person has to look at.

    `unsettled` are two people of one name, of whom a list says no more than the name, until the story ends.
    """

    holders: tuple[Holder, ...]
    picked: Holder
    settled: Holder
    misspelt: Holder
    unsettled: tuple[Row, Row]

    def of(self, *fates: State) -> list[Holder]:
        """The holders with these fates, those that are through first at the head."""
        found = [holder for holder in self.holders if holder.fate in fates]
        return sorted(found, key=lambda holder: (holder.place, holder.wave.number, holder.login))

    def on(self, wave: Wave) -> list[Holder]:
        return [holder for holder in self.holders if holder.wave == wave]

    def fallen_on(self, wave: Wave) -> list[Holder]:
        return [holder for holder in self.on(wave) if has_fallen(holder)]


def has_fallen(holder: Holder) -> bool:
    return holder.fate not in {S.TARGETED, S.FALSE_POSITIVE, S.SUSPECTED, S.NOT_ASSESSED}


def make_cast(institution: Institution, *, seed: int) -> Cast:
    chance = random.Random(f"cast {seed}")
    picked, settled, unsettled = institution.twins[:3]
    rows = _choose(institution, chance)
    fallen = _fallen(rows[:FALLEN], chance)
    fallen = _recast(fallen, PICKED_WAVE, picked[1])
    fallen = _recast(fallen, SETTLED_WAVE, settled[1])
    holders = (*fallen, *_others(iter(rows[FALLEN:])))
    return Cast(
        holders,
        _by_row(holders, picked[1]),
        _by_row(holders, settled[1]),
        next(one for one in fallen if one.wave.number == MISSPELT_WAVE),
        unsettled,
    )


def _choose(institution: Institution, chance: random.Random) -> list[Row]:
    """People with a name of their own who can sign in: members, peers and staff as they come, few who run systems."""
    is_alone = institution.is_alone()
    fit = [row for row in institution.rows if row.kind == "person" and row.is_enabled and is_alone(row)]
    chance.shuffle(fit)
    powerful = [row for row in fit if row.is_privileged][:2]
    members = [row for row in fit if row.department in {"Members", "Peers"}]
    staff = [row for row in fit if row.department not in {"Members", "Peers"} and not row.is_privileged]
    elected = members[: min(44, len(members) // 2)]
    ordinary = [*elected, *staff[: LISTED - len(elected) - len(powerful)]]
    chance.shuffle(ordinary)
    # Those who run systems turn out not to be affected: they are at the end, among the mistaken.
    return [*ordinary, *powerful]


def _fallen(rows: Sequence[Row], chance: random.Random) -> list[Holder]:
    tiers = [Tier.A] * TIER_A + [Tier.B] * (FALLEN - TIER_A)
    chance.shuffle(tiers)
    order = sorted(range(CONTAINED), key=lambda index: index + chance.uniform(0, SHUFFLE))
    places = {index: place for place, index in enumerate(order)}
    fates = [fate for fate, number in FATES for _ in range(number)]
    waves = [wave for wave in WAVES for _ in range(wave.fallen)]
    return [
        Holder(row, wave, fates[places[index]], tier, places[index])
        if index in places
        else Holder(row, wave, S.COMPROMISED, tier)
        for index, (row, wave, tier) in enumerate(zip(rows, waves, tiers, strict=True))
    ]


def _recast(holders: list[Holder], wave_number: int, row: Row) -> list[Holder]:
    """Give the part of the last one on this list to somebody else."""
    index = max(index for index, holder in enumerate(holders) if holder.wave.number == wave_number)
    old = holders[index]
    return [*holders[:index], Holder(row, old.wave, old.fate, old.tier, old.place), *holders[index + 1 :]]


def _others(rows: Iterator[Row]) -> Iterator[Holder]:
    for wave in WAVES:
        for row in islice(rows, wave.suspected):
            is_new = wave == WAVES[-1]
            yield Holder(row, wave, S.NOT_ASSESSED if is_new else S.SUSPECTED, "" if is_new else Tier.D)
    for wave in WAVES:
        for row in islice(rows, wave.targeted):
            yield Holder(row, wave, S.TARGETED, Tier.C)
    for wave in WAVES:
        for row in islice(rows, wave.mistaken):
            yield Holder(row, wave, S.FALSE_POSITIVE, Tier.D)


def _by_row(holders: Collection[Holder], row: Row) -> Holder:
    return next(holder for holder in holders if holder.row == row)
