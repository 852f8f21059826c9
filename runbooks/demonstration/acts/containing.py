"""The accounts that fell are contained, list by list: disable, end sessions, look at the rules, reset, read back."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from runbooks.affected_accounts.models import FactKind, State
from runbooks.affected_accounts.operations import Finding, assign_owner, change_state, record_fact
from runbooks.demonstration.cast import Cast, Holder
from runbooks.demonstration.stage import Cue, Play, Stage
from runbooks.demonstration.waves import WAVES, Wave, clock

# Part of the time between list and containment at which each fact is there, who says so, and from what.
WAY = (
    (0.30, "check", FactKind.SIGN_IN_DISABLED, "Directory read-back: disabled"),
    (0.42, "check", FactKind.SESSIONS_REVOKED, "Directory read-back: sessions valid only from now"),
    (0.72, "mailbox", FactKind.RULES_CHECKED, "Listing of the mailbox rules, hidden ones included"),
    (0.84, "check", FactKind.PASSWORD_CHANGED, "Directory read-back: time of the change, still disabled"),
)
# What was found in some of the mailboxes, by the place in the order of lists.
FINDINGS = {
    2: "A rule moved everything from the bank into a folder nobody opens. Removed, copy kept.",
    5: "A hidden rule marked alerts as read. Removed, copy kept.",
    11: "Forwarding to an address outside was set on the mailbox itself. Switched off.",
    17: "A hidden rule deleted replies about passwords. Removed, copy kept.",
    21: "A delegate whom the holder's office cannot name. Removed.",
    28: "A rule moved mail from colleagues to the feeds folder. Removed, copy kept.",
    34: "An application with consent to read mail, unknown to the office. Consent withdrawn.",
    41: "A hidden rule moved security notices to the bin. Removed, copy kept.",
    47: "A telephone number for the second factor that is not the holder's. Removed.",
    52: "Forwarding to an address outside, set twelve hours ago. Switched off.",
    58: "A rule with a single full stop as its name deleted bounce messages. Removed, copy kept.",
    66: "An application with consent to read contacts. Consent withdrawn.",
    73: "A hidden rule marked everything from the service desk as read. Removed, copy kept.",
    80: "A second device, registered the day before. Removed.",
}


def cues(cast: Cast) -> list[Cue]:
    fallen = [holder for wave in WAVES for holder in cast.fallen_on(wave)]
    numbers = {holder.login: number for number, holder in enumerate(fallen)}
    found: list[Cue] = []
    for wave in WAVES:
        if wave.contained is not None:
            found += _contained(cast.fallen_on(wave), wave, wave.contained, numbers)
    return [*found, *_left_open(cast)]


def _contained(holders: Sequence[Holder], wave: Wave, contained: timedelta, numbers: dict[str, int]) -> list[Cue]:
    length = contained - wave.listed
    found = [Cue(wave.listed + 0.2 * length, assigned(holders, "directory", "security"))]
    for part, who, kind, source in WAY:
        plain, odd = list(holders), []
        if kind == FactKind.RULES_CHECKED:
            odd = [holder for holder in holders if numbers[holder.login] in FINDINGS]
            plain = [holder for holder in holders if holder not in odd]
        moment = wave.listed + part * length
        found.append(Cue(moment, fact(plain, who, kind, source)))
        found += [
            Cue(
                moment + timedelta(minutes=3 + place),
                fact([holder], "mail", kind, source, note_text=FINDINGS[numbers[holder.login]]),
            )
            for place, holder in enumerate(odd)
        ]
    return [*found, Cue(contained, moved(holders, "directory", State.CONTAINED))]


def _left_open(cast: Cast) -> list[Cue]:
    """The last lists: of two accounts nothing but the new password is missing, one is not disabled yet."""
    newest = cast.of(State.COMPROMISED)
    early, late = newest[:3], newest[3:]
    disabled, revoked, checked, _ = WAY
    return [
        Cue(clock("23:31"), assigned(early, "directory", "security")),
        Cue(clock("23:44"), fact(early, *disabled[1:])),
        Cue(clock("23:58"), fact(early, *revoked[1:])),
        Cue(clock("25:26"), assigned(late, "directory", "security")),
        Cue(clock("25:48"), fact(early[:2], *checked[1:])),
        Cue(clock("25:52"), fact(late[:2], *disabled[1:])),
        Cue(clock("26:24"), fact(late[:1], *revoked[1:])),
    ]


def fact(
    holders: Sequence[Holder], who: str, kind: FactKind, source: str, *, holds: bool = True, note_text: str = ""
) -> Play:
    """Somebody records what was true three minutes before."""

    def play(stage: Stage, at: datetime) -> None:
        finding = Finding(kind, at - timedelta(minutes=3), source, holds=holds, note=note_text)
        record_fact(
            incident_id=stage.incident_id,
            account_ids=stage.ids(holders),
            finding=finding,
            actor=stage.actors[who],
            at=at,
        )

    return play


def moved(holders: Sequence[Holder], who: str, after: State, reason: str = "") -> Play:
    def play(stage: Stage, at: datetime) -> None:
        change_state(
            incident_id=stage.incident_id,
            account_ids=stage.ids(holders),
            after=after,
            reason=reason,
            actor=stage.actors[who],
            at=at,
        )

    return play


def assigned(holders: Sequence[Holder], owner: str, who: str) -> Play:
    def play(stage: Stage, at: datetime) -> None:
        assign_owner(
            incident_id=stage.incident_id,
            account_ids=stage.ids(holders),
            owner_id=stage.users[owner].pk,
            actor=stage.actors[who],
            at=at,
        )

    return play
