"""SCIM against a real server: finding, locking, remote access, and the way back."""

import json
import logging
from typing import Any

import pytest

from runbooks.connectors.base import AccountRef, Action, ConnectorError, Fact, Outcome, Severity
from runbooks.connectors.options import MisconfiguredError
from tests.connectors.scim_server import TOKEN, Tenant
from tests.connectors.slapd import free_port
from tests.connectors.stages import refs


def outcomes(results: Any) -> list[Outcome]:
    return [result.outcome for result in results]


def test_a_locked_user_is_inactive_and_everything_else_of_them_stays(tenant: Tenant, scim_of: Any) -> None:
    anna, olaf = tenant.user("anna.berg", active=True), tenant.user("olaf.stein", active=True)
    before = tenant.ask("GET", f"/Users/{anna}")
    (result,) = scim_of(tenant.url).act(Action.LOCK_ACCOUNT, refs("anna.berg"), "k1")
    assert (result.outcome, result.before) == (Outcome.OK, {"active": ["true"]})
    after = tenant.ask("GET", f"/Users/{anna}")
    assert {**after, "meta": None} == {**before, "active": False, "meta": None}
    assert tenant.ask("GET", f"/Users/{olaf}")["active"] is True


def test_ninety_are_locked_by_bulk_and_put_back_to_what_each_was(tenant: Tenant, scim_of: Any) -> None:
    logins = [f"person.{number}" for number in range(90)]
    ids = [tenant.user(login, active=number % 3 > 0) for number, login in enumerate(logins)]
    connector = scim_of(tenant.url)
    assert outcomes(connector.act(Action.LOCK_ACCOUNT, refs(*logins), "k1")).count(Outcome.OK) == 60
    assert not any(tenant.ask("GET", f"/Users/{one}")["active"] for one in ids)
    assert set(outcomes(connector.act(Action.LOCK_ACCOUNT, refs(*logins), "k1"))) == {Outcome.ALREADY}
    kept = {login: {"active": ["true" if number % 3 > 0 else "false"]} for number, login in enumerate(logins)}
    connector.act(Action.UNLOCK_ACCOUNT, refs(*logins), "k2", kept)
    assert [tenant.ask("GET", f"/Users/{one}")["active"] for one in ids] == [number % 3 > 0 for number in range(90)]


def test_a_read_tells_lock_and_remote_access_with_their_sources(tenant: Tenant, scim_of: Any) -> None:
    inside = tenant.user("anna.berg", active=False)
    tenant.user("olaf.stein")
    group = tenant.group(inside)
    anna, olaf = scim_of(tenant.url, group=group).read(refs("anna.berg", "olaf.stein"))
    assert {fact: reading.value for fact, reading in anna.facts.items()} == {
        Fact.LOCKED: True,
        Fact.REMOTE_ACCESS: True,
    }
    assert {fact: reading.value for fact, reading in olaf.facts.items()} == {
        Fact.LOCKED: None,
        Fact.REMOTE_ACCESS: False,
    }
    assert anna.facts[Fact.LOCKED].source == "idp: active"
    assert anna.facts[Fact.REMOTE_ACCESS].source == f"idp: group {group}"
    assert anna.values == {"active": ["false"], group: [inside]}
    assert olaf.values == {"active": [], group: []}


def test_remote_access_of_some_is_restricted_and_nobody_elses(tenant: Tenant, scim_of: Any) -> None:
    logins = [f"person.{number}" for number in range(6)]
    ids = [tenant.user(login) for login in logins]
    group = tenant.group(*ids[1:])
    connector = scim_of(tenant.url, group=group)
    results = connector.act(Action.RESTRICT_REMOTE_ACCESS, refs(*logins[:3]), "k1")
    assert outcomes(results) == [Outcome.ALREADY, Outcome.OK, Outcome.OK]
    assert tenant.members(group) == set(ids[3:])
    kept = json.loads(json.dumps({result.account.login: result.before for result in results}))
    connector.act(Action.RESTORE_REMOTE_ACCESS, refs(*logins[:3]), "k2", kept)
    assert tenant.members(group) == set(ids[1:])


