"""What is sent to an Active Directory, by its profile. No server of it is at hand: the session only remembers."""

from collections.abc import Iterator
from typing import Any

import pytest

from runbooks.connectors.base import Action, Fact, Outcome
from runbooks.connectors.ldap.connector import LdapConnector
from runbooks.connectors.ldap.directory import Directory, Layout
from runbooks.connectors.ldap.profile import ACTIVE_DIRECTORY
from runbooks.connectors.ldap.session import ADD, DELETE, REPLACE, Answer, Entry
from tests.connectors.stages import refs

ANNA = "CN=Berg\\, Anna,OU=People,DC=parliament,DC=example"
GROUP = "CN=Remote access,OU=Groups,DC=parliament,DC=example"
ANNAS = {
    "samaccountname": ["Anna.Berg"],
    "useraccountcontrol": ["66048"],
    "pwdlastset": ["131426928000000000"],
    "lockouttime": ["0"],
    "memberof": [GROUP.upper()],
}


class Remembering:
    def __init__(self, attributes: dict[str, list[str]], code: int = 0) -> None:
        self.attributes, self.code = attributes, code
        self.sent: list[tuple[str, Any]] = []

    def search(self, *arguments: Any, **options: Any) -> Iterator[Entry]:
        yield Entry(ANNA, self.attributes)

    def modify(self, dn: str, changes: Any) -> Answer:
        self.sent.append((dn, changes))
        return Answer(self.code, "as told")


def connector(session: Any) -> LdapConnector:
    layout = Layout("DC=parliament,DC=example", "sAMAccountName", group=GROUP)
    return LdapConnector(Directory("ad", session, ACTIVE_DIRECTORY, layout), lag_seconds=0, rate_per_second=100)


def test_a_lock_swaps_the_number_that_was_read_so_that_no_change_of_others_is_lost() -> None:
    session = Remembering(ANNAS)
    (result,) = connector(session).act(Action.LOCK_ACCOUNT, refs("anna.berg"), "k1")
    assert (result.outcome, result.before) == (Outcome.OK, {"userAccountControl": ["66048"]})
    assert session.sent == [(ANNA, {"userAccountControl": [(DELETE, ["66048"]), (ADD, ["66050"])]})]


def test_a_number_that_changed_meanwhile_is_worth_another_try() -> None:
    (result,) = connector(Remembering(ANNAS, code=16)).act(Action.LOCK_ACCOUNT, refs("anna.berg"), "k1")
    assert (result.outcome, result.permanent) == (Outcome.FAILED, False)


def test_undoing_a_lock_leaves_the_other_bits_as_they_are_now() -> None:
    session = Remembering({**ANNAS, "useraccountcontrol": ["546"]})
    connector(session).act(
        Action.UNLOCK_ACCOUNT, refs("anna.berg"), "k1", {"anna.berg": {"userAccountControl": ["512"]}}
    )
    assert session.sent == [(ANNA, {"userAccountControl": [(DELETE, ["546"]), (ADD, ["544"])]})]


def test_requiring_a_new_password_writes_nought() -> None:
    session = Remembering(ANNAS)
    connector(session).act(Action.REQUIRE_PASSWORD_CHANGE, refs("anna.berg"), "k1")
    assert session.sent == [(ANNA, {"pwdLastSet": [(REPLACE, ["0"])]})]


def test_remote_access_is_read_from_the_account_and_changed_in_the_group() -> None:
    session = Remembering(ANNAS)
    (state,) = connector(session).read(refs("anna.berg"))
    assert state.facts[Fact.REMOTE_ACCESS].value is True
    connector(session).act(Action.RESTRICT_REMOTE_ACCESS, refs("anna.berg"), "k1")
    assert session.sent == [(GROUP, {"member": [(DELETE, [ANNA])]})]


@pytest.mark.parametrize(("locked_out_at", "is_locked"), [(["0"], False), ([], False), (["131426928000000000"], True)])
def test_a_lock_out_by_failed_sign_ins_is_told_apart(locked_out_at: list[str], is_locked: bool) -> None:
    (state,) = connector(Remembering({**ANNAS, "lockouttime": locked_out_at})).read(refs("anna.berg"))
    assert state.facts[Fact.LOCKED_BY_FAILURES].value is is_locked
    assert state.facts[Fact.LOCKED].value is False
