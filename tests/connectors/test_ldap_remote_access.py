"""Remote access by one group in a real OpenLDAP directory, seen by a client of its own."""

from typing import Any

import pytest

from runbooks.connectors import configured
from runbooks.connectors.base import Action, ConnectorError, Fact, Outcome
from tests.connectors.slapd import GROUP, SUFFIX, Slapd, dn_of
from tests.connectors.stages import refs

pytestmark = pytest.mark.slapd


def members(slapd: Slapd) -> set[str]:
    return set(slapd.values(GROUP, "member"))


def test_a_restricted_account_leaves_the_group_and_comes_back(slapd: Slapd, directory: Any) -> None:
    login = slapd.logins()[0]
    (result,) = directory.act(Action.RESTRICT_REMOTE_ACCESS, refs(login), "k1")
    assert (result.outcome, result.before) == (Outcome.OK, {GROUP: [dn_of(login)]})
    assert dn_of(login) not in members(slapd)
    assert directory.read(refs(login))[0].facts[Fact.REMOTE_ACCESS].value is False
    directory.act(Action.RESTORE_REMOTE_ACCESS, refs(login), "k2")
    assert dn_of(login) in members(slapd)


def test_a_lock_down_leaves_the_exclusions_and_its_undoing_leaves_everybody_as_they_were(
    slapd: Slapd, directory: Any
) -> None:
    everybody = slapd.logins()
    excluded, inside = everybody[:11], everybody[100:103]
    for login in inside:
        slapd.leave_group(login)
    before, kept = members(slapd), {}
    size = directory.capabilities.batch_size
    batches = [everybody[start : start + size] for start in range(11, len(everybody), size)]
    for number, batch in enumerate(batches):
        results = directory.act(Action.RESTRICT_REMOTE_ACCESS, refs(*batch), f"down-{number}")
        kept |= {result.account.login: result.before for result in results}
    assert members(slapd) == {dn_of(login) for login in excluded}
    assert len(kept) == 8989

    for number, batch in enumerate(batches):
        directory.act(Action.RESTORE_REMOTE_ACCESS, refs(*batch), f"up-{number}", kept)
    assert members(slapd) == before
    assert not members(slapd) & {dn_of(login) for login in inside}


def test_a_member_somebody_else_took_out_meanwhile_does_not_stop_the_batch(
    slapd: Slapd, directory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = slapd.logins()[:3]
    find = directory._directory.find

    def find_and_then_lose(*arguments: Any, **options: Any) -> Any:
        found = find(*arguments, **options)
        slapd.leave_group(two)
        return found

    monkeypatch.setattr(directory._directory, "find", find_and_then_lose)
    results = directory.act(Action.RESTRICT_REMOTE_ACCESS, refs(one, two, three), "k1")
    assert [result.outcome for result in results] == [Outcome.OK, Outcome.ALREADY, Outcome.OK]
    assert results[1].before == {GROUP: []}
    assert not members(slapd) & {dn_of(one), dn_of(two), dn_of(three)}


def test_a_group_that_would_lose_its_last_member_says_what_to_do(slapd: Slapd, directory: Any) -> None:
    login = slapd.logins()[0]
    slapd.change(GROUP, member=[dn_of(login)])
    (result,) = directory.act(Action.RESTRICT_REMOTE_ACCESS, refs(login), "k1")
    assert (result.outcome, result.permanent) == (Outcome.FAILED, True)
    assert "placeholder" in result.message
    assert members(slapd) == {dn_of(login)}


def test_a_group_that_is_not_there_fails_the_whole_request(slapd: Slapd, connection_of: Any) -> None:
    connection_of(slapd, group=f"cn=nowhere,{SUFFIX}")
    connector = configured("directory")
    with pytest.raises(ConnectorError, match="There is no group") as missing:
        connector.act(Action.RESTRICT_REMOTE_ACCESS, refs(slapd.logins()[0]), "k1")
    connector.close()
    assert missing.value.permanent


def test_without_a_group_remote_access_is_neither_offered_nor_told(slapd: Slapd, connection_of: Any) -> None:
    connection_of(slapd, group="")
    connector = configured("directory")
    assert Action.RESTRICT_REMOTE_ACCESS not in connector.capabilities.actions
    assert Fact.REMOTE_ACCESS not in connector.read(refs(slapd.logins()[0]))[0].facts
    connector.close()
