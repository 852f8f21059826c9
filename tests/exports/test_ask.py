"""Asking for an export from a page: nothing is written before a worker has looked at all of it again."""

import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from django.conf import settings
from django.utils import timezone

from runbooks import background
from runbooks.access.models import Membership, Role, User
from runbooks.access.permissions import COMMAND_LINE, actor_for
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.exports import tasks
from runbooks.exports.models import Export, SigningKey
from runbooks.exports.operations import asking
from runbooks.exports.operations.asking import ask_export
from runbooks.exports.operations.handing import CannotHandOverError
from runbooks.exports.operations.requesting import CannotExportError, Wish
from runbooks.exports.operations.verifying import ask_verification
from runbooks.exports.progress import Progress
from runbooks.exports.wishes import MOST, Wishes
from runbooks.incidents.models import Incident
from tests.access.writes import writes, written
from tests.factories import make_entry, make_incident, make_user

pytestmark = pytest.mark.django_db
Handed = list[tuple[str, dict[str, Any]]]


def ask(incident: Incident, user: User, format: str = "csv", **wish: Any) -> Any:
    return ask_export(incident_id=incident.pk, wish=Wish(format, **wish), actor=actor_for(user), at=timezone.now())


def refused(incident: Incident, user: User) -> list[str]:
    return [stand.refused for stand in Wishes(incident.pk, user.pk).stands()]


def dead_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = Celery("dead", broker="redis://127.0.0.1:1/0", set_as_current=False)
    dead.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    monkeypatch.setattr(background, "current_app", dead)


def test_asking_writes_nothing_and_the_worker_takes_it_down_as_who_asked(
    incident: Incident, auditor: User, handed: Handed, key: SigningKey
) -> None:
    make_entry(incident)
    before = writes()
    asked = ask(incident, auditor, "jsonl", query="lane=note&fold=0", purpose="The court")
    assert written(before) == set()
    ((task, arguments),) = handed
    assert task == "exports.ask"
    tasks.ask(**arguments)
    export = Export.objects.get()
    assert (export.pk, export.requester, export.status) == (asked, auditor, "ready")
    assert (export.filter, export.purpose, export.format) == ({"lane": "note"}, "The court", "jsonl")
    assert set(incident.events.filter(kind__startswith="export.").values_list("actor", flat=True)) == {str(auditor)}


def test_a_wish_that_comes_twice_makes_one_export(incident: Incident, auditor: User, handed: Handed) -> None:
    ask(incident, auditor)
    for _ in range(2):
        tasks.ask(**handed[0][1])
    assert Export.objects.count() == 1
    assert Export.objects.get().attempts == 1


@pytest.mark.parametrize(
    "wish",
    [{"format": "docx"}, {"order": "random"}, {"purpose": "x" * 201}, {"query": "step=9.9"}, {"format": "bundle"}],
)
def test_what_cannot_be_made_is_refused_before_it_is_handed_over(
    wish: dict[str, str], incident: Incident, auditor: User, handed: Handed
) -> None:
    with pytest.raises(DomainError):
        ask(incident, auditor, **wish)
    assert (handed, refused(incident, auditor)) == ([], [])


def test_only_those_ask_who_may(incident: Incident, desk: User, outsider: User, handed: Handed) -> None:
    with pytest.raises(NotAllowedError):
        ask(incident, desk)
    with pytest.raises(NotFoundError):
        ask(incident, outsider)
    with pytest.raises(DomainError, match="signed in"):
        ask_export(incident_id=incident.pk, wish=Wish("csv"), actor=COMMAND_LINE, at=timezone.now())
    assert handed == []


@pytest.mark.parametrize(
    ("lose", "said"),
    [
        (lambda user: Membership.objects.filter(user=user).update(ended_at=timezone.now()), "no such incident"),
        (lambda user: User.objects.filter(pk=user.pk).update(role=Role.DESK), "may not export"),
        (lambda user: User.objects.filter(pk=user.pk).update(is_active=False), "cannot sign in"),
    ],
)
def test_who_lost_the_right_in_between_gets_nothing(
    lose: Any, said: str, incident: Incident, responder: User, handed: Handed
) -> None:
    ask(incident, responder)
    lose(responder)
    tasks.ask(**handed[0][1])
    assert not Export.objects.exists()
    assert said in refused(incident, responder)[0]


def test_a_wish_of_somebody_else_or_for_another_incident_is_looked_at_anew(incident: Incident, auditor: User) -> None:
    """Whoever can write to the broker can forge a wish, but not a right."""
    other = make_incident(members=[make_user(Role.RESPONDER)])
    wish = {"format": "csv", "query": {}, "order": "sequence", "options": {}, "purpose": ""}
    for incident_id, user_id in ((other.pk, auditor.pk), (uuid4(), auditor.pk), (incident.pk, 0)):
        tasks.ask(export_id=str(uuid4()), incident_id=str(incident_id), user_id=user_id, wish=wish)
    assert not Export.objects.exists()


def test_a_worker_that_falls_over_says_so(
    incident: Incident, auditor: User, handed: Handed, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(incident, auditor)

    def fall(**given: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(asking, "request_export", fall)
    with pytest.raises(RuntimeError):
        tasks.ask(**handed[0][1])
    assert refused(incident, auditor) == [tasks.FELL_OVER]


def test_without_a_broker_nothing_is_asked_for_and_the_way_on_is_said(
    incident: Incident, auditor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead_broker(monkeypatch)
    with pytest.raises(CannotHandOverError, match="export” on the server"):
        ask(incident, auditor)
    assert refused(incident, auditor) == []
    with pytest.raises(CannotHandOverError, match="verify” on the server"):
        ask_verification(incident_id=incident.pk, actor=actor_for(auditor), at=timezone.now())
    assert Progress(incident.pk).stand() is None


def test_nobody_asks_for_more_than_a_few_at_a_time(
    incident: Incident, auditor: User, responder: User, handed: Handed
) -> None:
    asked = [ask(incident, auditor) for _ in range(MOST)]
    assert [stand.export_id for stand in Wishes(incident.pk, auditor.pk).stands()] == asked
    assert Wishes(incident.pk, responder.pk).stands() == []
    with pytest.raises(CannotExportError, match="not made yet"):
        ask(incident, auditor)
    ask(incident, responder)
    tasks.ask(**handed[0][1])
    assert ask(incident, auditor)
    Export.objects.update(status="running")
    with pytest.raises(CannotExportError, match="not made yet"):
        ask(incident, auditor)


@pytest.mark.django_db(transaction=True)
def test_a_worker_has_a_small_one_ready_within_seconds(worker: None) -> None:
    user = make_user(Role.AUDITOR)
    incident = make_incident(members=[user])
    make_entry(incident, "Zoë")
    asked, until = ask(incident, user), timezone.now() + timedelta(seconds=20)
    while not Export.objects.filter(pk=asked, status="ready").exists() and timezone.now() < until:
        time.sleep(0.05)
    export = Export.objects.get(pk=asked)
    assert (export.status, export.attempts, export.reason, export.entries) == ("ready", 1, "", 1)
