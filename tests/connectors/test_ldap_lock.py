"""Locking and unlocking in a real OpenLDAP directory, seen by a client of its own."""

from typing import Any

import pytest

from runbooks.connectors import configured
from runbooks.connectors.base import AccountRef, Action, ConnectorError, Fact, Outcome
from tests.connectors.slapd import POLICY, PORTAL, Slapd, dn_of
from tests.connectors.stages import refs

pytestmark = pytest.mark.slapd
FOR_GOOD = ["000001010000Z"]
LOCK = "pwdAccountLockedTime"


@pytest.fixture
def anna(slapd: Slapd) -> str:
    """A login whose password is known."""
    login = slapd.logins()[0]
    slapd.change(dn_of(login), userPassword=["before"])
    return login


def point(slapd: Slapd, connection_of: Any, **options: Any) -> Any:
    connection_of(slapd, **options)
    return configured("directory")


def test_a_locked_account_is_not_let_in_and_an_unlocked_one_is_again(slapd: Slapd, directory: Any, anna: str) -> None:
    assert slapd.lets_in(dn_of(anna), "before")
    (locked,) = directory.act(Action.LOCK_ACCOUNT, refs(anna), "k1")
    assert (locked.outcome, locked.before) == (Outcome.OK, {LOCK: []})
    assert not slapd.lets_in(dn_of(anna), "before")
    (unlocked,) = directory.act(Action.UNLOCK_ACCOUNT, refs(anna), "k2")
    assert (unlocked.outcome, unlocked.before) == (Outcome.OK, {LOCK: FOR_GOOD})
    assert slapd.lets_in(dn_of(anna), "before")


def test_unlocking_what_was_not_locked_is_no_error(directory: Any, anna: str) -> None:
    (result,) = directory.act(Action.UNLOCK_ACCOUNT, refs(anna), "k1")
    assert result.outcome is Outcome.ALREADY


def test_an_account_locked_by_failed_sign_ins_is_locked_for_good_and_put_back_to_the_second(
    slapd: Slapd, directory: Any, anna: str
) -> None:
    slapd.change(dn_of(anna), **{LOCK: ["20170623190000Z"]})
    (state,) = directory.read(refs(anna))
    assert state.facts[Fact.LOCKED].value is False
    assert state.facts[Fact.LOCKED_BY_FAILURES].value is True
    (result,) = directory.act(Action.LOCK_ACCOUNT, refs(anna), "k1")
    assert slapd.values(dn_of(anna), LOCK) == FOR_GOOD
    directory.act(Action.UNLOCK_ACCOUNT, refs(anna), "k2", {anna: result.before})
    assert slapd.values(dn_of(anna), LOCK) == ["20170623190000Z"]


def test_an_account_that_was_locked_before_stays_locked_when_the_lock_is_undone(
    slapd: Slapd, directory: Any, anna: str
) -> None:
    slapd.change(dn_of(anna), **{LOCK: FOR_GOOD})
    (result,) = directory.act(Action.LOCK_ACCOUNT, refs(anna), "k1")
    assert result.outcome is Outcome.ALREADY
    directory.act(Action.UNLOCK_ACCOUNT, refs(anna), "k2", {anna: result.before})
    assert slapd.values(dn_of(anna), LOCK) == FOR_GOOD


def test_setting_a_password_takes_the_lock_away_and_the_next_read_says_so(
    slapd: Slapd, directory: Any, anna: str
) -> None:
    directory.act(Action.LOCK_ACCOUNT, refs(anna), "k1")
    slapd.change(dn_of(anna), userPassword=["after"])
    assert directory.read(refs(anna))[0].facts[Fact.LOCKED].value is False
    (again,) = directory.act(Action.LOCK_ACCOUNT, refs(anna), "k1")
    assert again.outcome is Outcome.OK
    assert not slapd.lets_in(dn_of(anna), "after")


def test_requiring_a_new_password_leaves_the_lock_in_place(slapd: Slapd, directory: Any) -> None:
    anna = slapd.logins()[1]
    directory.act(Action.LOCK_ACCOUNT, refs(anna), "k1")
    (result,) = directory.act(Action.REQUIRE_PASSWORD_CHANGE, refs(anna), "k2")
    assert (result.outcome, result.before) == (Outcome.OK, {"pwdReset": []})
    assert slapd.values(dn_of(anna), LOCK) == FOR_GOOD
    facts = directory.read(refs(anna))[0].facts
    assert facts[Fact.LOCKED].value is True
    assert facts[Fact.MUST_CHANGE_PASSWORD].value is True


def test_the_time_of_a_password_is_unknown_until_its_first_change(slapd: Slapd, directory: Any) -> None:
    login = slapd.logins()[1]
    assert directory.read(refs(login))[0].facts[Fact.PASSWORD_CHANGED_AT].value is None
    slapd.change(dn_of(login), userPassword=["new"])
    reading = directory.read(refs(login))[0].facts[Fact.PASSWORD_CHANGED_AT]
    assert 0 <= (reading.read_at - reading.value).total_seconds() < 60
    assert reading.source == "directory: pwdChangedTime"


