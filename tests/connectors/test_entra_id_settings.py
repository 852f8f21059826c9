"""What the settings of a Microsoft Entra connection may say, with no tenant at hand."""

from typing import Any

import pytest

from runbooks.connectors import configured
from runbooks.connectors.base import Action, ConnectorError
from runbooks.connectors.options import MisconfiguredError
from tests.connectors.stages import refs

ONE, OTHER = "11111111-2222-4333-8444-555555555555", "66666666-2222-4333-8444-555555555555"
USUAL = {"connector": "entra_id", "tenant": "parliament.example", "client_id": ONE}


@pytest.fixture
def connector_of(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("CONNECTION_CLOUD_CLIENT_SECRET", "open sesame")

    def make(**options: Any) -> Any:
        settings.CONNECTIONS = {"cloud": {**USUAL, **options}}
        return configured("cloud")

    return make


def test_without_more_it_locks_ends_sessions_and_requires_passwords(connector_of: Any) -> None:
    capabilities = connector_of().capabilities
    assert capabilities.actions == set(Action) - {Action.RESTRICT_REMOTE_ACCESS, Action.RESTORE_REMOTE_ACCESS}
    assert (capabilities.batch_size, capabilities.rate_per_second, capabilities.lag_seconds) == (20, 20, 60)
    assert Action.END_SESSIONS not in capabilities.undone_by


def test_permissions_are_the_least_that_do(connector_of: Any) -> None:
    assert set(connector_of(password_change=False).capabilities.permissions) == {
        "User.Read.All",
        "User.RevokeSessions.All",
        "User.EnableDisableAccount.All",
    }
    assert "GroupMember.ReadWrite.All" in connector_of(group=ONE).capabilities.permissions
    policy = connector_of(policy=ONE, break_glass=f"{ONE},{OTHER}").capabilities
    assert "Policy.ReadWrite.ConditionalAccess" in policy.permissions
    assert policy.batch_size == 200


def test_the_rate_can_be_lowered_and_not_raised(connector_of: Any) -> None:
    assert connector_of(rate_per_second=5).capabilities.rate_per_second == 5
    with pytest.raises(MisconfiguredError, match=r"from 0\.1 to 20"):
        connector_of(rate_per_second=21)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tenant": ""}, "The option tenant"),
        ({"tenant": "a/../b"}, "no tenant's id or domain"),
        ({"client_id": ""}, "The option client_id"),
        ({"group": ONE, "policy": OTHER}, "Keep one of them"),
        ({"group": "Remote access"}, "no object id in group"),
        ({"policy": ONE}, "too few break-glass accounts"),
        ({"policy": ONE, "break_glass": f"{OTHER}, {OTHER}"}, "too few break-glass accounts"),
        ({"policy": ONE, "break_glass": f"{OTHER}, anna"}, "too few break-glass accounts"),
        ({"find_by": "mail"}, "Write login or external_id"),
        ({"base_url": "graph.microsoft.com"}, "no address in base_url"),
        ({"authority": "ldap://login"}, "no address in authority"),
        ({"client_secret": "open sesame"}, "CONNECTION_CLOUD_CLIENT_SECRET_FILE"),
        ({"colour": "blue"}, "options nobody reads: colour"),
    ],
)
def test_nonsense_is_refused_by_name(connector_of: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(MisconfiguredError, match=said):
        connector_of(**options)


def test_a_secret_never_travels_in_clear(connector_of: Any) -> None:
    connector = connector_of(authority="http://192.0.2.7", base_url="https://192.0.2.7/v1.0")
    with pytest.raises(ConnectorError) as refused:
        connector.read(refs("anna.berg@parliament.example"))
    assert refused.value.permanent


def test_an_address_inside_the_house_is_not_called_unless_it_is_allowed(connector_of: Any) -> None:
    connector = connector_of(authority="https://127.0.0.1:9", base_url="https://127.0.0.1:9/v1.0")
    with pytest.raises(ConnectorError, match="OUTBOUND_PRIVATE_NETWORKS") as refused:
        connector.read(refs("anna.berg@parliament.example"))
    assert refused.value.permanent
