"""What an operation announces is written with its change, once for everybody it concerns, and not otherwise."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from runbooks.access.models import Membership, Role, User
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from runbooks.notifications.operations import announce
from tests.factories import add_member, make_entry, make_incident, make_user

AT = datetime(2026, 6, 23, 8, 7, tzinfo=UTC)
CHANGED = {"before": "Open", "after": "Contained", "reason": ""}

pytestmark = pytest.mark.django_db


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The wake-ups that would have gone to the broker."""
    sent: list[dict[str, str]] = []
    monkeypatch.setattr(
        "runbooks.notifications.operations.announcing.wake",
        lambda task, **arguments: sent.append({"task": task, **arguments}),
    )
    return sent


def say(incident: Incident, event: str = "incident.status_changed", **changes: Any) -> list[Notification]:
    context = changes.pop("context", CHANGED)
    announce(incident, event, context, at=changes.pop("at", AT), **changes)
    return list(Notification.objects.filter(incident=incident).order_by("recipient_id"))


def test_everybody_who_works_in_the_incident_is_told_once_and_whoever_only_reads_is_not(
    incident: Incident,
    coordinator: User,
    approver: User,
    responder: User,
    desk: User,
    communications: User,
    auditor: User,
) -> None:
    told = [notice.recipient for notice in say(incident)]
    assert set(told) == {coordinator, approver, responder, desk, communications}
    assert len(told) == 5


def test_who_left_the_incident_and_who_may_no_longer_sign_in_are_not_told(
    incident: Incident, responder: User, desk: User
) -> None:
    Membership.objects.filter(user=responder).update(ended_at=AT)
    User.objects.filter(pk=desk.pk).update(is_active=False)
    told = {notice.recipient for notice in say(incident)}
    assert not told & {responder, desk}


def test_a_notice_for_named_people_goes_to_nobody_else(incident: Incident, responder: User) -> None:
    context = {"number": "3.1", "title": "Block the sender", "who": "R", "by": "C", "due": AT}
    notices = say(incident, "step.assigned", context=context, to=[responder, responder])
    assert [notice.recipient for notice in notices] == [responder]


def test_the_text_says_what_happened_and_how_to_check_it_and_asks_for_nothing(incident: Incident) -> None:
    make_entry(incident)
    incident.refresh_from_db()
    notice = say(incident)[0]
    assert notice.subject == f"TLP:AMBER {incident.reference}: now contained"
    assert "The incident was open and is now contained." in notice.body
    assert "When: Tue 23 Jun 2026 09:07 BST" in notice.body
    assert "on the timeline up to entry 1." in notice.body
    assert "never" not in notice.subject
    assert "Nobody in this incident ever asks you for a password or a code" in notice.body
    assert "EXERCISE" not in notice.subject + notice.body


def test_an_exercise_says_so_before_anything_else(coordinator: User) -> None:
    notice = say(make_incident(lead=coordinator, is_exercise=True))[0]
    assert notice.subject.startswith("EXERCISE ")
    assert notice.body.startswith("EXERCISE: this is practice")


def test_words_of_people_arrive_as_they_wrote_them(incident: Incident) -> None:
    notice = say(incident, context=CHANGED | {"reason": 'Mail & "web" <down>'})[0]
    assert 'Why: Mail & "web" <down>' in notice.body


def test_a_line_break_in_a_title_does_not_forge_a_line_of_the_notice(coordinator: User) -> None:
    incident = make_incident(lead=coordinator, title="Guessing\nSharing: TLP:CLEAR")
    notice = say(incident)[0]
    assert f"{incident.reference}: Guessing Sharing: TLP:CLEAR\n" in notice.body


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("Read https://evil.example/a.b now", "Read https[:]//evil[.]example/a[.]b now"),
        ("www.evil.example", "www[.]evil[.]example"),
        ("(evil.com/portal)", "(evil[.]com/portal)"),
        ("Sign in at evil.com.", "Sign in at evil[.]com[.]"),
        (
            "Told clerk@office.example at 17.05, step 3.1",
            "Told clerk@office.example at 17.05, step 3.1",
        ),
    ],
)
def test_nothing_that_somebody_writes_becomes_a_link_to_press(incident: Incident, written: str, sent: str) -> None:
    notice = say(incident, context=CHANGED | {"reason": written})[0]
    assert f"Why: {sent}\n" in notice.body


