"""The holders are reached by telephone, at the desk or through their offices, and confirm their own reset."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count

from runbooks.affected_accounts.models import ContactAttempt, FactKind, State
from runbooks.affected_accounts.operations import Attempt, log_contact
from runbooks.demonstration.acts.calling import FROM as CALLED_FROM
from runbooks.demonstration.acts.calling import read_out
from runbooks.demonstration.acts.confirming import answers, by_letter
from runbooks.demonstration.acts.containing import assigned, fact, moved
from runbooks.demonstration.cast import CONFIRMING, Cast, Holder
from runbooks.demonstration.institution import Row
from runbooks.demonstration.stage import Cue, Play, Stage
from runbooks.demonstration.waves import clock

S, Channel, Result = State, ContactAttempt.Channel, ContactAttempt.Outcome
MINUTE = timedelta(minutes=1)
# When so many holders have confirmed their reset, and the directory shows it.
CONFIRMED = (
    ("4:05", 2),
    ("6:05", 5),
    ("8:20", 8),
    ("11:00", 7),
    ("13:00", 4),
    ("22:30", 3),
    ("23:20", 6),
    ("24:30", 6),
    ("25:30", 6),
    ("26:10", 3),
)
# When so many holders were reached who have not confirmed yet.
REACHED_ONLY = (("9:40", 4), ("12:10", 3), ("24:50", 3), ("26:16", 2))
QUIET_FROM, QUIET_UNTIL = clock("13:20"), clock("21:10")
ORIGINS = ("HR file", "members’ office list", "whips’ list", "internal telephone directory")
RECOGNISED = (
    "rang back on the number of record",
    "staff pass and photograph at the desk",
    "known to the office manager, who was on the line",
    "two questions from the HR file",
    "seen in person at their office",
)
SAID = (
    "",
    "",
    "",
    "Comes to the desk within the hour.",
    "Has not opened the mailbox since the day before.",
    "Used the same password at home; told to change it there, too.",
    "Asked whether the call was genuine and rang back through the switchboard.",
    "Assistant will bring the staff pass and the telephone.",
    "Was told that we never ask for a password or a code.",
    "Names two delegates; both are on our list.",
    "Had a call from somebody offering help with the attack. Gave nothing away.",
    "Remembers a sign-in prompt the day before and refused it.",
)
LEFT_WORD = ("Message with the office manager, without details.", "Asked to ring the desk on the printed number.", "")
CONFIRMED_BY = (
    "Holder at the service desk, pass checked; change seen in the directory",
    "Holder by telephone on the number of record; change seen in the directory",
    "Holder at their office, with the directory team; change seen in the directory",
)


def cues(cast: Cast, chance: random.Random) -> list[Cue]:
    return [
        *_confirming(cast, chance),
        *_reached_only(cast, chance),
        *_escalated(cast, chance),
        *_unreachable(cast, chance),
        *_gone(cast),
        *_still_trying(cast, chance),
        Cue(clock("3:40"), assigned(cast.of(*CONFIRMING)[:20], "desk", "deputy")),
        Cue(clock("21:20"), assigned(cast.of(S.UNREACHABLE, S.ESCALATED), "desk", "deputy")),
    ]


def _batches(holders: Sequence[Holder], sizes: Sequence[tuple[str, int]]) -> Iterator[tuple[timedelta, list[Holder]]]:
    begin = 0
    for when, size in sizes:
        yield clock(when), list(holders[begin : begin + size])
        begin += size


def _confirming(cast: Cast, chance: random.Random) -> Iterator[Cue]:
    """By the codes of letters, on the second day by codes that the desk reads out; the others as the desk notes it."""
    lettered, turns = [], count()
    for when, holders in _batches(cast.of(*CONFIRMING), CONFIRMED):
        answering = by_letter(holders, when)
        lettered.append((when, answering))
        others = [holder for holder in holders if holder not in answering]
        if when > CALLED_FROM:
            for place, holder in enumerate(others):
                yield from read_out(holder, when - (12 + 7 * place) * MINUTE, next(turns))
        elif others:
            yield from _spoken_with(others, when, chance)
    yield from answers(lettered, chance)


def _spoken_with(holders: Sequence[Holder], when: timedelta, chance: random.Random) -> Iterator[Cue]:
    for holder in holders:
        yield from _reach(holder, when - chance.randrange(35, 80) * MINUTE, chance)
    yield Cue(when - 14 * MINUTE, moved(holders, "security", S.HOLDER_REACHED))
    yield from _confirm(holders, when - 4 * MINUTE, chance)
    yield Cue(when, moved(holders, "directory", S.HOLDER_CONFIRMED))


def _confirm(holders: Sequence[Holder], when: timedelta, chance: random.Random) -> Iterator[Cue]:
    by_source: dict[str, list[Holder]] = {}
    for holder in holders:
        by_source.setdefault(chance.choice(CONFIRMED_BY), []).append(holder)
    for source, some in by_source.items():
        yield Cue(when, fact(some, "directory", FactKind.HOLDER_CONFIRMED, source))


def _reached_only(cast: Cast, chance: random.Random) -> Iterator[Cue]:
    for when, holders in _batches(cast.of(S.HOLDER_REACHED), REACHED_ONLY):
        for holder in holders:
            yield from _reach(holder, when - chance.randrange(12, 50) * MINUTE, chance)
        latest = max(_contained(holder) for holder in holders) + 15 * MINUTE
        yield Cue(max(when, latest), moved(holders, "security", S.HOLDER_REACHED))


def _escalated(cast: Cast, chance: random.Random) -> Iterator[Cue]:
    reasons = (
        "A message to the holder threatens to publish mail. Kept unread by others; with legal and the police liaison.",
        "The mailbox holds papers under restricted handling. The owning department decides with us.",
    )
    for holder, when, reason in zip(cast.of(S.ESCALATED), ("7:50", "10:20"), reasons, strict=True):
        reached = max(clock(when), _contained(holder) + 20 * MINUTE)
        yield from _reach(holder, reached, chance)
        yield Cue(reached + 6 * MINUTE, moved([holder], "security", S.HOLDER_REACHED))
        yield Cue(reached + 25 * MINUTE, moved([holder], "legal", S.ESCALATED, reason))


def _unreachable(cast: Cast, chance: random.Random) -> Iterator[Cue]:
    reason = "Three numbers of record tried over a day, and the office has no other. A letter lies at the room."
    for place, holder in enumerate(cast.of(S.UNREACHABLE)):
        for number, when in enumerate(("10:05", "12:25", "21:50")):
            tried = max(clock(when), _contained(holder) + (10 + 45 * number) * MINUTE)
            yield Cue(tried + place * 3 * MINUTE, _try(holder, Channel.PHONE, Result.NO_ANSWER, chance))
        moment = clock("23:05") if place < 2 else clock("24:42")
        yield Cue(moment + place * MINUTE, moved([holder], "security", S.UNREACHABLE, reason))


def _gone(cast: Cast) -> Iterator[Cue]:
    """Two whose holders have left: one account is closed for good, the other waits for its department."""
    (closed,), (left,) = cast.of(S.CLOSED), cast.of(S.LEFT)
    begun = max(clock("10:45"), _contained(closed) + 30 * MINUTE)
    yield Cue(
        begun, moved([closed], "security", S.LEFT, "Human resources: left the House last month, account overlooked.")
    )
    yield Cue(
        clock("22:50"), moved([closed], "directory", S.CLOSED, "Removed from all groups, mailbox held for the inquiry.")
    )
    later = max(clock("12:05"), _contained(left) + 30 * MINUTE)
    yield Cue(
        later,
        moved([left], "security", S.LEFT, "Human resources: contract ended a week ago. Department to say who follows."),
    )


def _still_trying(cast: Cast, chance: random.Random) -> Iterator[Cue]:
    """Seven of those whom the desk calls on the second day (calling.py) were tried in vain on the first.

    Two are noted by hand then, too: what came of them is no outcome of a call of the desk.
    """
    tried = cast.of(S.CONTAINED)[3:10]
    for place, holder in enumerate(tried):
        first = max(clock("11:25"), _contained(holder) + 10 * MINUTE) + 4 * place * MINUTE
        if first < QUIET_FROM:
            yield Cue(first, _try(holder, Channel.PHONE, Result.NO_ANSWER, chance))
    yield Cue(clock("24:16"), _try(tried[1], Channel.PHONE, Result.LEFT_MESSAGE, chance))
    yield Cue(clock("24:38"), _try(tried[3], Channel.PHONE, Result.WRONG_NUMBER, chance))


def _reach(holder: Holder, when: timedelta, chance: random.Random) -> Iterator[Cue]:
    """Perhaps one or two tries in vain, then the one that reached the holder."""
    reached = max(when, _contained(holder) + 8 * MINUTE)
    for _ in range(chance.choice((0, 0, 0, 1, 1, 2))):
        tried = reached - chance.randrange(25, 200) * MINUTE
        is_day = tried < QUIET_FROM or tried > QUIET_UNTIL
        if is_day and tried > _contained(holder):
            outcome = chance.choice((Result.NO_ANSWER, Result.NO_ANSWER, Result.LEFT_MESSAGE))
            yield Cue(tried, _try(holder, Channel.PHONE, outcome, chance))
    channel = chance.choice((Channel.PHONE, Channel.PHONE, Channel.PHONE, Channel.IN_PERSON, Channel.COLLEAGUE))
    yield Cue(reached, _try(holder, channel, Result.REACHED, chance))


def _try(
    holder: Holder, channel: ContactAttempt.Channel, outcome: ContactAttempt.Outcome, chance: random.Random
) -> Play:
    is_call = channel in {Channel.PHONE, Channel.TEXT}
    is_reached = outcome == Result.REACHED
    words = SAID if is_reached else LEFT_WORD if outcome == Result.LEFT_MESSAGE else ("",)
    who = "communications" if channel == Channel.COLLEAGUE else "desk"
    number, origin, known, said = (
        _number(holder.row),
        chance.choice(ORIGINS),
        chance.choice(RECOGNISED),
        chance.choice(words),
    )

    def play(stage: Stage, at: datetime) -> None:
        attempt = Attempt(
            channel=channel,
            outcome=outcome,
            happened_at=at - timedelta(minutes=2),
            address=number if is_call else "",
            address_source=origin if is_call else "",
            identity_check=known if is_reached else "",
            note=said,
        )
        log_contact(
            incident_id=stage.incident_id,
            account_ids=stage.ids([holder]),
            attempt=attempt,
            actor=stage.actors[who],
            at=at,
        )

    return play


def _number(row: Row) -> str:
    return row.mobile or row.telephone


def _contained(holder: Holder) -> timedelta:
    if holder.wave.contained is None:
        raise ValueError(f"{holder.login} is not contained")
    return holder.wave.contained
