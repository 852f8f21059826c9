"""The settings of subscriptions: what is nonsense stops the start, with its name and the mend."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from ir_portal import environment


def waits() -> list[int]:
    return environment.waits("SUBSCRIPTION_WAITS", "5,30", 86400)


def timeout() -> int:
    return environment.within("SUBSCRIPTION_TIMEOUT", 15, 1, 60)


def test_without_a_setting_the_usual_holds() -> None:
    assert (waits(), timeout()) == ([5, 30], 15)


def test_what_is_set_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBSCRIPTION_WAITS", " 0, 60 ,86400")
    monkeypatch.setenv("SUBSCRIPTION_TIMEOUT", "60")
    assert (waits(), timeout()) == ([0, 60, 86400], 60)


@pytest.mark.parametrize("text", ["5;30", "5,-1", "5,1.5", "86401", "٣", ",".join(["1"] * 21), "9" * 30])
def test_waits_that_are_none_stop_the_start(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBSCRIPTION_WAITS", text)
    with pytest.raises(ImproperlyConfigured, match=r"SUBSCRIPTION_WAITS is .*Write one to 20 numbers of seconds"):
        waits()


@pytest.mark.parametrize("text", ["0", "61", "-5"])
def test_a_time_out_beyond_reason_stops_the_start(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBSCRIPTION_TIMEOUT", text)
    with pytest.raises(ImproperlyConfigured, match=r"SUBSCRIPTION_TIMEOUT is .*from 1 to 60"):
        timeout()


def test_a_time_out_that_is_no_number_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBSCRIPTION_TIMEOUT", "soon")
    with pytest.raises(ImproperlyConfigured, match="whole number"):
        timeout()
