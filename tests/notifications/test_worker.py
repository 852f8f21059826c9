"""From the change to the mailbox, with a real broker, worker and mail server."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from celery import current_app
from django.db import transaction
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import change_status
from runbooks.notifications.models import Notification
from tests.factories import make_incident, make_user
from tests.notifications.conftest import Sink
from tests.notifications.making import make_notice

Status = Notification.Status
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mail_server(smtp: Sink, monkeypatch: pytest.MonkeyPatch) -> Sink:
    """The sink, where a worker process started after this looks for it."""
    monkeypatch.setenv("EMAIL_HOST", "127.0.0.1")
    monkeypatch.setenv("EMAIL_PORT", str(smtp.port))
    return smtp


@pytest.fixture
def lead() -> User:
    return make_user()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, list(Notification.objects.values_list("status", "reason"))
        time.sleep(0.05)


def all_delivered() -> bool:
    return not Notification.objects.exclude(status=Status.DELIVERED).exists()


def test_a_status_change_reaches_everybodys_mailbox_once(mail_server: Sink, worker: None, lead: User) -> None:
    with transaction.atomic():
        incident = make_incident(lead=lead, members=(make_user(), make_user()), is_exercise=True)
    actor = actor_for(lead)
    change_status(incident_id=incident.pk, status=Incident.Status.CONTAINED, reason="", actor=actor, at=timezone.now())
    assert Notification.objects.count() == 3
    wait_until(all_delivered)
    assert len(mail_server.messages) == 3
    assert {mail["Subject"] for mail in mail_server.messages} == {
        f"EXERCISE TLP:AMBER {incident.reference}: look in IR Portal."
    }
    assert sorted(to for (to,) in mail_server.recipients) == sorted(
        Notification.objects.values_list("recipient__email", flat=True)
    )


def test_the_sweep_that_beat_sends_delivers_what_nobody_was_woken_for(
    mail_server: Sink, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("runbooks.notifications.operations.announcing.wake", lambda task, **arguments: None)
        make_notice(at=timezone.now() - timedelta(minutes=1))
    request.getfixturevalue("worker")
    assert not mail_server.messages
    current_app.send_task("notifications.deliver")
    wait_until(all_delivered)
    assert len(mail_server.messages) == 1
