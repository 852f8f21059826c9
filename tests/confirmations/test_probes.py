"""Somebody tries many codes, or many on one account: the coordinators hear of it, once in ten minutes."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from runbooks.access.models import User
from runbooks.confirmations.models import Code, Probe
from runbooks.confirmations.operations.probing import look
from runbooks.confirmations.tasks import probes
from runbooks.confirmations.throttle import count_wrong, origin
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.verify import verify_chain
from tests.confirmations.holding import issue, make_holder
from tests.factories import make_incident

pytestmark = pytest.mark.django_db
AT = datetime.fromisoformat("2026-11-22T12:00:30+00:00")


def try_wrong(login: str, times: int, *, at: datetime = AT, network: str = "203.0.{}.9") -> None:
    for number in range(times):
        count_wrong(origin(network.format(number % 7), login), login, now=at.timestamp())


@pytest.fixture
def aimed_at(incident: Incident) -> Incident:
    """An incident in which ola.dahl has an open code."""
    issue(make_holder(incident, "Ola.Dahl@parliament.example"), at=AT - timedelta(hours=1))
    return incident


def entries(incident: Incident) -> list[str]:
    return [event.summary for event in TimelineEvent.objects.filter(incident=incident, kind="holder.probed")]


def test_as_many_as_people_mistype_raise_nothing(aimed_at: Incident) -> None:
    try_wrong("ola.dahl", 10)
    for number in range(40):
        try_wrong(f"holder{number}", 1)
    assert look(at=AT) == 0
    assert not Probe.objects.exists()


def test_eleven_on_one_account_do(aimed_at: Incident, coordinator: User) -> None:
    try_wrong(" OLA.DAHL@elsewhere.example", 11)
    assert look(at=AT) == 1
    probe = Probe.objects.get()
    assert (probe.incident, probe.login, probe.wrong, probe.networks) == (aimed_at, "ola.dahl", 11, 7)
    assert probe.since == AT - timedelta(minutes=10)
    said = "Somebody is guessing codes: 11 wrong tries in 10 minutes from 7 networks, most of them on ola.dahl (11)"
    assert entries(aimed_at) == [said]
    assert verify_chain(aimed_at.pk).broken_at is None


def test_the_coordinators_hear_it_and_nobody_else(aimed_at: Incident, coordinator: User, approver: User) -> None:
    try_wrong("ola.dahl", 11)
    look(at=AT)
    told = Notification.objects.filter(event="holder.probed")
    assert {notice.recipient for notice in told} == {coordinator, approver}
    assert "Most of them on: ola[.]dahl." in told[0].body


def test_fifty_one_over_many_accounts_are_told_wherever_codes_are_open(aimed_at: Incident) -> None:
    elsewhere, without = make_incident(), make_incident()
    issue(make_holder(elsewhere, "kai.lund@parliament.example"), at=AT - timedelta(hours=1))
    over = make_incident()
    issue(make_holder(over, "max.moe@parliament.example"), at=AT - timedelta(hours=1))
    Incident.objects.filter(pk=over.pk).update(status="closed")
    for number in range(51):
        try_wrong(f"holder{number}", 1)
    assert look(at=AT) == 2
    said = ["Somebody is guessing codes: 51 wrong tries in 10 minutes from 1 network"]
    assert [entries(one) for one in (aimed_at, elsewhere, without, over)] == [said, said, [], []]


def test_on_an_account_without_a_code_no_incident_is_told_and_it_is_kept(aimed_at: Incident) -> None:
    Code.objects.update(used_at=AT)
    try_wrong("ola.dahl", 12)
    assert look(at=AT) == 0
    assert (Probe.objects.get().incident, Probe.objects.get().login) == (None, "ola.dahl")
    assert entries(aimed_at) == []
    look(at=AT + timedelta(minutes=1))
    assert Probe.objects.count() == 1


def test_once_in_ten_minutes_and_again_when_it_goes_on(aimed_at: Incident) -> None:
    try_wrong("ola.dahl", 11)
    assert [look(at=AT + timedelta(seconds=30 * number)) for number in range(3)] == [1, 0, 0]
    later = AT + timedelta(minutes=10)
    assert look(at=later) == 0
    try_wrong("ola.dahl", 11, at=later)
    assert look(at=later + timedelta(seconds=1)) == 1
    assert len(entries(aimed_at)) == 2


def test_tries_of_longer_ago_are_forgotten(aimed_at: Incident) -> None:
    try_wrong("ola.dahl", 11, at=AT - timedelta(minutes=11))
    assert look(at=AT) == 0


@pytest.mark.parametrize("login", ["\0", "x" * 5000, "%", "<script>", "\ud7ff" * 100, "", "-"])
def test_whatever_is_typed_as_a_name_breaks_nothing(login: str, aimed_at: Incident) -> None:
    try_wrong(login, 60)
    assert look(at=AT) == 1
    assert "script" not in entries(aimed_at)[0]


def test_the_task_looks_at_the_present(aimed_at: Incident) -> None:
    now = timezone.now()
    Code.objects.update(expires_at=now + timedelta(days=1))
    try_wrong("ola.dahl", 11, at=now)
    probes()
    assert Probe.objects.count() == 1
