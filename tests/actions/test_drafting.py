"""A draft's list: who is on it and in which order, who is left alone by rule, and what a draft may not be."""

from typing import Any

import pytest
from django.utils import timezone

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action, ActionExclusion
from runbooks.actions.operations import BadActionError, Draft, draft_action, exclude, resolve_anew, take_in
from runbooks.connectors import WrongWorldError
from runbooks.directory.models import Account, Protection
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.verify import verify_chain
from tests.actions.acting import LOCK, RESTRICT, drafted, requested
from tests.factories import add_member, make_account, make_affected, make_incident, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]


@pytest.fixture
def room(asker: User, approver: User) -> Incident:
    return make_incident(lead=approver, members=(asker,), is_exercise=True)


def protect(account: Account, kind: str, reason: str) -> None:
    Protection.objects.create(account=account, kind=kind, reason=reason, added_by="A", added_at=timezone.now())


def for_everyone() -> dict[str, Any]:
    return {
        "everyone": True,
        "expected_harm": "No mail on phones",
        "review_at": timezone.now() + timezone.timedelta(hours=4),
    }


def test_everyone_is_everyone_less_the_protected_the_services_and_the_incident_team(
    room: Incident, asker: User
) -> None:
    plain = [make_account() for _ in range(3)]
    glass, service, clerk = make_account(), make_account(kind=Account.Kind.SERVICE), make_account()
    own = make_account(mail=asker.email)
    stranger = make_user(Role.RESPONDER)
    of_stranger = make_account(mail=stranger.email)
    make_account(gone_at=timezone.now())
    protect(glass, "break_glass", "Sealed")
    protect(clerk, "duty", "Sitting on Monday")
    action = drafted(room, asker, RESTRICT, **for_everyone())
    on_list = set(action.accounts.values_list("account_id", flat=True))
    assert on_list == {account.pk for account in (*plain, of_stranger)}
    left = dict(action.exclusions.values_list("account_id", "kind"))
    assert left == {glass.pk: "break_glass", service.pk: "service", clerk.pk: "duty", own.pk: "responder"}
    assert set(action.exclusions.values_list("added_by", flat=True)) == {"IR Portal, by rule"}
    assert action.exclusions.get(account=own).reason == f"{asker} works on this incident"


def test_giving_back_leaves_nobody_out(room: Incident, asker: User) -> None:
    account = make_account()
    protect(account, "break_glass", "Sealed")
    action = drafted(room, asker, "unlock_account", accounts=[make_affected(room, account)])
    assert (action.accounts.count(), action.exclusions.count()) == (1, 0)


def test_the_most_dangerous_come_first(room: Incident, asker: User) -> None:
    def one(login: str, tier: str, *, privileged: bool = False) -> Any:
        return make_affected(
            room, make_account(login=f"{login}@parliament.example", is_privileged=privileged), tier=tier
        )

    rows = [
        one("e", "D"), one("d", "B"), one("c", "C", privileged=True), one("b", "A"), one("a", "A", privileged=True),
        one("aa", "A"),
    ]  # fmt: skip
    action = drafted(room, asker, accounts=rows)
    logins = [
        login[: login.index("@")] for login in action.accounts.order_by("position").values_list("login", flat=True)
    ]
    assert logins == ["a", "aa", "b", "c", "d", "e"]


def test_numbers_count_up_within_the_incident(room: Incident, asker: User) -> None:
    accounts = [make_affected(room)]
    other = make_incident(members=(asker,), is_exercise=True)
    numbers = [
        drafted(room, asker, accounts=accounts).number,
        drafted(room, asker, accounts=accounts).number,
        drafted(other, asker, accounts=[make_affected(other)]).number,
    ]
    assert numbers == [1, 2, 1]
    assert verify_chain(room.pk).broken_at is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason": "  "}, "Say why"),
        ({"reason": "x" * 4001}, "under 4000 characters"),
        ({"kind": "delete_everything"}, "Choose what to do"),
        ({"affected_ids": []}, "Tick some first"),
        ({"stop_after_failures": -1}, "cannot be negative"),
        ({"kind": RESTRICT, "everyone": True}, "what harm"),
        ({"kind": RESTRICT, "everyone": True, "expected_harm": "x"}, "a time in the future"),
    ],
)
def test_a_draft_that_lacks_something_is_refused(
    room: Incident, asker: User, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadActionError, match=said):
        drafted(room, asker, **{"kind": LOCK, "accounts": [make_affected(room)], **changes})
    assert not Action.objects.exists()


