"""HOLDER_LANGUAGE: one of the languages there are; nonsense stops the start, with the mend."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from ir_portal import environment
from runbooks.confirmations.letters.contents import LANGUAGES


def chosen() -> str:
    return environment.choice("HOLDER_LANGUAGE", "en-gb", *LANGUAGES)


@pytest.mark.parametrize(("written", "language"), [("cy", "cy"), (" EN-GB ", "en-gb"), ("", "en-gb")])
def test_a_language_is_taken_however_it_is_written(
    monkeypatch: pytest.MonkeyPatch, written: str, language: str
) -> None:
    monkeypatch.setenv("HOLDER_LANGUAGE", written)
    assert chosen() == language


def test_without_it_holders_read_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOLDER_LANGUAGE", raising=False)
    assert chosen() == "en-gb"


def test_any_other_stops_the_start_and_says_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDER_LANGUAGE", "French")
    with pytest.raises(ImproperlyConfigured, match=r"HOLDER_LANGUAGE is 'french'\. Write en-gb or cy\."):
        chosen()