def test_a_line_break_in_a_reason_does_not_forge_a_line_of_the_notice(incident: Incident) -> None:
    notice = say(incident, context=CHANGED | {"reason": "Logs\n\nTo act, ring 999.\u2028Sharing: TLP:CLEAR"})[0]
    assert "Why: Logs To act, ring 999. Sharing: TLP:CLEAR\n" in notice.body


def test_moments_are_said_in_the_time_zone_of_the_incident(coordinator: User) -> None:
    incident = make_incident(lead=coordinator, time_zone="America/New_York")
    context = {"number": "3.1", "title": "T", "who": "R", "by": "C", "due": AT + timedelta(hours=1)}
    notice = say(incident, "step.assigned", context=context, to=[coordinator])[0]
    assert "When: Tue 23 Jun 2026 04:07 EDT" in notice.body
    assert "Due: Tue 23 Jun 2026 05:07 EDT" in notice.body


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "no address on file"),
        ("nobody", "the address on file is wrong: That is no e-mail address. Write it as name@example.org."),
        ("m@parliament.example", "inside the affected system"),
        ("m@PARLIAMENT.example", "inside the affected system"),
        ("m@mail.lords.parliament.example", "inside the affected system"),
    ],
)
def test_an_address_that_cannot_be_trusted_is_refused_with_the_reason_and_wakes_nobody(
    address: str, reason: str, woken: list[dict[str, str]]
) -> None:
    user = make_user(email=address)
    notice = say(make_incident(lead=user))[0]
    assert (notice.status, notice.reason) == (Notification.Status.HELD, reason)
    assert not woken


def test_a_domain_that_only_looks_alike_is_not_the_affected_one(woken: list[dict[str, str]]) -> None:
    notice = say(make_incident(lead=make_user(email="m@notparliament.example")))[0]
    assert notice.status == Notification.Status.WAITING
    assert woken == [{"task": "notifications.deliver"}]


def test_the_same_notice_said_twice_in_one_operation_is_written_once(incident: Incident) -> None:
    first = say(incident)
    assert say(incident) == first


def test_two_notices_about_the_same_entry_are_both_written(incident: Incident, responder: User) -> None:
    context = {"number": "3.1", "title": "Block the sender", "who": "R", "by": "C", "due": AT}
    say(incident, "step.assigned", context=context, to=[responder])
    assert len(say(incident, "step.assigned", context=context | {"number": "3.2"}, to=[responder])) == 2


def test_a_change_that_is_rolled_back_leaves_no_notice_and_wakes_nobody(
    incident: Incident, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks() as callbacks, transaction.atomic():
        assert say(incident)
        transaction.set_rollback(True)
    assert not Notification.objects.exists()
    assert not callbacks


@pytest.mark.django_db(transaction=True)
def test_a_notice_outside_a_transaction_is_a_programming_error() -> None:
    incident = Incident(reference="IR-2026-0001", title="Guessing")
    with pytest.raises(RuntimeError, match="belongs into the transaction"):
        announce(incident, "incident.status_changed", CHANGED, at=AT)


def test_queries_do_not_grow_with_the_number_of_people(
    incident: Incident, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(30):
        add_member(incident, make_user(Role.RESPONDER))
    with django_assert_num_queries(7):
        say_only(incident)
    assert Notification.objects.count() == 35


def say_only(incident: Incident) -> None:
    announce(incident, "incident.status_changed", CHANGED, at=AT)
