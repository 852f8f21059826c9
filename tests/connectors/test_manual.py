from typing import Any

import pytest

from runbooks.connectors import configured
from runbooks.connectors.base import Action, Outcome
from tests.connectors.stages import refs

ANNA = refs("anna.berg")


@pytest.mark.parametrize("action", list(Action))
def test_it_answers_with_what_a_person_is_to_do_and_bring_back(action: Action) -> None:
    (result,) = configured("people").act(action, ANNA, "k1")
    assert result.outcome is Outcome.PENDING
    assert result.message.startswith("Pending with a person. ")
    assert "anna.berg" in result.message
    assert "Bring back: " in result.message


def test_undoing_names_the_value_to_put_back() -> None:
    (result,) = configured("people").act(
        Action.UNLOCK_ACCOUNT, ANNA, "k1", {"anna.berg": {"locked": ["{since} Tuesday"], "note": []}}
    )
    assert "Put anna.berg back to what it was (locked {since} Tuesday; note not set)." in result.message


def test_it_claims_to_have_read_nothing() -> None:
    (state,) = configured("people").read(ANNA)
    assert state.facts == {}
    assert state.problem == "Only a person can look this up."


def test_its_settings_say_who_is_asked(settings: Any) -> None:
    settings.CONNECTIONS = {"desk": {"connector": "manual", "who": "the service desk"}}
    (result,) = configured("desk").act(Action.LOCK_ACCOUNT, ANNA, "k1")
    assert result.message.startswith("Pending with the service desk.")