@pytest.mark.parametrize("dialect", ["rfc7644", "capitalised", "put"])
def test_an_attribute_of_the_user_may_stand_for_remote_access(tenant: Tenant, scim_of: Any, dialect: str) -> None:
    anna = tenant.user("anna.berg", active=True)
    connector = scim_of(tenant.url, dialect=dialect, remote_access_attribute="active")
    (result,) = connector.act(Action.RESTRICT_REMOTE_ACCESS, refs("anna.berg"), "k1")
    assert (result.outcome, result.before) == (Outcome.OK, {"active": ["true"]})
    assert tenant.ask("GET", f"/Users/{anna}")["active"] is False
    (state,) = connector.read(refs("anna.berg"))
    assert state.facts[Fact.REMOTE_ACCESS].value is False


# Finding


@pytest.mark.parametrize("login", ['o"brien', "back\\slash", 'x" or userName pr or userName eq "x', "ünïcode", "a b"])
def test_a_login_is_sought_as_it_is_whatever_is_in_it(tenant: Tenant, scim_of: Any, login: str) -> None:
    tenant.user("anna.berg", active=True)
    tenant.user(login, active=True)
    connector = scim_of(tenant.url)
    (state,) = connector.read(refs(login))
    assert state.values == {"active": ["true"]}
    connector.act(Action.LOCK_ACCOUNT, refs(login), "k1")
    assert [state.values["active"] for state in connector.read(refs(login, "anna.berg"))] == [["false"], ["true"]]


def test_user_names_have_no_case_and_the_order_asked_is_kept(tenant: Tenant, scim_of: Any) -> None:
    for number in range(45):
        tenant.user(f"Person.{number}", active=number % 2 == 0)
    logins = [f"person.{number}" for number in reversed(range(45))]
    states = scim_of(tenant.url).read(refs(*logins))
    assert [state.account.login for state in states] == logins
    assert [state.facts[Fact.LOCKED].value for state in states] == [number % 2 > 0 for number in reversed(range(45))]


def test_who_is_not_there_fails_for_good_and_nobody_else(tenant: Tenant, scim_of: Any) -> None:
    tenant.user("anna.berg", active=True)
    connector = scim_of(tenant.url)
    nobody, anna = connector.act(Action.LOCK_ACCOUNT, refs("nobody", "anna.berg"), "k1")
    assert (nobody.outcome, nobody.permanent) == (Outcome.FAILED, True)
    assert nobody.message == "No user has the userName nobody."
    assert anna.outcome is Outcome.OK
    assert connector.read(refs("nobody"))[0].problem == nobody.message


@pytest.mark.parametrize("find_by", ["externalId", "id"])
def test_users_are_found_by_what_the_directory_calls_their_external_id(
    tenant: Tenant, scim_of: Any, find_by: str
) -> None:
    key = tenant.user("somebody.else", externalId="E-17", active=True)
    account = AccountRef("anna.berg", external_id="E-17" if find_by == "externalId" else key)
    connector = scim_of(tenant.url, find_by=find_by)
    assert connector.act(Action.LOCK_ACCOUNT, [account], "k1")[0].outcome is Outcome.OK
    assert tenant.ask("GET", f"/Users/{key}")["active"] is False
    lacking, other = connector.read([AccountRef("anna.berg"), AccountRef("x", external_id="../Groups/7")])
    assert lacking.problem == f"No user has the {find_by} this account lacks."
    assert "No user has" in other.problem


# Refusals