def test_where_the_policy_does_not_lock_nobody_is_told_that_they_are_locked(
    slapd: Slapd, directory: Any, anna: str
) -> None:
    slapd.change(POLICY, pwdLockout=["FALSE"])
    (result,) = directory.act(Action.LOCK_ACCOUNT, refs(anna), "k1")
    assert (result.outcome, result.permanent) == (Outcome.FAILED, True)
    assert "locking has no effect" in result.message
    slapd.change(dn_of(anna), **{LOCK: FOR_GOOD})
    assert directory.read(refs(anna))[0].facts[Fact.LOCKED].value is False
    assert slapd.lets_in(dn_of(anna), "before")


def test_an_account_under_a_policy_of_its_own_that_does_not_lock_is_refused(
    slapd: Slapd, connection_of: Any, anna: str
) -> None:
    lax = POLICY.replace("cn=default", "cn=lax")
    slapd.add(lax, ["device", "pwdPolicy"], cn="lax", pwdAttribute="userPassword", pwdLockout="FALSE")
    slapd.change(dn_of(anna), pwdPolicySubentry=[lax])
    connector = point(slapd, connection_of, policy=POLICY)
    results = connector.act(Action.LOCK_ACCOUNT, refs(anna, slapd.logins()[1]), "k1")
    connector.close()
    assert [result.outcome for result in results] == [Outcome.FAILED, Outcome.OK]


def test_an_account_that_is_not_there_fails_and_the_others_do_not(slapd: Slapd, directory: Any) -> None:
    one, two = slapd.logins()[:2]
    results = directory.act(Action.LOCK_ACCOUNT, refs(one, "no.body", two), "k1")
    assert [result.outcome for result in results] == [Outcome.OK, Outcome.FAILED, Outcome.OK]
    assert results[1].message == "No entry has the uid no.body."
    assert results[1].permanent


def test_a_login_that_would_match_everybody_matches_nobody(slapd: Slapd, directory: Any) -> None:
    (result,) = directory.act(Action.LOCK_ACCOUNT, [AccountRef("*)(uid=*")], "k1")
    assert result.outcome is Outcome.FAILED
    assert slapd.values(dn_of(slapd.logins()[0]), LOCK) == []


def test_two_entries_of_one_login_are_left_alone(slapd: Slapd, directory: Any, anna: str) -> None:
    slapd.add(f"uid={anna},ou=groups,dc=parliament,dc=example", ["inetOrgPerson"], uid=anna, cn="x", sn="x")
    (result,) = directory.act(Action.LOCK_ACCOUNT, refs(anna), "k1")
    assert result.outcome is Outcome.FAILED
    assert result.message.startswith("2 entries have the uid")
    assert slapd.values(dn_of(anna), LOCK) == []


def test_without_the_right_every_account_fails_for_good_and_says_how_to_mend_it(
    stopped_slapd: Slapd, connection_of: Any
) -> None:
    stopped_slapd.start(right="read")
    connector = point(stopped_slapd, connection_of)
    (result,) = connector.act(Action.LOCK_ACCOUNT, refs(stopped_slapd.logins()[0]), "k1")
    connector.close()
    assert (result.outcome, result.permanent) == (Outcome.FAILED, True)
    assert "check_connector" in result.message


def test_a_server_that_is_gone_is_worth_another_try_and_is_found_when_it_is_back(slapd: Slapd, directory: Any) -> None:
    login = slapd.logins()[0]
    directory.read(refs(login))
    slapd.stop()
    with pytest.raises(ConnectorError) as gone:
        directory.act(Action.LOCK_ACCOUNT, refs(login), "k1")
    assert not gone.value.permanent
    assert gone.value.retry_after
    slapd.start()
    assert directory.act(Action.LOCK_ACCOUNT, refs(login), "k1")[0].outcome is Outcome.OK


def test_a_wrong_password_is_not_worth_another_try(
    slapd: Slapd, connection_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection_of(slapd)
    monkeypatch.setenv("CONNECTION_DIRECTORY_PASSWORD", "wrong")
    connector = configured("directory")
    with pytest.raises(ConnectorError, match=f"refuses the portal's account {PORTAL}") as refused:
        connector.read(refs("anna"))
    assert refused.value.permanent


def test_accounts_can_be_found_by_their_external_id(slapd: Slapd, connection_of: Any) -> None:
    login = slapd.logins()[0]
    (number,) = slapd.values(dn_of(login), "employeeNumber")
    connector = point(slapd, connection_of, external_id_attribute="employeeNumber")
    (result,) = connector.act(Action.LOCK_ACCOUNT, [AccountRef("renamed.since", external_id=number)], "k1")
    connector.close()
    assert result.outcome is Outcome.OK
    assert slapd.values(dn_of(login), LOCK) == FOR_GOOD


def test_all_nine_thousand_are_locked_and_read_back(slapd: Slapd, directory: Any) -> None:
    everybody = refs(*slapd.logins())
    size = directory.capabilities.batch_size
    for start in range(0, len(everybody), size):
        results = directory.act(Action.LOCK_ACCOUNT, everybody[start : start + size], f"k{start}")
        assert {result.outcome for result in results} == {Outcome.OK}
    states = directory.read(everybody)
    assert [state.account for state in states] == everybody
    assert all(state.facts[Fact.LOCKED].value for state in states)
    assert len(states) == 9000
