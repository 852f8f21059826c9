"""What the settings of an LDAP connection may say, with no server at hand."""

from datetime import UTC, datetime
from typing import Any

import pytest

from runbooks.connectors import configured
from runbooks.connectors.base import Action, ConnectorError
from runbooks.connectors.ldap.profile import ACTIVE_DIRECTORY, generalized_time, windows_time
from runbooks.connectors.options import MisconfiguredError
from tests.connectors.slapd import free_port
from tests.connectors.stages import refs

USUAL = {"connector": "ldap", "bind_dn": "cn=portal,dc=example", "base": "dc=example"}


@pytest.fixture
def connector_of(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("CONNECTION_DIRECTORY_PASSWORD", "open sesame")

    def make(**options: Any) -> Any:
        settings.CONNECTIONS = {"directory": {**USUAL, **options}}
        return configured("directory")

    return make


@pytest.mark.parametrize("url", ["ldap://directory.example", "ldap://192.0.2.7:3890", "ldap://localhost.example"])
def test_a_password_never_travels_in_clear(connector_of: Any, url: str) -> None:
    with pytest.raises(MisconfiguredError, match="not encrypted"):
        connector_of(url=url)


@pytest.mark.parametrize(
    "url", ["ldaps://directory.example", "ldap://127.0.0.1:3890", "ldap://[::1]", "ldap://localhost"]
)
def test_encrypted_and_loopback_addresses_are_taken(connector_of: Any, url: str) -> None:
    assert connector_of(url=url).capabilities.actions


def test_an_address_that_is_upgraded_to_tls_is_taken(connector_of: Any) -> None:
    assert connector_of(url="ldap://directory.example", start_tls=True).capabilities.actions


@pytest.mark.parametrize("url", ["https://directory.example", "directory.example", "ldaps://"])
def test_what_is_no_address_of_a_directory_is_refused(connector_of: Any, url: str) -> None:
    with pytest.raises(MisconfiguredError, match="no address of a directory"):
        connector_of(url=url)


def test_an_unknown_profile_is_refused_with_the_known_ones(connector_of: Any) -> None:
    with pytest.raises(MisconfiguredError, match="There are: openldap, active_directory"):
        connector_of(url="ldaps://directory.example", profile="netware")


def test_a_password_in_the_settings_is_refused(connector_of: Any) -> None:
    with pytest.raises(MisconfiguredError, match="CONNECTION_DIRECTORY_PASSWORD_FILE"):
        connector_of(url="ldaps://directory.example", password="open sesame")


def test_a_server_that_is_not_there_is_worth_another_try(connector_of: Any) -> None:
    with pytest.raises(ConnectorError, match="does not answer") as silent:
        connector_of(url=f"ldap://127.0.0.1:{free_port()}").read(refs("anna"))
    assert not silent.value.permanent
    assert silent.value.retry_after


def test_in_active_directory_only_the_bit_that_disables_is_turned(connector_of: Any) -> None:
    lock = ACTIVE_DIRECTORY.lock
    assert lock.turned(["66048"], on=True) == ["66050"]
    assert lock.turned(["66050"], on=False) == ["66048"]
    assert lock.put_back(["66050"], ["512"]) == ["66048"]
    assert lock.is_on(["514"])
    assert not lock.is_on(["512"])


def test_in_active_directory_a_required_change_cannot_be_undone(connector_of: Any) -> None:
    capabilities = connector_of(url="ldaps://dc.example", profile="active_directory").capabilities
    assert Action.REQUIRE_PASSWORD_CHANGE in capabilities.actions
    assert Action.REQUIRE_PASSWORD_CHANGE not in capabilities.undone_by


def test_times_of_both_kinds_of_directory_are_read() -> None:
    noon = datetime(2017, 6, 23, 12, 0, tzinfo=UTC)
    assert generalized_time("20170623120000Z") == noon
    assert generalized_time("20170623120000.000000Z") == noon
    assert generalized_time("soon") is None
    assert windows_time("131426928000000000") == noon
    assert windows_time("0") is None
    assert windows_time("-1") is None
