"""The desk's queue and its calls: who is next, who has whom, and what is kept of it."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount, ContactAttempt, State
from runbooks.confirmations.codes import CALL, CONFIRM_PASSWORD, digest_of
from runbooks.confirmations.models import Code, DeskCall
from runbooks.confirmations.operations import CannotIssueError, Issued, Order, issue_codes
from runbooks.confirmations.operations.calling import (
    HELD,
    BadCallError,
    CallOverError,
    Ending,
    end_call,
    give_reference,
    take_next,
    take_one,
)
from runbooks.confirmations.operations.noting import Line, note_calls
from runbooks.confirmations.operations.recognising import NotRecognisedError
from runbooks.confirmations.queries.calls import REST, Urgency, queue, queue_counts
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.verify import verify_chain
from tests.confirmations.holders import answered, days_ago, make_holder
from tests.factories import make_incident, make_user

pytestmark = pytest.mark.django_db
NUMBER = "07700 900123"


def take(incident: Incident, who: User, at: datetime | None = None) -> DeskCall | None:
    return take_next(incident_id=incident.pk, actor=actor_for(who), at=at or timezone.now())


def end(call: DeskCall | None, outcome: str, *, at: datetime | None = None, **more: Any) -> Issued | None:
    assert call is not None
    return end_call(
        call_id=call.pk, ending=Ending(outcome, **more), actor=actor_for(call.taken_by), at=at or timezone.now()
    )


# Who is next


def test_the_order_is_not_me_then_differs_then_call_backs_then_those_never_reached_by_tier_and_attempts(
    incident: Incident, desk: User
) -> None:
    at = timezone.now()
    twice = make_holder(incident, tier="A", contact_attempts=2)
    second_tier = make_holder(incident, tier="B")
    never = make_holder(incident, tier="A")
    reached: dict[str, Any] = {"holder_reached_at": at - timedelta(days=1)}
    call_back = make_holder(incident, tier="B", **reached)
    DeskCall.objects.create(
        incident=incident, affected_account=call_back, taken_by=desk, taken_at=at, held_until=at, outcome="call_back",
        call_back_at=at - timedelta(minutes=1), ended_at=at - timedelta(hours=1),
    )  # fmt: skip
    differs = make_holder(incident, **reached)
    answered(differs, "changed", "differs")
    not_me = make_holder(incident, **reached)
    answered(not_me, "not_me", "not_asked")
    found = queue(incident.pk, at)
    assert [one.affected_id for one in found] == [
        row.pk for row in (not_me, differs, call_back, never, twice, second_tier)
    ]
    counts = queue_counts(incident.pk, at, desk.pk)
    assert (counts.total, counts.ready, counts.by_urgency[Urgency.NEVER_REACHED]) == (6, 6, 3)
    assert [one.affected_id for one in queue(incident.pk, at, after=found[1].place, limit=2)] == [
        call_back.pk, never.pk,
    ]  # fmt: skip


def test_who_was_reached_who_is_gone_and_who_is_nobody_is_not_called(incident: Incident, desk: User) -> None:
    make_holder(incident, holder_reached_at=timezone.now())
    make_holder(incident, state=State.LEFT)
    make_holder(incident, state=State.SUSPECTED)
    make_holder(incident, on_file={"kind": "service"})
    assert queue(incident.pk, timezone.now()) == []
    assert take(incident, desk) is None


def test_who_was_reached_after_the_answer_is_not_called_again_for_it(incident: Incident, desk: User) -> None:
    row = make_holder(incident, holder_reached_at=timezone.now() - timedelta(days=1))
    answered(row, "not_me", "not_asked")
    end(take(incident, desk), "reached", check="pass")
    assert queue(incident.pk, timezone.now()) == []


@pytest.mark.parametrize("outcome", ["no_answer", "not_verified"])
def test_a_holder_who_was_not_reached_rests_a_while(incident: Incident, desk: User, outcome: str) -> None:
    row = make_holder(incident)
    end(take(incident, desk), outcome)
    assert take(incident, desk) is None
    assert queue_counts(incident.pk, timezone.now(), desk.pk).ready == 0
    again = take(incident, desk, timezone.now() + REST + timedelta(seconds=5))
    assert again is not None
    assert again.affected_account == row


def test_what_one_puts_back_another_gets_at_once(incident: Incident, desk: User, responder: User) -> None:
    row = make_holder(incident)
    end(take(incident, desk), "put_back")
    assert take(incident, desk) is None
    other = take(incident, responder)
    assert other is not None
    assert other.affected_account == row
    assert not ContactAttempt.objects.exists()


def test_a_call_back_waits_for_its_time(incident: Incident, desk: User) -> None:
    make_holder(incident)
    at = timezone.now()
    end(take(incident, desk), "call_back", call_back_at=at + timedelta(hours=2))
    assert take(incident, desk) is None
    assert take(incident, desk, at + timedelta(hours=2, minutes=1)) is not None


def test_who_refused_is_left_alone_unless_they_say_that_it_was_not_them(incident: Incident, desk: User) -> None:
    row = make_holder(incident)
    end(take(incident, desk), "refused", note="Rang off")
    assert queue(incident.pk, timezone.now()) == []
    answered(row, "not_me", "not_asked")
    assert [one.urgency for one in queue(incident.pk, timezone.now())] == [Urgency.NOT_ME]


# Who has whom


def test_one_keeps_the_row_until_it_is_said_what_came_of_it(incident: Incident, desk: User) -> None:
    make_holder(incident), make_holder(incident)
    assert take(incident, desk) == take(incident, desk)
    assert DeskCall.objects.count() == 1


def test_a_row_is_somebody_elses_to_take_only_after_twenty_minutes(
    incident: Incident, desk: User, responder: User
) -> None:
    row, at = make_holder(incident), timezone.now()
    mine = take(incident, desk, at)
    assert take(incident, responder, at + HELD - timedelta(seconds=1)) is None
    with pytest.raises(CallOverError, match="on the line"):
        take_one(incident_id=incident.pk, affected_id=row.pk, actor=actor_for(responder), at=at)
    theirs = take(incident, responder, at + HELD)
    assert theirs is not None
    assert theirs.affected_account == row
    with pytest.raises(CallOverError):
        end(mine, "no_answer")


@pytest.mark.django_db(transaction=True)
def test_two_people_never_get_the_same_row() -> None:
    people = [make_user(Role.DESK) for _ in range(4)]
    incident = make_incident(members=tuple(people))
    for _ in range(12):
        make_holder(incident)
    taken: list[int] = []
    start = threading.Barrier(len(people))

    def work(user: User) -> None:
        try:
            start.wait(10)
            for _ in range(3):
                call = take(incident, user)
                assert call is not None
                taken.append(call.affected_account_id)
                end(call, "no_answer")
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(user,)) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(taken) == 12
    assert len(set(taken)) == 12
    assert verify_chain(incident.pk).broken_at is None


@pytest.mark.django_db(transaction=True)
def test_the_same_row_taken_by_two_at_once_goes_to_one() -> None:
    people = [make_user(Role.DESK) for _ in range(4)]
    incident = make_incident(members=tuple(people))
    make_holder(incident)
    found: list[DeskCall | None] = []
    start = threading.Barrier(len(people))

    def work(user: User) -> None:
        try:
            start.wait(10)
            found.append(take(incident, user))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(user,)) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 4
    assert sum(one is not None for one in found) == 1


# What came of it


def test_reached_needs_how_the_holder_was_recognised(incident: Incident, desk: User) -> None:
    make_holder(incident)
    call = take(incident, desk)
    with pytest.raises(NotRecognisedError, match="recognised"):
        end(call, "reached")
    with pytest.raises(NotRecognisedError, match="Name the colleague"):
        end(call, "reached", check="vouched")
    with pytest.raises(BadCallError, match="which number"):
        end(call, "reached", check="called_back")
    assert not ContactAttempt.objects.exists()
    end(call, "reached", check="called_back", number=NUMBER)
    attempt = ContactAttempt.objects.get()
    assert (attempt.outcome, attempt.address, attempt.made_by) == ("reached", NUMBER, str(desk))
    assert attempt.identity_check == "Called back on the number of record"
    row = AffectedAccount.objects.get()
    assert row.holder_reached_at is not None


def test_a_number_that_changed_lately_recognises_nobody(incident: Incident, desk: User) -> None:
    make_holder(incident, on_file={"contact_changed_at": days_ago(12)})
    call = take(incident, desk)
    with pytest.raises(NotRecognisedError, match="changed 12 days ago"):
        end(call, "reached", check="called_back", number=NUMBER)
    end(call, "reached", check="vouched", note="Jo Bray, next desk")
    assert ContactAttempt.objects.get().identity_check == "A named colleague vouched: Jo Bray, next desk"


def test_only_numbers_on_file_are_called(incident: Incident, desk: User) -> None:
    make_holder(incident)
    with pytest.raises(BadCallError, match="on file"):
        end(take(incident, desk), "no_answer", number="07700 900999")


def test_a_code_read_out_is_given_only_with_a_holder_who_was_recognised(incident: Incident, desk: User) -> None:
    row = make_holder(incident)
    call = take(incident, desk)
    assert end(call, "no_answer", with_code=True) is None
    assert not Code.objects.exists()
    call = take_one(incident_id=incident.pk, affected_id=row.pk, actor=actor_for(desk), at=timezone.now())
    issued = end(call, "reached", check="called_back", number=NUMBER, with_code=True)
    assert issued is not None
    code = Code.objects.get()
    assert code.digest == digest_of(CONFIRM_PASSWORD, row.login, issued.code)
    assert code.expires_at - code.issued_at == timedelta(minutes=15)


def test_a_call_back_needs_a_moment_to_come(incident: Incident, desk: User) -> None:
    make_holder(incident)
    call = take(incident, desk)
    for when in (None, timezone.now() - timedelta(minutes=1)):
        with pytest.raises(BadCallError, match="still to come"):
            end(call, "call_back", call_back_at=when)


def test_the_second_who_is_not_recognised_is_told_to_everybody(incident: Incident, desk: User) -> None:
    row = make_holder(incident)
    for times in (1, 2):
        call = take_one(incident_id=incident.pk, affected_id=row.pk, actor=actor_for(desk), at=timezone.now())
        end(call, "not_verified")
        assert TimelineEvent.objects.filter(kind="holder.not_verified").count() == times
        assert Notification.objects.filter(event="holder.not_verified").exists() is (times == 2)
    assert verify_chain(incident.pk).broken_at is None


def test_the_caller_reference_is_kept_as_a_hash_and_gone_with_the_call(incident: Incident, desk: User) -> None:
    row = make_holder(incident)
    call = take(incident, desk)
    assert call is not None
    reference = give_reference(call_id=call.pk, actor=actor_for(desk), at=timezone.now())
    call.refresh_from_db()
    assert call.reference_digest == digest_of(CALL, row.login, reference)
    assert reference.replace("-", "") not in str(list(DeskCall.objects.values()))
    end(call, "no_answer")
    call.refresh_from_db()
    assert (call.reference_digest, call.reference_until) == ("", None)


def test_nobody_ends_the_call_of_somebody_else_nor_twice(incident: Incident, desk: User, responder: User) -> None:
    make_holder(incident)
    call = take(incident, desk)
    assert call is not None
    with pytest.raises(NotAllowedError):
        end_call(call_id=call.pk, ending=Ending("no_answer"), actor=actor_for(responder), at=timezone.now())
    with pytest.raises(NotAllowedError):
        give_reference(call_id=call.pk, actor=actor_for(responder), at=timezone.now())
    end(call, "no_answer")
    with pytest.raises(CallOverError):
        end(call, "no_answer")


def test_who_does_not_call_holders_takes_none(
    incident: Incident, auditor: User, communications: User, outsider: User
) -> None:
    make_holder(incident)
    for who, error in ((auditor, NotAllowedError), (communications, NotAllowedError), (outsider, NotFoundError)):
        with pytest.raises(error):
            take(incident, who)
    assert not DeskCall.objects.exists()


# From paper


def test_lines_typed_in_keep_their_own_times_and_each_its_own_error(incident: Incident, desk: User) -> None:
    first, second, third = (make_holder(incident) for _ in range(3))
    then = timezone.now() - timedelta(hours=3)
    lines = [
        Line(first.pk, Ending("reached", check="pass"), then),
        Line(second.pk, Ending("reached"), then),
        Line(third.pk, Ending("no_answer"), timezone.now() + timedelta(hours=1)),
    ]
    noted = note_calls(incident_id=incident.pk, lines=lines, actor=actor_for(desk), at=timezone.now())
    assert noted.taken == 1
    assert "recognised" in noted.errors[second.pk]
    assert "future" in noted.errors[third.pk]
    attempt = ContactAttempt.objects.get()
    assert (attempt.affected_account, attempt.at) == (first, then)
    assert TimelineEvent.objects.get(kind="account.contact_logged").occurred_at == then
    assert DeskCall.objects.count() == 1


def test_many_lines_leave_the_chain_whole(incident: Incident, desk: User) -> None:
    rows = [make_holder(incident) for _ in range(6)]
    lines = [Line(row.pk, Ending("not_verified"), timezone.now()) for row in rows * 2]
    assert note_calls(incident_id=incident.pk, lines=lines, actor=actor_for(desk), at=timezone.now()).taken == 12
    assert verify_chain(incident.pk).broken_at is None


@pytest.mark.parametrize("holders", [1, 60])
def test_the_queue_is_one_query(
    incident: Incident, desk: User, holders: int, django_assert_num_queries: Callable[[int], Any]
) -> None:
    for _ in range(holders):
        make_holder(incident)
    with django_assert_num_queries(1):
        assert len(queue(incident.pk, timezone.now())) == min(holders, 50)


def test_a_code_by_mail_is_refused_for_the_desk_too(incident: Incident, desk: User) -> None:
    row = make_holder(incident)
    with pytest.raises(CannotIssueError, match="never goes by mail"):
        issue_codes(
            incident_id=incident.pk, orders=[Order(row.pk, "letter", row.login)], actor=actor_for(desk),
            at=timezone.now(),
        )  # fmt: skip
    assert not Code.objects.exists()


def test_not_me_by_telephone_raises_the_account_as_the_page_does(
    incident: Incident, desk: User, coordinator: User
) -> None:
    row = make_holder(incident, tier="B")
    end(take(incident, desk), "reached", check="pass", not_me=True)
    row.refresh_from_db()
    assert (row.tier, row.state) == ("A", "contained")
    assert Notification.objects.filter(event="holder.not_me", recipient=coordinator).exists()
    entry = TimelineEvent.objects.get(incident=incident, kind="holder.answered")
    assert (entry.account_ids, entry.actor, entry.details["answer"]) == ([row.pk], str(desk), "not_me")
    assert not queue_counts(incident.pk, timezone.now(), desk.pk).total
    assert verify_chain(incident.pk).broken_at is None


def test_nobody_says_not_me_for_a_holder_who_was_not_recognised(incident: Incident, desk: User) -> None:
    row = make_holder(incident, tier="B")
    end(take(incident, desk), "not_verified", not_me=True)
    row.refresh_from_db()
    assert row.tier == "B"