def test_an_exercise_drafts_nothing_through_a_real_connection(room: Incident, asker: User, settings: Any) -> None:
    settings.CONNECTIONS = {"directory": {"connector": "manual"}}
    with pytest.raises(WrongWorldError):
        drafted(room, asker, accounts=[make_affected(room)])


def test_a_batch_is_never_larger_than_the_connection_bears(room: Incident, asker: User) -> None:
    accounts = [make_affected(room)]
    assert drafted(room, asker, accounts=accounts, batch_size=100_000).batch_size == 200
    assert drafted(room, asker, accounts=accounts, batch_size=7).batch_size == 7


@pytest.mark.parametrize("role", [Role.DESK, Role.COMMUNICATIONS, Role.AUDITOR])
def test_only_those_who_work_on_containment_may_draft(room: Incident, role: Role) -> None:
    person = make_user(role)
    add_member(room, person)
    with pytest.raises(NotAllowedError):
        drafted(room, person, accounts=[make_affected(room)])


def test_an_outsider_learns_nothing(room: Incident, outsider: User) -> None:
    with pytest.raises(NotFoundError):
        drafted(room, outsider, accounts=[make_affected(room)])


def test_a_change_of_the_list_voids_the_request_and_makes_its_maker_an_author(
    room: Incident, asker: User, approver: User
) -> None:
    accounts = [make_affected(room) for _ in range(3)]
    action = requested(drafted(room, asker, accounts=accounts), asker)
    exclude(
        action_id=action.pk, logins=[accounts[0].login], reason="Duty", actor=actor_for(approver), at=timezone.now()
    )
    action.refresh_from_db()
    assert (action.status, action.digest, action.requested_by, action.previewed_at) == ("draft", "", None, None)
    assert set(action.authors) == {asker.pk, approver.pk}


def test_taking_in_puts_the_account_at_the_end_and_says_who_and_why(room: Incident, asker: User) -> None:
    glass = make_account(login="a-glass@parliament.example")
    protect(glass, "break_glass", "Sealed")
    action = drafted(room, asker, accounts=[make_affected(room), make_affected(room, glass)])
    take_in(action_id=action.pk, login=glass.login, reason="Seen in use", actor=actor_for(asker), at=timezone.now())
    row = action.accounts.order_by("-position").first()
    assert row is not None
    assert row.login == glass.login
    entry = TimelineEvent.objects.get(incident=room, kind="action.taken_in")
    assert f"{glass.login} (break-glass account) taken in. Seen in use" in entry.summary
    for reason, login in (("", glass.login), ("Again", glass.login), ("Why", "nobody@nowhere.example")):
        with pytest.raises(BadActionError):
            take_in(action_id=action.pk, login=login, reason=reason, actor=actor_for(asker), at=timezone.now())


def test_what_a_person_left_alone_and_took_in_survives_a_new_list(room: Incident, asker: User) -> None:
    glass = make_account()
    protect(glass, "break_glass", "Sealed")
    plain = [make_affected(room) for _ in range(2)]
    action = drafted(room, asker, accounts=[*plain, make_affected(room, glass)])
    who, at = actor_for(asker), timezone.now()
    take_in(action_id=action.pk, login=glass.login, reason="Seen in use", actor=who, at=at)
    exclude(action_id=action.pk, logins=[plain[0].login], reason="Duty", actor=who, at=at)
    protect(plain[1].account, "duty", "On the rota since")
    resolve_anew(action_id=action.pk, actor=who, at=at)
    assert set(action.accounts.values_list("login", flat=True)) == {glass.login}
    left = ActionExclusion.objects.filter(action=action, taken_in_at__isnull=True).values_list("login", "kind")
    assert dict(left) == {plain[0].login: "chosen", plain[1].login: "duty"}


def test_a_draft_needs_a_running_incident(room: Incident, asker: User) -> None:
    accounts = [make_affected(room)]
    Incident.objects.filter(pk=room.pk).update(status="closed")
    with pytest.raises(Exception, match="closed"):
        draft_action(
            incident_id=room.pk,
            draft=Draft(LOCK, "directory", "Why", [accounts[0].pk]),
            actor=actor_for(asker),
            at=timezone.now(),
        )
