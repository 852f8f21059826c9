"""TEXT_GATEWAY: nonsense stops the start, with the mend."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from ir_portal import environment

GOOD: dict[str, Any] = {
    "url": "https://gateway.example/v1/messages",
    "headers": {"Authorization": "Bearer {token}"},
    "body": {"to": "{number}", "text": "{text}"},
}


def read(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> dict[str, Any]:
    monkeypatch.setenv("TEXT_GATEWAY", json.dumps({**GOOD, **changes}))
    return environment.gateway("TEXT_GATEWAY")


def test_none_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEXT_GATEWAY", raising=False)
    assert environment.gateway("TEXT_GATEWAY") == {}


def test_what_is_left_out_is_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXT_GATEWAY_TOKEN", "secret")
    entry = read(monkeypatch)
    assert entry == {**environment.GATEWAY, **GOOD, "token": "secret"}


def test_the_token_comes_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from the file\n")
    monkeypatch.setenv("TEXT_GATEWAY_TOKEN_FILE", str(tmp_path / "token"))
    assert read(monkeypatch)["token"] == "from the file"


@pytest.mark.parametrize(
    ("changes", "mend"),
    [
        ({"uri": "x"}, "nothing else"),
        ({"url": ""}, "https://"),
        ({"url": "ftp://gateway.example"}, "https://"),
        ({"method": "GET"}, "POST or PUT"),
        ({"format": "xml"}, "json or form"),
        ({"headers": {"X": 1}}, "headers"),
        ({"headers": ["X"]}, "headers"),
        ({"body": {"to": "{number}"}}, "{text}"),
        ({"body": {"text": "{text}"}}, "{digits}"),
        ({"body": "{text}{number}", "format": "form"}, "form"),
        ({"body": {"a": {"to": "{number}", "text": "{text}"}}, "format": "form"}, "form"),
        ({"statuses": []}, "statuses"),
        ({"statuses": ["200"]}, "statuses"),
        ({"country": "UK"}, "calling code"),
        ({"seconds": "20"}, "seconds"),
        ({"seconds": 0}, "seconds"),
        ({"ca_file": 1}, "ca_file"),
    ],
)
def test_nonsense_stops_the_start(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], mend: str) -> None:
    monkeypatch.setenv("TEXT_GATEWAY_TOKEN", "secret")
    with pytest.raises(ImproperlyConfigured) as caught:
        read(monkeypatch, **changes)
    assert str(caught.value).startswith("TEXT_GATEWAY ")
    assert mend in str(caught.value)


@pytest.mark.parametrize("written", ["[]", "3", '"x"', "{", "nonsense"])
def test_what_is_no_object_stops_the_start(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("TEXT_GATEWAY", written)
    with pytest.raises(ImproperlyConfigured, match="TEXT_GATEWAY"):
        environment.gateway("TEXT_GATEWAY")


def test_a_token_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match="TEXT_GATEWAY_TOKEN is not set"):
        read(monkeypatch)
    assert read(monkeypatch, headers={})["token"] == ""
