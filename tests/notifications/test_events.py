"""Every event has its entry, its texts in both languages, and a sample that fills them."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings

from runbooks.incidents.models import Incident
from runbooks.notifications.events import Chain, events
from runbooks.notifications.wording import FOLDERS, written
from tests.notifications.test_templates import FRAME, names_in

TEMPLATES = Path(settings.BASE_DIR) / "templates"
AT = datetime(2026, 6, 23, 8, 7, tzinfo=UTC)
INCIDENT = Incident(reference="IR-2026-0001", title="Password guessing", tlp="AMBER", severity=1, is_exercise=True)
TAGS = re.compile(r"\{[{%#].*?[}%#]\}")
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("language", FOLDERS)
def test_events_and_texts_are_the_same(language: str) -> None:
    files = (TEMPLATES / FOLDERS[language]).glob("[!_]*.txt")
    assert {path.stem for path in files} == set(events())


@pytest.mark.parametrize("language", FOLDERS)
@pytest.mark.parametrize("name", sorted(events()))
def test_a_sample_fills_the_text(name: str, language: str) -> None:
    text = written(name, events()[name].sample, INCIDENT, language=language, at=AT)
    assert "IR-2026-0001" in text.subject
    assert not text.subject.rstrip().endswith(":")
    assert names_in(f"{FOLDERS[language]}/{name}.txt") <= set(events()[name].sample) | set(FRAME)
    assert not TAGS.search(text.subject + text.body)


@pytest.mark.parametrize("language", FOLDERS)
def test_the_brief_text_fits_one_text_message_and_says_nothing_of_what_it_is_about(language: str) -> None:
    text = written("holder.not_me", {"login": "j.brown", "source": "By code"}, INCIDENT, language=language, at=AT)
    assert len(text.brief) <= 160
    assert "IR-2026-0001" in text.brief
    assert "IR Portal" in text.brief
    assert "j.brown" not in text.brief
    assert "Password" not in text.brief


@pytest.mark.parametrize("name", sorted(name for name, event in events().items() if event.chain))
def test_a_chain_that_is_shipped_calls_somebody(name: str) -> None:
    chain = events()[name].chain
    assert isinstance(chain, Chain)
    assert 1 <= chain.severity_at_most <= 4
    assert 0 <= chain.repeats <= 5
    assert chain.steps
    assert all(step["to"] and 0 <= step["wait"] <= 24 * 60 for step in chain.steps)
