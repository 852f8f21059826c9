"""The analysts' lists as they come in: read, applied, looked at line by line, and every account judged."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from runbooks.affected_accounts.models import AffectedImport, State, UnresolvedLine
from runbooks.affected_accounts.operations import apply_import, change_state, set_tier, settle_line, stage_import
from runbooks.demonstration.cast import Cast, Holder
from runbooks.demonstration.institution import Institution, Row
from runbooks.demonstration.stage import Cue, Play, Stage
from runbooks.demonstration.waves import WAVES, Wave, clock
from runbooks.directory.models import Account

MINUTE = timedelta(minutes=1)
OLD_ALIAS = "returning.officer.old@parliament.example"
OLD_ALIAS_WAVE, UNSETTLED_WAVE = 4, 9
# When it became known that an account which looked broken into was not, and why.
MISTAKES = (
    ("1:45", "The office gateway: the holder mistyped twice at their own desk, then signed in there."),
    (
        "3:05",
        "The holder was travelling and signed in from the hotel. Confirmed by telephone, passport seen at the desk.",
    ),
    ("4:10", "Both sign-ins came through the mobile network the holder always uses. Their telephone shows them."),
    ("4:10", "A scanner in the post room still had the old password."),
    ("5:40", "Only the office gateway is in the log, at times when the holder was in the building."),
    ("7:15", "The holder’s assistant signed in as delegate from home, as on every working day."),
    ("7:15", "A telephone that was put away in a drawer retried an old password for weeks."),
    ("9:05", "The holder mistyped, then succeeded from the same mobile network one minute later."),
    ("10:50", "The list named this account for its neighbour’s rows: two lines of the log were read as one."),
    ("12:20", "A monitoring sign-in from our own network, made with the holder’s agreement."),
    ("13:15", "The address belongs to the committee office’s own line abroad. The holder was there."),
)


def cues(cast: Cast, institution: Institution, chance: random.Random) -> list[Cue]:
    is_alone = institution.is_alone()
    found = []
    for wave in WAVES:
        lines = list_lines(cast, wave, chance, is_alone)
        found += [Cue(wave.listed, _load(wave, lines)), Cue(wave.listed + 2 * MINUTE, _apply(wave, lines))]
        found += _judge(cast, wave)
    found += [*_settle(cast), *_clear(cast)]
    return found


def list_lines(cast: Cast, wave: Wave, chance: random.Random, is_alone: Callable[[Row], bool]) -> list[str]:
    """The list as analysts write one: a comment at the head, every spelling of a name, some lines twice."""
    lines = [f"# {wave.name.removesuffix('.txt')}, in the order of the log"]
    for holder in cast.on(wave):
        if holder in {cast.picked, cast.settled}:
            lines.append(holder.row.display_name)
        elif holder == cast.misspelt:
            lines.append(misspelt(holder.row))
        else:
            lines.append(_spelling(holder.row, chance, is_alone))
            if chance.random() < 0.08:
                lines.append(holder.row.mail.upper())
    if wave.number == OLD_ALIAS_WAVE:
        lines.append(OLD_ALIAS)
    if wave.number == UNSETTLED_WAVE:
        lines.append(cast.unsettled[0].display_name)
    return lines


def misspelt(row: Row) -> str:
    """The login with two letters of the family name exchanged, as it stood on a telephone note."""
    local, _, domain = row.login.partition("@")
    swapped = f"{local[:-4]}{local[-3]}{local[-4]}{local[-2:]}"
    return f"{swapped if swapped != local else local + 'e'}@{domain}"


def _spelling(row: Row, chance: random.Random, is_alone: Callable[[Row], bool]) -> str:
    spellings = [
        row.login,
        row.login,
        row.mail.title(),
        f"PARLIAMENT\\{row.login.partition('@')[0]}",
        f"{row.display_name.replace(',', '')} <{row.mail}>",
        f'"{row.login}";',
    ]
    if is_alone(row):
        spellings += [row.display_name, f"{row.given_name} {row.family_name}"]
    return chance.choice(spellings)


def _load(wave: Wave, lines: Sequence[str]) -> Play:
    content = "\r\n".join(lines).encode()

    def play(stage: Stage, at: datetime) -> None:
        actor = stage.actors["security"]
        stage_import(incident_id=stage.incident_id, file_name=wave.name, content=content, actor=actor, at=at)

    return play


def _apply(wave: Wave, lines: Sequence[str]) -> Play:
    def play(stage: Stage, at: datetime) -> None:
        picked = stage.cast.picked
        picks = {}
        if wave == picked.wave:
            picks = {lines.index(picked.row.display_name) + 1: Account.objects.get(login=picked.login).pk}
        staged = AffectedImport.objects.get(incident_id=stage.incident_id, file_name=wave.name)
        actor = stage.actors["security"]
        apply_import(incident_id=stage.incident_id, import_id=staged.pk, picks=picks, actor=actor, at=at)

    return play


def _judge(cast: Cast, wave: Wave) -> list[Cue]:
    """A tier for every account of the list, those who got in first."""
    cues = []
    for place, tier in enumerate("ABCD"):
        holders = [holder for holder in cast.on(wave) if holder.tier == tier]
        if holders:
            cues.append(Cue(wave.listed + (6 + 2 * place) * MINUTE, _set_tier(holders, tier)))
    return cues


def _set_tier(holders: Sequence[Holder], tier: str) -> Play:
    def play(stage: Stage, at: datetime) -> None:
        actor = stage.actors["security"]
        set_tier(incident_id=stage.incident_id, account_ids=stage.ids(holders), tier=tier, actor=actor, at=at)

    return play


def _settle(cast: Cast) -> list[Cue]:
    """Lines that named nobody for sure; one waits until the story ends."""
    settled, misspelled = cast.settled, cast.misspelt
    return [
        Cue(
            settled.wave.listed + 4 * MINUTE,
            _means(settled.row.display_name, settled, "Known by the room number beside it in the log."),
        ),
        Cue(
            misspelled.wave.listed + 4 * MINUTE,
            _means(misspelt(misspelled.row), misspelled, "Two letters exchanged when it was read out."),
        ),
        Cue(
            clock("3:31"), _means(OLD_ALIAS, None, "An alias that was retired two years ago. No mailbox is behind it.")
        ),
    ]


def _means(text: str, holder: Holder | None, reason: str) -> Play:
    def play(stage: Stage, at: datetime) -> None:
        line = UnresolvedLine.objects.get(incident_id=stage.incident_id, text=text)
        settle_line(
            incident_id=stage.incident_id,
            line_id=line.pk,
            account_id=Account.objects.get(login=holder.login).pk if holder else None,
            reason=reason,
            actor=stage.actors["security"],
            at=at,
        )

    return play


def _clear(cast: Cast) -> list[Cue]:
    """Accounts that turned out not to be affected, each with its own reason."""
    mistaken = cast.of(State.FALSE_POSITIVE)
    mistaken.sort(key=lambda holder: (holder.wave.number, holder.login))
    return [
        Cue(max(clock(when), holder.wave.listed + 25 * MINUTE), _not_affected(holder, reason))
        for holder, (when, reason) in zip(mistaken, MISTAKES, strict=True)
    ]


def _not_affected(holder: Holder, reason: str) -> Play:
    def play(stage: Stage, at: datetime) -> None:
        change_state(
            incident_id=stage.incident_id,
            account_ids=stage.ids([holder]),
            after=State.FALSE_POSITIVE,
            reason=reason,
            actor=stage.actors["security"],
            at=at,
        )

    return play
