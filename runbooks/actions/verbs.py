"""What each action means: the fact it changes, what people are told, and what a repeat would do."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runbooks.actions.models import Action
from runbooks.affected_accounts.models import FactKind
from runbooks.connectors.base import Action as Verb
from runbooks.connectors.base import Fact

Kind = Action.Kind


@dataclass(frozen=True, slots=True)
class Meaning:
    """Sentences take {connection}. `wanted` is the value of the fact afterwards, None where that is a moment."""

    done: str
    undone: str
    effect: str
    effect_detail: str
    holders_notice: str
    undoing: str
    fact: Fact | None
    wanted: bool | None = None
    proves: FactKind | None = None
    """What a read-back says of an affected account, where it holds."""
    is_repeatable: bool = True
    """Whether sending it again, after nobody knows whether it was sent, does no harm to a holder."""


MEANINGS: Mapping[str, Meaning] = {
    Kind.LOCK_ACCOUNT: Meaning(
        done="sign-in disabled",
        undone="sign-in put back as it was",
        effect="Disable sign-in",
        effect_detail="New sign-ins fail. Connections that are open stay open until their sessions are ended.",
        holders_notice="They are told that the password is wrong. Tell them before they call, not by email.",
        undoing="Puts back what each account had before. An account that was disabled before stays disabled.",
        fact=Fact.LOCKED,
        wanted=True,
        proves=FactKind.SIGN_IN_DISABLED,
    ),
    Kind.UNLOCK_ACCOUNT: Meaning(
        done="sign-in enabled",
        undone="sign-in put back as it was",
        effect="Enable sign-in",
        effect_detail="The account can be signed in to again, with the password it has now.",
        holders_notice="They can sign in again.",
        undoing="Puts back what each account had before.",
        fact=Fact.LOCKED,
        wanted=False,
    ),
    Kind.END_SESSIONS: Meaning(
        done="sessions ended",
        undone="",
        effect="End all sessions",
        effect_detail="Programs and phones have to sign in again. It can take some minutes to reach all of them.",
        holders_notice="They are signed out everywhere. Unsent drafts on phones stay on the phone.",
        undoing="Ended sessions do not come back: holders sign in again.",
        fact=Fact.SESSIONS_ENDED_AT,
        proves=FactKind.SESSIONS_REVOKED,
        is_repeatable=False,
    ),
    Kind.REQUIRE_PASSWORD_CHANGE: Meaning(
        done="password change required",
        undone="password requirement put back as it was",
        effect="Require a new password at the next sign-in",
        effect_detail="The old password still opens that one sign-in. Disable sign-in first where others have it.",
        holders_notice="They are asked for a new password when they next sign in.",
        undoing="Puts back what each account had before. A password that was changed stays changed.",
        fact=Fact.MUST_CHANGE_PASSWORD,
        wanted=True,
        is_repeatable=False,
    ),
    Kind.RESTRICT_REMOTE_ACCESS: Meaning(
        done="remote access restricted",
        undone="remote access put back as it was",
        effect="Take away remote access",
        effect_detail="Sign-in from outside the building is refused. Accounts are not locked, passwords do not change.",
        holders_notice="Email on phones and at home stops. Computers inside the building keep working.",
        undoing="Puts back what each account had before, in stages or for single accounts. "
        "An account without remote access before stays without it.",
        fact=Fact.REMOTE_ACCESS,
        wanted=False,
    ),
    Kind.RESTORE_REMOTE_ACCESS: Meaning(
        done="remote access restored",
        undone="remote access put back as it was",
        effect="Give remote access",
        effect_detail="Sign-in from outside the building works again.",
        holders_notice="Email on phones and at home works again.",
        undoing="Puts back what each account had before.",
        fact=Fact.REMOTE_ACCESS,
        wanted=True,
    ),
    Kind.READ_STATE: Meaning(
        done="read back",
        undone="",
        effect="Read what the directory says now",
        effect_detail="Nothing changes there.",
        holders_notice="Nothing.",
        undoing="There is nothing to undo.",
        fact=None,
    ),
}
# What takes access away or gives it back.
NEEDS_TWO = frozenset({Kind.LOCK_ACCOUNT, Kind.UNLOCK_ACCOUNT, Kind.RESTRICT_REMOTE_ACCESS, Kind.RESTORE_REMOTE_ACCESS})
# What one person may do by themselves, they do to so many accounts at most: to everyone, it stops a house as well.
ALONE_MOST = 500
# What a reading says of an affected account, whatever was asked for.
PROVEN_BY = {Fact.LOCKED: FactKind.SIGN_IN_DISABLED, Fact.SESSIONS_ENDED_AT: FactKind.SESSIONS_REVOKED}
PASSWORD = (Fact.PASSWORD_CHANGED_AT, FactKind.PASSWORD_CHANGED)

Facts = Mapping[str, Any]


def needs_two(kind: str, accounts: int, *, everyone: bool) -> bool:
    """Whether a second person decides."""
    return kind in NEEDS_TWO or (kind != Kind.READ_STATE and (everyone or accounts > ALONE_MOST))


def meaning(action: Action) -> Meaning:
    return MEANINGS[action.kind]


def verb(action: Action) -> Verb:
    """What the connector is asked for. An undoing has the opposite kind and gives the before-values along."""
    return Verb(action.kind)


def words(action: Action) -> str:
    """“sign-in disabled”, or what the undoing did."""
    if action.undoes is not None:
        return MEANINGS[action.undoes.kind].undone
    return meaning(action).done


def is_so(action: Action, facts: Facts) -> bool | None:
    """Whether the facts show already what the action is after; None where they cannot tell."""
    said = meaning(action)
    if said.fact is None or said.wanted is None or facts.get(said.fact) is None:
        return None
    return bool(facts[said.fact]) == said.wanted


def holds(action: Action, before: Facts, now: Facts, sent_at: datetime | None) -> bool | None:
    """Whether what was read shows what the action was after; None where it cannot tell.

    `before` are the facts to go back to where the action undoes another. Moments are ISO 8601, in UTC.
    """
    said = meaning(action)
    if said.fact is None or said.fact not in now:
        return None
    found = now[said.fact]
    if action.undoes_id is not None:
        return None if said.fact not in before else bool(found == before[said.fact])
    if said.wanted is None:
        return _since(found, sent_at)
    if bool(found) == said.wanted:
        return True
    # A holder who has chosen a new password meanwhile has done what was required.
    return action.kind == Kind.REQUIRE_PASSWORD_CHANGE and bool(_since(now.get(Fact.PASSWORD_CHANGED_AT), sent_at))


def _since(moment: object, sent_at: datetime | None) -> bool | None:
    if sent_at is None:
        return None
    return isinstance(moment, str) and datetime.fromisoformat(moment) >= sent_at.replace(microsecond=0)
