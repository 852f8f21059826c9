"""The desk's calls of the second day, through its queue: two people who call, codes read out, and whom to call next."""

from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta

from runbooks.affected_accounts.models import State
from runbooks.affected_accounts.operations.call_hours import set_call_hours
from runbooks.confirmations.models import Confirmation, DeskCall
from runbooks.confirmations.operations.calling import Ending, end_call, take_one
from runbooks.demonstration.acts.confirming import answered, changed
from runbooks.demonstration.cast import Cast, Holder
from runbooks.demonstration.stage import Cue, Play, Stage
from runbooks.demonstration.waves import clock

Outcome, Check = DeskCall.Outcome, DeskCall.Check
MINUTE = timedelta(minutes=1)
# Who calls, in turn.
PEOPLE = ("desk", "caller")
# The desk's queue is worked through from then on.
FROM = clock("22:10")
# How holders were recognised, and the note that goes with it.
RECOGNISED = (
    (Check.CALLED_BACK, ""),
    (Check.TWO_FACTS, "Pass number and the year of joining"),
    (Check.CALLED_BACK, "Rang back through the switchboard"),
    (Check.VOUCHED, "The office manager, on the line"),
)
CALL_BACK, CALLED_BACK_AT = clock("26:21"), clock("26:45")
IN_THE_CHAMBER = "In the chamber until then. The office manager will have them at the telephone."
NOT_VERIFIED = "A man answered, did not know the pass number, and asked for the code all the same. Rang off."
# Best hours that offices named: place among those contained, when it was written down, from, until.
HOURS = (
    (3, "24:20", time(9, 0), time(11, 30)),
    (5, "24:33", time(14, 0), time(16, 30)),
    (8, "25:02", time(18), time(21)),
)


def cues(cast: Cast) -> Iterator[Cue]:
    contained = cast.of(State.CONTAINED)
    for place, holder in enumerate(contained[:3]):
        yield called(holder, clock("26:24") + 3 * place * MINUTE, place, reached(place))
    tried = contained[3:10]
    for place in (0, 2, 5, 6):
        yield called(tried[place], clock("24:05") + 11 * place * MINUTE, place, _no_answer)
    yield called(
        tried[4], clock("24:49"), 1, lambda stage, number: Ending(Outcome.NOT_VERIFIED, "", number, NOT_VERIFIED)
    )
    yield called(tried[6], CALL_BACK, 0, _call_back)
    for place, when, since, until in HOURS:
        yield Cue(clock(when), _best(contained[place], since, until))


def read_out(holder: Holder, when: timedelta, turn: int) -> Iterator[Cue]:
    """A call in which a code was read out; the holder sets a new password and answers at once."""
    yield called(holder, when, turn, reached(turn, with_code=True))
    yield Cue(when + 4 * MINUTE, changed(holder))
    yield Cue(when + 6 * MINUTE, answered(holder, Confirmation.Answer.WITH_HELP, {"abroad": "no", "reused": "no"}))


Ended = Callable[[Stage, str], Ending]


def reached(turn: int, *, with_code: bool = False) -> Ended:
    check, note = RECOGNISED[turn % len(RECOGNISED)]
    return lambda stage, number: Ending(Outcome.REACHED, check, number, note, with_code=with_code)


def _no_answer(stage: Stage, number: str) -> Ending:
    return Ending(Outcome.NO_ANSWER, number=number)


def _call_back(stage: Stage, number: str) -> Ending:
    return Ending(Outcome.CALL_BACK, number=number, note=IN_THE_CHAMBER, call_back_at=stage.moment(CALLED_BACK_AT))


def called(holder: Holder, when: timedelta, turn: int, ended: Ended) -> Cue:
    """A call that was taken two minutes before its end."""
    who, number = PEOPLE[turn % len(PEOPLE)], holder.row.mobile or holder.row.telephone

    def play(stage: Stage, at: datetime) -> None:
        actor, (affected_id,) = stage.actors[who], stage.ids([holder])
        taken_at = at - 2 * MINUTE
        call = take_one(incident_id=stage.incident_id, affected_id=affected_id, actor=actor, at=taken_at)
        end_call(call_id=call.pk, ending=ended(stage, number), actor=actor, at=at)

    return Cue(when, play)


def _best(holder: Holder, since: time, until: time) -> Play:
    def play(stage: Stage, at: datetime) -> None:
        (affected_id,) = stage.ids([holder])
        set_call_hours(
            incident_id=stage.incident_id,
            affected_id=affected_id,
            call_from=since,
            call_until=until,
            actor=stage.actors["desk"],
            at=at,
        )

    return play
