"""What the portal itself does to accounts in the exercise: the lock-down, one list locked, and a request that waits.

Only the simulated directory is reached. It shows a change some real seconds late, so that what was done here is read
back by the running portal's own workers, soon after it begins.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from runbooks.access.confirming import PASSWORD, Confirmation
from runbooks.actions.models import Action, ActionAccount, ActionDecision
from runbooks.actions.operations import Choice, Draft, begin, decide, draft_action, request_approval
from runbooks.actions.operations.previewing import preview
from runbooks.actions.operations.running import run
from runbooks.affected_accounts.models import State
from runbooks.demonstration.cast import Cast, Holder
from runbooks.demonstration.stage import Cue, Play, Stage
from runbooks.demonstration.waves import WAVES, clock

CONNECTION = "exercise"
LOCK_DOWN = (
    "Guessing continues at 40 times the normal rate, and a new account is confirmed every few minutes. Blocking "
    "networks does not keep up. Cutting remote sign-in stops it for everyone while the known accounts are reset."
)
STEPS = {"lock_account": "disable-sign-in", "end_sessions": "revoke-sessions"}
HARM = "Members away from the estate are without mail until they come in or are called. Today’s sittings end at 14:30."


class StoryClock:
    """The time of the story, which waiting moves on: nobody waits while it is played."""

    def __init__(self, at: datetime) -> None:
        self._now = at

    def __call__(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


def cues(cast: Cast) -> list[Cue]:
    third = cast.fallen_on(WAVES[2])
    return [
        Cue(clock("1:20"), _lock_down),
        Cue(clock("1:27"), _approved("deputy")),
        Cue(clock("1:28"), _run),
        Cue(clock("2:31"), _asked(third, "lock_account", "All were signed in to from the attacking networks.")),
        Cue(clock("2:36"), _approved("duty")),
        Cue(clock("2:37"), _run),
        Cue(clock("2:41"), _begun(third, "end_sessions", "Whoever is signed in must be signed out, too.")),
        Cue(clock("2:42"), _run),
        Cue(clock("26:31"), _asked(cast.of(State.COMPROMISED)[-2:], "lock_account", "New on the list, got in today.")),
    ]


def _lock_down(stage: Stage, at: datetime) -> None:
    draft = Draft(
        kind=Action.Kind.RESTRICT_REMOTE_ACCESS,
        connection=CONNECTION,
        reason=LOCK_DOWN,
        everyone=True,
        step_key="execute-lockdown",
        expected_harm=HARM,
        review_at=at + timedelta(hours=4),
        stop_after_failures=10,
    )
    _ask(stage, draft, at)


def _asked(holders: Sequence[Holder], kind: str, reason: str) -> Play:
    return lambda stage, at: _ask(stage, _draft(stage, holders, kind, reason), at)


def _draft(stage: Stage, holders: Sequence[Holder], kind: str, reason: str) -> Draft:
    return Draft(kind=kind, connection=CONNECTION, reason=reason, affected_ids=stage.ids(holders), step_key=STEPS[kind])


def _ask(stage: Stage, draft: Draft, at: datetime) -> None:
    action = _drafted(stage, draft, at)
    request_approval(action_id=action.pk, actor=stage.actors["directory"], at=at + timedelta(seconds=50))


def _drafted(stage: Stage, draft: Draft, at: datetime) -> Action:
    action = draft_action(incident_id=stage.incident_id, draft=draft, actor=stage.actors["directory"], at=at)
    preview(action_id=action.pk, clock=StoryClock(at + timedelta(seconds=20)))
    return action


def _begun(holders: Sequence[Holder], kind: str, reason: str) -> Play:
    def play(stage: Stage, at: datetime) -> None:
        action = _drafted(stage, _draft(stage, holders, kind, reason), at)
        begin(action_id=action.pk, actor=stage.actors["directory"], at=at + timedelta(seconds=40))

    return play


def _approved(who: str) -> Play:
    def play(stage: Stage, at: datetime) -> None:
        action = _newest(stage)
        count = ActionAccount.objects.filter(action=action).count()
        choice = Choice(ActionDecision.Kind.APPROVED, action.digest, count, has_read_exclusions=True)
        sure = Confirmation(stage.users[who].pk, PASSWORD, at)
        decide(action_id=action.pk, choice=choice, confirmed=sure, actor=stage.actors[who], at=at)

    return play


def _run(stage: Stage, at: datetime) -> None:
    time = StoryClock(at)
    run(action_id=_newest(stage).pk, clock=time, patience=time.sleep)


def _newest(stage: Stage) -> Action:
    return Action.objects.filter(incident_id=stage.incident_id).latest("number")
