from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from ir_portal import environment
from runbooks.connectors import UnknownConnectionError, WrongWorldError, configured, connection
from runbooks.connectors.options import MisconfiguredError, Options


def test_an_exercise_never_gets_a_connection_to_something_real() -> None:
    with pytest.raises(WrongWorldError, match="An exercise takes a simulated"), connection("people", exercise=True):
        pytest.fail("it opened")


def test_a_real_incident_never_gets_a_simulated_connection() -> None:
    with pytest.raises(WrongWorldError, match="contain nobody"), connection("exercise", exercise=False):
        pytest.fail("it opened")


def test_each_gets_its_own() -> None:
    with connection("exercise", exercise=True) as simulated, connection("people", exercise=False) as real:
        assert simulated.capabilities.is_simulated
        assert not real.capabilities.is_simulated


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownConnectionError, match="There are: exercise, people"):
        configured("nowhere")


def test_an_unknown_kind_is_refused_with_the_known_ones(settings: Any) -> None:
    settings.CONNECTIONS = {"odd": {"connector": "telnet"}}
    with pytest.raises(UnknownConnectionError, match=r"'telnet'\. There are: .*manual, .*simulated"):
        configured("odd")


def test_a_share_above_one_is_refused(settings: Any) -> None:
    settings.CONNECTIONS = {"exercise": {"connector": "simulated", "busy": 20}}
    with pytest.raises(MisconfiguredError, match=r"busy of the connection exercise.*from 0 to 1"):
        configured("exercise")


def test_a_secret_is_read_from_the_file_the_environment_names(monkeypatch: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("open sesame\n")
    monkeypatch.setenv("CONNECTION_MAIN_SITE_PASSWORD_FILE", str(tmp_path / "secret"))
    assert Options("main-site", {}).secret("password") == "open sesame"


def test_a_secret_in_the_settings_is_refused_without_repeating_it() -> None:
    with pytest.raises(MisconfiguredError, match="CONNECTION_MAIN_PASSWORD_FILE") as refused:
        Options("main", {"password": "open sesame"}).secret("password")
    assert "sesame" not in str(refused.value)


def test_a_missing_secret_is_refused_with_the_variable_to_set() -> None:
    with pytest.raises(MisconfiguredError, match="CONNECTION_MAIN_PASSWORD_FILE"):
        Options("main", {}).secret("password")


def test_connections_are_read_from_a_json_file(monkeypatch: Any, tmp_path: Path) -> None:
    (tmp_path / "connections.json").write_text('{"directory": {"connector": "ldap"}}')
    monkeypatch.setenv("CONNECTIONS_FILE", str(tmp_path / "connections.json"))
    assert environment.entries("CONNECTIONS") == {"directory": {"connector": "ldap"}}


@pytest.mark.parametrize("nonsense", ["{", "[]", '{"directory": "ldap"}'])
def test_connections_that_are_no_json_object_of_objects_stop_the_start(monkeypatch: Any, nonsense: str) -> None:
    monkeypatch.setenv("CONNECTIONS", nonsense)
    with pytest.raises(ImproperlyConfigured, match="CONNECTIONS"):
        environment.entries("CONNECTIONS")
