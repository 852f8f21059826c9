from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError


def test_a_fine_connection_is_described_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check_connector", "exercise")
    assert capsys.readouterr().out == "fine     exercise is simulated (seed 2017) and reaches nothing real.\n"


def test_an_unknown_connection_is_refused() -> None:
    with pytest.raises(CommandError, match="There are: exercise, people"):
        call_command("check_connector", "nowhere")


def test_a_connection_with_nonsense_in_its_settings_is_refused(settings: Any) -> None:
    settings.CONNECTIONS = {"exercise": {"connector": "simulated", "lag_seconds": "long"}}
    with pytest.raises(CommandError, match="lag_seconds"):
        call_command("check_connector", "exercise")
