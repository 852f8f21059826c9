"""What people wrote into the timeline themselves (words.toml), with corrections and key events."""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from runbooks.affected_accounts.models import State
from runbooks.demonstration.acts.confirming import those_with_a_story
from runbooks.demonstration.acts.first_hours import declaration
from runbooks.demonstration.cast import Cast, Holder
from runbooks.demonstration.stage import Cue, Note, correction, newest, note, pin

WORDS = Path(__file__).with_name("words.toml")
# Of whom a note speaks.
PARTS: Mapping[str, Callable[[Cast], Sequence[Holder]]] = {
    "first": lambda cast: cast.holders[:1],
    "escalated": lambda cast: cast.of(State.ESCALATED)[:1],
    "closed": lambda cast: cast.of(State.CLOSED),
    "watched": lambda cast: cast.of(State.WATCHED),
    "newest": lambda cast: cast.of(State.COMPROMISED)[:3],
    "unsure": lambda cast: those_with_a_story(cast)[:1],
    "tried": lambda cast: cast.of(State.UNREACHABLE),
}


def cues() -> Iterator[Cue]:
    for written in tomllib.loads(WORDS.read_text(encoding="utf-8"))["notes"]:
        about = PARTS[written.pop("about")] if "about" in written else None
        yield note(Note(about=about, **written))
    yield from _corrections()
    yield from _pins()


def _corrections() -> Iterator[Cue]:
    yield correction(
        "1:19",
        "security",
        "first-success",
        happened="-7:02",
        reason="The gateway’s clock was one hour ahead; compared with the directory’s log.",
    )
    yield correction(
        "3:02",
        "security",
        "networks",
        text="180 attacking addresses in 14 networks. 14 rules at the gateway cover all of them.",
        reason="One network was counted under two names. Found when the rules were written.",
    )
    yield correction(
        "11:32",
        "desk",
        "false-call",
        text="A member’s assistant was called by a woman offering help with the attack and asking for a password. "
        "Nothing was given. Number withheld, the call lasted two minutes.",
        reason="The assistant rang again: a woman called, not a man.",
    )


def _pins() -> Iterator[Cue]:
    yield pin("0:05", "scribe", declaration)
    yield pin("1:44", "scribe", newest("step.completed", step="execute-lockdown"))
    yield pin("4:08", "scribe", newest("account.state_changed", after=State.HOLDER_CONFIRMED))
    yield pin("12:16", "scribe", newest("role.given", role="lead"))
    yield pin("24:12", "duty", newest("account.state_changed", after=State.RESTORED_RESTRICTED))
