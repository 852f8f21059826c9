"""Attacks on the rule of two people: no order of steps, no race and no second session makes one person enough."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from runbooks.access.confirming import NotConfirmedError
from runbooks.access.models import Membership, Role, User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, ActionAccount, ActionDecision
from runbooks.actions.operations import (
    Choice,
    ListChangedError,
    OwnRequestError,
    WrongStatusError,
    begin,
    break_glass,
    decide,
    draft_rollback,
    exclude,
    review_break_glass,
    withdraw,
)
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from tests.actions.acting import approved, confirmed, done, drafted, previewed, requested
from tests.factories import add_member, make_affected, make_incident, make_step, make_user

STEADY = {"connector": "simulated", "throttled": 0, "busy": 0, "slipping": 0, "refused": 0, "lag_seconds": 0}
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]
Decided = ActionDecision.Kind


@pytest.fixture
def room(asker: User, approver: User) -> Incident:
    return make_incident(lead=approver, members=(asker,), is_exercise=True)


@pytest.fixture
def accounts(room: Incident) -> list[AffectedAccount]:
    return [make_affected(room, tier="A", state="compromised") for _ in range(4)]


@pytest.fixture
def waiting(room: Incident, accounts: list[AffectedAccount], asker: User) -> Action:
    return requested(drafted(room, asker, accounts=accounts), asker)


def choice(action: Action, **changes: Any) -> Choice:
    fields = {
        "kind": Decided.APPROVED,
        "digest": action.digest,
        "typed_count": 4,
        "has_read_exclusions": True,
        **changes,
    }
    return Choice(**fields)


def second(room: Incident) -> User:
    other = make_user(Role.COORDINATOR)
    add_member(room, other)
    return other


def test_whoever_drafted_and_left_and_came_back_does_not_approve(
    room: Incident, accounts: list[AffectedAccount], asker: User
) -> None:
    author = second(room)
    action = requested(drafted(room, author, accounts=accounts), asker)
    Membership.objects.filter(user=author).update(ended_at=timezone.now())
    with pytest.raises(NotFoundError):
        approved(action, author)
    add_member(room, author)
    with pytest.raises(OwnRequestError):
        approved(action, author)


def test_whoever_was_removed_or_demoted_between_page_and_button_does_not_approve(
    room: Incident, waiting: Action, approver: User
) -> None:
    User.objects.filter(pk=approver.pk).update(role=Role.RESPONDER)
    approver.refresh_from_db()
    with pytest.raises(NotAllowedError):
        approved(waiting, approver)
    User.objects.filter(pk=approver.pk).update(role=Role.COORDINATOR)
    approver.refresh_from_db()
    Membership.objects.filter(user=approver).update(ended_at=timezone.now())
    with pytest.raises(NotFoundError):
        approved(waiting, approver)


def test_at_the_very_moment_of_its_end_a_request_is_over(waiting: Action, approver: User) -> None:
    at = waiting.expires_at
    assert at is not None
    decide(
        action_id=waiting.pk,
        choice=choice(waiting),
        confirmed=confirmed(approver, at),
        actor=actor_for(approver),
        at=at,
    )
    waiting.refresh_from_db()
    assert (waiting.status, waiting.approved_by) == (Action.Status.DRAFT, None)


def test_just_before_its_end_it_is_not(waiting: Action, approver: User) -> None:
    assert waiting.expires_at is not None
    at = waiting.expires_at - timedelta(microseconds=1)
    decide(
        action_id=waiting.pk,
        choice=choice(waiting),
        confirmed=confirmed(approver, at),
        actor=actor_for(approver),
        at=at,
    )
    waiting.refresh_from_db()
    assert waiting.status == Action.Status.APPROVED


def test_the_digest_of_another_action_for_the_same_accounts_approves_nothing(
    room: Incident, accounts: list[AffectedAccount], waiting: Action, asker: User, approver: User
) -> None:
    other = requested(drafted(room, asker, accounts=accounts), asker)
    assert other.digest != waiting.digest
    with pytest.raises(ListChangedError):
        decide(
            action_id=waiting.pk, choice=choice(waiting, digest=other.digest), confirmed=confirmed(approver),
            actor=actor_for(approver), at=timezone.now(),
        )  # fmt: skip


def test_a_request_that_was_withdrawn_is_gone(waiting: Action, asker: User, approver: User) -> None:
    withdraw(action_id=waiting.pk, actor=actor_for(asker), at=timezone.now())
    with pytest.raises(WrongStatusError):
        approved(waiting, approver)
    with pytest.raises(WrongStatusError):
        requested(waiting, asker)


def test_an_approval_does_not_survive_its_action_being_sent_back(
    waiting: Action, asker: User, approver: User, room: Incident
) -> None:
    old = waiting.digest
    decide(
        action_id=waiting.pk, choice=choice(waiting, kind=Decided.CHANGE_ASKED, comment="Why?"), confirmed=None,
        actor=actor_for(approver), at=timezone.now(),
    )  # fmt: skip
    exclude(
        action_id=waiting.pk, logins=[waiting.accounts.order_by("position")[0].login], reason="Not them",
        actor=actor_for(asker), at=timezone.now(),
    )  # fmt: skip
    requested(previewed(waiting), asker)
    with pytest.raises(ListChangedError):
        decide(
            action_id=waiting.pk, choice=choice(waiting, digest=old, typed_count=3), confirmed=confirmed(approver),
            actor=actor_for(approver), at=timezone.now(),
        )  # fmt: skip


def test_one_who_began_alone_does_not_review_it_nor_does_another_author(
    room: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    author = second(room)
    action = drafted(room, author, accounts=accounts)
    at = timezone.now()
    sure = confirmed(approver, at)
    break_glass(action_id=action.pk, reason="Now", confirmed=sure, actor=actor_for(approver), at=at)
    for person in (author, approver):
        sure = confirmed(person, at)
        with pytest.raises(OwnRequestError):
            review_break_glass(action_id=action.pk, comment="Fine", confirmed=sure, actor=actor_for(person), at=at)


def test_a_confirmation_of_one_session_is_not_good_for_another_person(
    waiting: Action, approver: User, asker: User
) -> None:
    with pytest.raises(NotConfirmedError):
        decide(
            action_id=waiting.pk, choice=choice(waiting), confirmed=confirmed(asker), actor=actor_for(approver),
            at=timezone.now(),
        )  # fmt: skip


def test_a_step_or_account_of_another_incident_is_not_taken(room: Incident, asker: User, approver: User) -> None:
    other = make_incident(lead=make_user(), is_exercise=True)
    theirs, step = make_affected(other), make_step(other)
    ours = make_affected(room)
    action = drafted(room, asker, accounts=[ours, theirs], step_key=step.key)
    assert [row.affected_account_id for row in action.accounts.all()] == [ours.pk]
    assert action.step is None


def test_a_list_of_nobody_is_never_asked_for(room: Incident, asker: User) -> None:
    theirs = make_affected(make_incident(lead=make_user(), is_exercise=True))
    with pytest.raises(DomainError):
        requested(drafted(room, asker, accounts=[theirs]), asker)


@pytest.mark.parametrize("kind", [Action.Kind.END_SESSIONS, Action.Kind.REQUIRE_PASSWORD_CHANGE])
def test_nobody_does_anything_to_everyone_alone(kind: str, room: Incident, asker: User) -> None:
    make_affected(room)
    action = drafted(room, asker, kind=kind, everyone=True)
    assert action.needs_approval
    with pytest.raises(NotAllowedError):
        begin(action_id=action.pk, actor=actor_for(asker), at=timezone.now())


def test_nor_to_so_many_that_it_is_everyone_by_another_name(
    room: Incident, asker: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbooks.actions.verbs.ALONE_MOST", 3)
    few, many = [make_affected(room) for _ in range(3)], [make_affected(room) for _ in range(4)]
    assert not drafted(room, asker, kind=Action.Kind.REQUIRE_PASSWORD_CHANGE, accounts=few).needs_approval
    assert drafted(room, asker, kind=Action.Kind.REQUIRE_PASSWORD_CHANGE, accounts=many).needs_approval
    assert not drafted(room, asker, kind=Action.Kind.READ_STATE, accounts=many).needs_approval


# Races, with real transactions


def at_once(*attempts: Callable[[], object]) -> list[object]:
    """What came of each, begun at the same moment in threads with connections of their own."""
    barrier = threading.Barrier(len(attempts))
    outcomes: dict[int, object] = {}

    def work(place: int) -> None:
        try:
            barrier.wait(10)
            outcomes[place] = attempts[place]()
        except DomainError as error:
            outcomes[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(attempts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return [outcomes[place] for place in range(len(attempts))]


@pytest.mark.django_db(transaction=True)
def test_two_approvals_at_once_are_one(room: Incident, waiting: Action, approver: User) -> None:
    other = second(room)

    def approve(person: User) -> Callable[[], object]:
        return lambda: decide(
            action_id=waiting.pk, choice=choice(waiting), confirmed=confirmed(person), actor=actor_for(person),
            at=timezone.now(),
        )  # fmt: skip

    outcomes = at_once(approve(approver), approve(other), approve(approver))
    assert sum(isinstance(one, WrongStatusError) for one in outcomes) == 2
    assert ActionDecision.objects.filter(action=waiting, kind=Decided.APPROVED).count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_an_approval_while_the_list_is_changed_is_of_one_of_both(
    attempt: int, room: Incident, waiting: Action, approver: User, asker: User
) -> None:
    login = waiting.accounts.order_by("position")[0].login
    at_once(
        lambda: decide(
            action_id=waiting.pk, choice=choice(waiting), confirmed=confirmed(approver), actor=actor_for(approver),
            at=timezone.now(),
        ),
        lambda: exclude(
            action_id=waiting.pk, logins=[login], reason="Not them", actor=actor_for(asker), at=timezone.now()
        ),
    )  # fmt: skip
    waiting.refresh_from_db()
    count = waiting.accounts.count()
    assert (waiting.status, count) in {(Action.Status.APPROVED, 4), (Action.Status.DRAFT, 3)}


@pytest.mark.django_db(transaction=True)
def test_two_rollbacks_at_once_put_nobody_back_twice(
    room: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    locked = done(drafted(room, asker, accounts=accounts), asker, approver)

    def back(person: User) -> Callable[[], object]:
        return lambda: draft_rollback(action_id=locked.pk, reason="Wrong", actor=actor_for(person), at=timezone.now())

    at_once(back(asker), back(approver))
    assert ActionAccount.objects.filter(action__undoes=locked).count() == 4
