"""Holders who answer at the same moment: none is lost, none doubled, and one that cannot be kept spoils no other."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from runbooks.affected_accounts.models import AccountFact
from runbooks.confirmations.models import Code, Confirmation
from runbooks.confirmations.operations import CodeDidNotWorkError, answer, keeping
from runbooks.confirmations.operations.keeping import hold
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineBin, TimelineEvent
from runbooks.timeline.verify import verify_chain
from tests.confirmations.holding import issue, make_holder
from tests.factories import make_incident

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def incident(transactional_db: None) -> Incident:
    return make_incident()


@pytest.fixture
def codes(incident: Incident) -> list[int]:
    """The codes of eight holders."""
    rows = [make_holder(incident, f"holder{number}@parliament.example") for number in range(8)]
    return [one.code_id for one in issue(*rows)]


@pytest.fixture(autouse=True)
def _leaves_nothing() -> Iterator[None]:
    yield
    assert (dict(keeping._waiting), keeping._led) == ({}, set())


def say(code_id: int, said: str = "changed", **questions: str) -> Confirmation:
    return answer(code_id=code_id, said=said, questions=questions, language="en-gb", at=timezone.now())


def at_once(calls: list[Callable[[], Any]], *, held: Incident) -> list[Any]:
    """The results of calls that all wait for the lock of the incident before any of them has it."""
    results: list[Any] = [None] * len(calls)

    def run(number: int) -> None:
        try:
            results[number] = calls[number]()
        except (DatabaseError, DomainError) as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[number]) for number in range(len(calls))]
    with transaction.atomic():
        hold(held.pk)
        for thread in threads:
            thread.start()
        while sum(map(len, list(keeping._waiting.values()))) < len(calls):
            assert all(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join(20)
    return results


def test_all_are_kept_once_with_an_entry_each(incident: Incident, codes: list[int]) -> None:
    before = incident.events.count()
    results = at_once([lambda code=code: say(code, odd="x") for code in codes], held=incident)
    assert {kept.receipt for kept in results} == set(Confirmation.objects.values_list("receipt", flat=True))
    assert Confirmation.objects.count() == len(codes)
    assert {kept.pk for kept in results} == set(Confirmation.objects.values_list("pk", flat=True))
    assert not Code.objects.filter(used_at=None).exists()
    assert incident.events.filter(kind="holder.answered").count() == len(codes)
    assert incident.events.count() == before + len(codes)
    assert AccountFact.objects.filter(kind="holder_reached", holds=True).count() == len(codes)
    assert verify_chain(incident.pk).broken_at is None


def test_the_same_code_twice_at_once_is_kept_once(incident: Incident, codes: list[int]) -> None:
    results = at_once([lambda: say(codes[0])] * 4 + [lambda: say(codes[1])], held=incident)
    kept = [one for one in results if isinstance(one, Confirmation)]
    assert len(kept) == Confirmation.objects.count() == 2
    assert [type(one) for one in results].count(CodeDidNotWorkError) == 3


@pytest.mark.parametrize("place", [0, 7], ids=["which came first", "which came last"])
def test_an_answer_the_database_refuses_spoils_none_of_the_others(
    place: int, incident: Incident, codes: list[int]
) -> None:
    calls: list[Callable[[], Any]] = [lambda code=code: say(code) for code in codes[1:]]
    calls.insert(place, lambda: say(codes[0], odd="a\0b"))
    results = at_once(calls, held=incident)
    assert isinstance(results.pop(place), Exception)
    assert [type(one) for one in results] == [Confirmation] * 7
    assert Confirmation.objects.count() == 7
    assert Code.objects.filter(used_at=None).count() == 1
    assert verify_chain(incident.pk).broken_at is None


def test_an_incident_that_is_closed_meanwhile_keeps_none(incident: Incident, codes: list[int]) -> None:
    Incident.objects.update(status="closed")
    results = at_once([lambda code=code: say(code) for code in codes], held=incident)
    assert [type(one) for one in results] == [CodeDidNotWorkError] * 8
    assert not Confirmation.objects.exists()


def test_one_who_waits_too_long_leaves_the_line(
    incident: Incident, codes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "LONGEST_SECONDS", 0.3)
    raised: list[BaseException] = []

    def run(code: int) -> None:
        try:
            say(code)
        except keeping.NotKeptError as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[code]) for code in codes[:2]]
    with transaction.atomic():
        hold(incident.pk)
        for thread in threads:
            thread.start()
        while not raised:
            assert any(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join(20)
    assert (len(raised), Confirmation.objects.count()) == (1, 1)


def test_a_holder_reached_before_is_not_reached_anew(incident: Incident, codes: list[int]) -> None:
    row = Code.objects.get(pk=codes[0]).affected_account
    row.holder_reached_at = timezone.now()
    row.save()
    say(codes[0])
    row.refresh_from_db()
    assert row.version == 1
    assert not AccountFact.objects.filter(kind="holder_reached").exists()


def test_an_entry_of_a_holder_is_counted_and_said_once(incident: Incident, codes: list[int]) -> None:
    counted = sum(TimelineBin.objects.values_list("entries", flat=True))
    kept = say(codes[0], "with_help", reused="yes")
    event = TimelineEvent.objects.get(kind="holder.answered")
    assert event.details["receipt"] == kept.receipt
    assert event.details["questions"] == {"reused": "yes"}
    assert (event.summary.endswith("with the desk's help"), event.account_ids) == (True, [kept.affected_account_id])
    assert sum(TimelineBin.objects.values_list("entries", flat=True)) == counted + 1