def test_a_wrong_token_is_refused_for_good_with_its_variable(
    tenant: Tenant, scim_of: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("CONNECTION_IDP_TOKEN", "not-the-token")
    connector = scim_of(tenant.url)
    with pytest.raises(ConnectorError, match="CONNECTION_IDP_TOKEN") as refused:
        connector.act(Action.LOCK_ACCOUNT, refs("anna.berg"), "k1")
    assert refused.value.permanent
    assert "not-the-token" not in str(refused.value) + caplog.text


def test_the_token_and_the_names_are_not_logged(tenant: Tenant, scim_of: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    tenant.user("anna.berg", active=True)
    caplog.clear()
    scim_of(tenant.url).act(Action.LOCK_ACCOUNT, refs("anna.berg"), "k1")
    told = [record for record in caplog.records if record.name.startswith(("httpx", "httpcore", "runbooks"))]
    assert told == []
    assert TOKEN not in caplog.text


def test_a_service_that_is_not_there_is_worth_another_try(scim_of: Any) -> None:
    with pytest.raises(ConnectorError, match="does not answer") as silent:
        scim_of(f"http://127.0.0.1:{free_port()}").read(refs("anna.berg"))
    assert not silent.value.permanent
    assert silent.value.retry_after


def test_a_group_that_is_not_there_is_named(tenant: Tenant, scim_of: Any) -> None:
    tenant.user("anna.berg")
    with pytest.raises(ConnectorError, match="no group nothing") as refused:
        scim_of(tenant.url, group="nothing").act(Action.RESTRICT_REMOTE_ACCESS, refs("anna.berg"), "k1")
    assert refused.value.permanent


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dialect": "esperanto"}, "There are: rfc7644"),
        ({"find_by": "shoe size"}, "find_by"),
        ({"group": "g", "remote_access_attribute": "x"}, "Keep one"),
        ({"url": "http://idp.example/scim"}, "not encrypted"),
        ({"token": "t"}, "CONNECTION_IDP_TOKEN_FILE"),
        ({"batch_size": 2000}, "batch_size"),
        ({"shoe_size": 44}, "nobody reads"),
    ],
)
def test_nonsense_in_the_settings_is_refused_by_name(scim_of: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(MisconfiguredError, match=words):
        scim_of(**{"url": "https://idp.example/scim", **options})


def test_what_is_not_set_is_not_offered(scim_of: Any) -> None:
    capabilities = scim_of("https://idp.example/scim").capabilities
    assert capabilities.actions == {Action.LOCK_ACCOUNT, Action.UNLOCK_ACCOUNT, Action.READ_STATE}
    assert capabilities.facts == {Fact.LOCKED}
    more = scim_of("https://idp.example/scim", group="g-1").capabilities
    assert Action.RESTRICT_REMOTE_ACCESS in more.actions
    assert any("g-1" in text for text in more.permissions)


# Self-test


def test_a_service_that_is_well_passes_and_nothing_is_changed(tenant: Tenant, scim_of: Any) -> None:
    inner = tenant.group()
    user = tenant.user("test.account", active=False)
    group = tenant.group(user)
    findings = scim_of(tenant.url, group=group, canary="test.account").self_test()
    assert {finding.severity for finding in findings} == {Severity.FINE}, findings
    assert any("1,000 in one request" in finding.what for finding in findings)
    assert tenant.ask("GET", f"/Users/{user}")["active"] is False
    assert tenant.members(inner) == set()


def test_the_self_test_tells_of_an_empty_service_and_of_what_was_not_tried(tenant: Tenant, scim_of: Any) -> None:
    findings = scim_of(tenant.url).self_test()
    assert [finding.severity for finding in findings] == [Severity.ERROR, Severity.FINE, Severity.WARNING]


def test_the_self_test_tells_of_a_canary_and_a_group_that_are_not_there(tenant: Tenant, scim_of: Any) -> None:
    tenant.user("anna.berg")
    findings = scim_of(tenant.url, group="nothing", canary="nobody").self_test()
    errors = [finding.what for finding in findings if finding.severity is Severity.ERROR]
    assert errors == ["There is no group nothing. Set group to the id of one.", errors[1]]
    assert "canary was not found" in errors[1]
