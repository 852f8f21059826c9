"""What was read in the mailboxes is assessed, and the first accounts go back to their holders in two stages."""

from collections.abc import Iterator
from datetime import timedelta

from runbooks.affected_accounts.models import FactKind, State
from runbooks.demonstration.acts.containing import fact, moved
from runbooks.demonstration.cast import CONFIRMING, Cast
from runbooks.demonstration.stage import Cue
from runbooks.demonstration.waves import clock

S = State
MINUTE = timedelta(minutes=1)
# When so many mailboxes were assessed, and what was found in them, in turn.
ASSESSED = (("10:30", 6), ("12:20", 6), ("22:10", 6), ("23:50", 6), ("25:05", 6), ("26:02", 9))
FOUND = (
    "No item was opened by the attacker’s sessions.",
    "Single items were opened; they are listed. None is casework.",
    "The inbox was synchronised: taken as read in whole.",
)
CLEARED = (("23:40", 16), ("25:20", 8), ("26:15", 6))
RESTRICTED = (("24:05", 8), ("25:00", 4), ("25:45", 4))
RESTORED = (("25:10", 6), ("26:00", 4))
WATCHED = ("26:12", 2)


def cues(cast: Cast) -> list[Cue]:
    return [*_assessed(cast), *_cleared(cast), *_restricted(cast), *_restored(cast)]


def _assessed(cast: Cast) -> Iterator[Cue]:
    holders, begin = cast.of(*CONFIRMING), 0
    for when, size in ASSESSED:
        batch = holders[begin : begin + size]
        for place, said in enumerate(FOUND):
            some = batch[place :: len(FOUND)]
            source = "Mailbox audit log, read by two analysts"
            play = fact(some, "security", FactKind.DATA_LOSS_ASSESSED, source, note_text=said)
            yield Cue(clock(when) + 4 * place * MINUTE, play)
        begin += size


def _cleared(cast: Cast) -> Iterator[Cue]:
    holders, begin = cast.of(*CONFIRMING), 0
    for when, size in CLEARED:
        yield Cue(clock(when), moved(holders[begin : begin + size], "security", S.CLEARED))
        begin += size


def _restricted(cast: Cast) -> Iterator[Cue]:
    """Given back for use on site; sign-in is enabled again, and the directory says so."""
    holders, begin = cast.of(S.WATCHED, S.RESTORED, S.RESTORED_RESTRICTED), 0
    for when, size in RESTRICTED:
        batch = holders[begin : begin + size]
        yield Cue(clock(when), moved(batch, "directory", S.RESTORED_RESTRICTED))
        source = "Directory read-back: enabled, on site only"
        yield Cue(clock(when) + 5 * MINUTE, fact(batch, "check", FactKind.SIGN_IN_DISABLED, source, holds=False))
        begin += size


def _restored(cast: Cast) -> Iterator[Cue]:
    holders, begin = cast.of(S.WATCHED, S.RESTORED), 0
    for when, size in RESTORED:
        batch = holders[begin : begin + size]
        source = "Directory read-back: two-step sign-in registered at the desk"
        yield Cue(clock(when) - 9 * MINUTE, fact(batch, "check", FactKind.MFA_BOUND, source))
        yield Cue(clock(when), moved(batch, "directory", S.RESTORED))
        begin += size
    when, size = WATCHED
    yield Cue(clock(when), moved(holders[:size], "security", S.WATCHED))
