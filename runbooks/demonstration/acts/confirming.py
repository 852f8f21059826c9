"""Two runs of letters with codes, and the holders who answer with those codes; the directory bears out most of them.

What holders say is taken by the operations of the staff pages, and the simulated directory is asked as in a real
incident: it shows a new password where the story says that the holder set one.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from runbooks.affected_accounts.models import AffectedAccount, State, Tier
from runbooks.confirmations.models import Code, Confirmation
from runbooks.confirmations.operations import answer
from runbooks.confirmations.operations.checking import AGAIN, check
from runbooks.confirmations.operations.printing import print_letters
from runbooks.confirmations.operations.watching import watch
from runbooks.demonstration.acts.acting import StoryClock
from runbooks.demonstration.cast import Cast, Holder
from runbooks.demonstration.passwords import change_in_world
from runbooks.demonstration.stage import Cue, Play, Stage
from runbooks.demonstration.waves import clock

Answer = Confirmation.Answer
MINUTE = timedelta(minutes=1)
FIRST_RUN, SECOND_RUN = clock("7:12"), clock("22:41")
# The first run is for the holders of these lists, and with the internal post until then.
LAST_LIST, FIRST_ANSWER = 5, clock("10:15")
SECOND_DAY = clock("22:01")
# One in so many of those who have a letter comes to the desk or rings all the same, and one in so many had help.
SPOKEN_WITH, HELPED = 4, 6
# The holder who is not sure, the one whose claim the directory does not bear out, and the one who says nothing.
NOT_SURE, TOO_SOON, SILENT = clock("26:02"), clock("25:38"), clock("25:44")

ODD = (
    "Yes. A woman rang yesterday afternoon, said she was from the service desk, and asked me to read out the code in "
    "the letter. I rang off. The number was withheld."
)
OTHERS = ("My assistant", "Nobody", "Two in my office", "Nobody but me", "My office manager, as delegate")
WELSH: tuple[Mapping[str, str], ...] = (
    {"abroad": "no", "reused": "no", "others": "Fy nghynorthwyydd", "odd": "Naddo"},
    {"abroad": "no", "reused": "yes", "others": "Neb"},
)


def cues(cast: Cast) -> Iterator[Cue]:
    first = [holder for holder in cast.holders if holder.wave.number <= LAST_LIST]
    unreachable = cast.of(State.UNREACHABLE, State.CONTAINED)
    yield Cue(FIRST_RUN, _printed(first))
    yield Cue(SECOND_RUN, _printed(unreachable))
    unsure, hasty, silent = those_with_a_story(cast)
    yield Cue(NOT_SURE, answered(unsure, Answer.NOT_ME, {}))
    yield Cue(TOO_SOON, answered(hasty, Answer.CHANGED, {"abroad": "not_sure", "others": "My assistant"}))
    waited = timedelta(0)
    for wait in AGAIN:
        waited += wait + MINUTE
        yield Cue(TOO_SOON + waited, _asked)
    yield Cue(SILENT, changed(silent))
    yield Cue(SILENT + 3 * MINUTE, _watched)


def those_with_a_story(cast: Cast) -> tuple[Holder, Holder, Holder]:
    """Three whom nobody has called yet; the first is one of whom the lists do not say that somebody got in."""
    quiet = cast.of(State.CONTAINED)[10:]
    unsure = next((holder for holder in quiet if holder.tier != Tier.A), quiet[0])
    hasty, silent, *_ = (holder for holder in quiet if holder != unsure)
    return unsure, hasty, silent


def by_letter(holders: Sequence[Holder], when: timedelta) -> list[Holder]:
    """Those of a batch that is through by `when` who answer with the code of their letter."""
    if when <= FIRST_ANSWER:
        return []
    return [holder for holder in holders if holder.wave.number <= LAST_LIST and holder.place % SPOKEN_WITH]


def answers(lettered: Sequence[tuple[timedelta, Sequence[Holder]]], chance: random.Random) -> Iterator[Cue]:
    """The answers of all batches. Two are in Welsh, of those who read it if there are any; one tells of a caller."""
    everybody = [holder for _, holders in lettered for holder in holders]
    welsh = sorted(everybody, key=lambda holder: holder.row.language != "cy")[: len(WELSH)]
    odd = next(holder for holder in reversed(everybody) if holder not in welsh)
    for when, holders in lettered:
        for holder in holders:
            earliest = SECOND_DAY if when > SECOND_DAY else FIRST_ANSWER
            moment = max(when - chance.randrange(6, 48) * MINUTE, earliest + chance.randrange(20) * MINUTE)
            said = Answer.WITH_HELP if chance.randrange(HELPED) == 0 else Answer.CHANGED
            questions = _said(chance) | ({"odd": ODD} if holder == odd else {})
            play = answered(holder, said, questions)
            if holder in welsh:
                play = answered(holder, said, WELSH[welsh.index(holder)], "cy")
            yield Cue(moment - 5 * MINUTE, changed(holder))
            yield Cue(moment, play)


def _said(chance: random.Random) -> dict[str, str]:
    """Answers to the questions; every one may be left out."""
    given = {
        "abroad": chance.choice(("no", "no", "no", "no", "yes", "not_sure", "")),
        "reused": chance.choice(("no", "no", "yes", "not_sure", "")),
        "others": chance.choice((*OTHERS, "", "")),
        "odd": chance.choice(("No", "", "", "")),
    }
    return {key: text for key, text in given.items() if text}


def answered(holder: Holder, said: str, questions: Mapping[str, str], language: str = "en-gb") -> Play:
    """The holder types the code that was given to them last, and the portal asks the directory."""

    def play(stage: Stage, at: datetime) -> None:
        codes = Code.objects.filter(affected_account__in=stage.ids([holder]), used_at=None, superseded_at=None)
        answer(code_id=codes.latest("pk").pk, said=said, questions=questions, language=language, at=at)
        _asked(stage, at + timedelta(seconds=1))

    return play


def _asked(stage: Stage, at: datetime) -> None:
    check(incident_id=stage.incident_id, clock=StoryClock(at))


def _watched(stage: Stage, at: datetime) -> None:
    watch(incident_id=stage.incident_id, clock=StoryClock(at))


def changed(holder: Holder) -> Play:
    def play(stage: Stage, at: datetime) -> None:
        change_in_world(incident_id=stage.incident_id, affected_id=stage.ids([holder])[0], at=at)

    return play


def _printed(holders: Sequence[Holder]) -> Play:
    """Letters for those of them who are contained and whom nobody has reached."""

    def play(stage: Stage, at: datetime) -> None:
        rows = AffectedAccount.objects.filter(pk__in=stage.ids(holders), state=State.CONTAINED, holder_reached_at=None)
        ids = list(rows.values_list("pk", flat=True))
        print_letters(incident_id=stage.incident_id, affected_ids=ids, actor=stage.actors["desk"], at=at)

    return play
