"""The story, played once for all tests of a module that only look at it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from runbooks.demonstration.operations import play
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent

SEED, SMALL = 2017, 300
# Drawn by chance whenever the story is played, and the clock on the wall when somebody is called back.
DIFFERS = re.compile(r"[Rr]eceipt [0-9A-Z]{5}-[0-9A-Z]{5}|Call back [^.]+\.")
NOW = datetime(2026, 11, 20, 11, 42, 7, tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    """One entry, by what must not differ between two playings."""

    sequence: int
    kind: str
    actor: str
    summary: str
    recorded_after: timedelta
    occurred_after: timedelta


def told(incident: Incident) -> list[Told]:
    events = TimelineEvent.objects.filter(incident=incident).order_by("sequence")
    return [
        Told(
            event.sequence,
            event.kind,
            event.actor,
            DIFFERS.sub("", event.summary),
            event.recorded_at - incident.declared_at,
            event.occurred_at - incident.declared_at,
        )
        for event in events
    ]


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)


@pytest.fixture(scope="module")
def demonstration_folder(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """A folder of files and an open database for a module.

    Tests that use what follows ask for no other database fixture: those close the connection it lives on.
    """
    folder = tmp_path_factory.mktemp("demonstration")
    with django_db_blocker.unblock(), override_settings(RUN_DIR=folder, MEDIA_ROOT=folder / "media"):
        yield


@pytest.fixture(scope="module")
def told_weeks_before(demonstration_folder: None) -> list[Told]:
    """What the same story told when it was played at another time; nothing of it is left."""
    with rolled_back():
        return told(play(seed=SEED, accounts=SMALL, at=NOW - timedelta(days=40, hours=3, minutes=11)))


@pytest.fixture(scope="module")
def played(told_weeks_before: list[Told]) -> Iterator[Incident]:
    """The incident at the end of the story, in a transaction that the module's tests share and that is rolled back."""
    with rolled_back():
        yield play(seed=SEED, accounts=SMALL, at=NOW)
