"""A request and the decision on it, as operations: what it is bound to, and who may decide."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from runbooks.access.confirming import Confirmation, NotConfirmedError
from runbooks.access.models import Role, User
from runbooks.access.permissions import PORTAL, actor_for
from runbooks.actions.models import Action, ActionDecision
from runbooks.actions.operations import (
    Choice,
    ListChangedError,
    NotPreviewedError,
    OwnRequestError,
    WrongCountError,
    WrongStatusError,
    decide,
    exclude,
    request_approval,
)
from runbooks.actions.operations.deciding import expire
from runbooks.actions.operations.running import run
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.directory.models import Account, Protection
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from runbooks.timeline.models import TimelineEvent
from tests.actions.acting import approved, confirmed, drafted, requested
from tests.factories import add_member, make_account, make_affected, make_incident, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]
Decided = ActionDecision.Kind


@pytest.fixture
def room(asker: User, approver: User) -> Incident:
    return make_incident(lead=approver, members=(asker,), is_exercise=True)


@pytest.fixture
def accounts(room: Incident) -> list[AffectedAccount]:
    return [make_affected(room, tier="A", state="compromised") for _ in range(4)]


@pytest.fixture
def request_(room: Incident, accounts: list[AffectedAccount], asker: User) -> Action:
    return requested(drafted(room, asker, accounts=accounts), asker)


def decided(action: Action, by: User, *, sure: Confirmation | None = None, at: Any = None, **changes: Any) -> Action:
    fields = {"kind": Decided.APPROVED, "digest": action.digest, "typed_count": 4, **changes}
    at = at or timezone.now()
    decide(
        action_id=action.pk, choice=Choice(**fields), confirmed=sure or confirmed(by, at), actor=actor_for(by), at=at
    )
    action.refresh_from_db()
    return action


def kinds(action: Action) -> list[str]:
    return list(action.decisions.order_by("pk").values_list("kind", flat=True))


def test_a_request_stands_for_the_time_that_is_set_and_tells_who_may_decide(
    room: Incident, request_: Action, asker: User, approver: User, settings: Any
) -> None:
    assert request_.expires_at - request_.requested_at == timedelta(minutes=settings.APPROVAL_MINUTES)
    told = Notification.objects.filter(event="action.requested").values_list("recipient", flat=True)
    assert set(told) == {approver.pk}
    entry = TimelineEvent.objects.get(incident=room, kind="action.requested")
    assert entry.details["digest"] == request_.digest


def test_a_second_person_approves_and_it_is_on_record_what_and_with_what(
    room: Incident, request_: Action, asker: User, approver: User
) -> None:
    digest = request_.digest
    action = decided(request_, approver, comment="Go")
    assert (action.status, action.approved_by) == ("approved", approver)
    decision = action.decisions.get()
    assert (decision.digest, decision.credential, decision.comment) == (digest, "password", "Go")
    assert (decision.requested_by, decision.decided_by) == (asker, approver)
    details = TimelineEvent.objects.get(incident=room, kind="action.approved").details
    assert (details["digest"], details["accounts"], details["credential"]) == (digest, 4, "password")


def test_nobody_approves_their_own_request(room: Incident, accounts: list[AffectedAccount], approver: User) -> None:
    action = requested(drafted(room, approver, accounts=accounts), approver)
    with pytest.raises(OwnRequestError, match="so somebody else decides"):
        decided(action, approver)
    action.refresh_from_db()
    assert action.status == "awaiting_approval"


def test_nobody_approves_what_they_changed(
    room: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    action = drafted(room, asker, accounts=accounts)
    exclude(action_id=action.pk, logins=[accounts[0].login], reason="D", actor=actor_for(approver), at=timezone.now())
    Action.objects.update(previewed_at=timezone.now())
    action = requested(action, asker)
    with pytest.raises(OwnRequestError):
        decided(action, approver, typed_count=3, has_read_exclusions=True)


@pytest.mark.parametrize("role", [Role.RESPONDER, Role.DESK, Role.AUDITOR])
def test_only_a_coordinator_decides(room: Incident, request_: Action, role: Role) -> None:
    person = make_user(role)
    add_member(room, person)
    with pytest.raises(NotAllowedError):
        decided(request_, person)


def test_a_coordinator_of_another_incident_finds_nothing_to_decide(request_: Action, outsider: User) -> None:
    with pytest.raises(NotFoundError):
        decided(request_, outsider)


def test_the_portal_itself_approves_nothing(request_: Action) -> None:
    choice = Choice(Decided.APPROVED, request_.digest, 4, True)
    with pytest.raises(NotAllowedError):
        decide(action_id=request_.pk, choice=choice, actor=PORTAL, at=timezone.now())


@pytest.mark.parametrize("typed", [None, 0, 3, 5])
def test_the_number_must_be_that_of_the_list(request_: Action, approver: User, typed: int | None) -> None:
    with pytest.raises(WrongCountError):
        decided(request_, approver, typed_count=typed)


def test_exclusions_must_have_been_read(
    room: Incident, accounts: list[AffectedAccount], asker: User, approver: User
) -> None:
    glass = make_account()
    Protection.objects.create(account=glass, kind="duty", reason="Rota", added_by="A", added_at=timezone.now())
    action = requested(drafted(room, asker, accounts=[*accounts, make_affected(room, glass)]), asker)
    with pytest.raises(WrongCountError, match="Read the exclusions"):
        decided(action, approver)
    assert decided(action, approver, has_read_exclusions=True).status == "approved"


def test_the_credential_must_be_fresh_and_ones_own(request_: Action, asker: User, approver: User) -> None:
    at = timezone.now()
    stale = Confirmation(approver.pk, "password", at - timedelta(minutes=3))
    of_another = Confirmation(asker.pk, "password", at)
    for sure in (stale, of_another):
        with pytest.raises(NotConfirmedError):
            decided(request_, approver, sure=sure, at=at)
    with pytest.raises(NotConfirmedError):
        decide(
            action_id=request_.pk, choice=Choice(Decided.APPROVED, request_.digest, 4), actor=actor_for(approver), at=at
        )
    request_.refresh_from_db()
    assert request_.status == "awaiting_approval"


def test_a_page_of_an_earlier_request_approves_nothing(request_: Action, approver: User) -> None:
    with pytest.raises(ListChangedError, match="changed since you opened this page"):
        decided(request_, approver, digest="0" * 64)


def test_an_expired_request_is_void_and_says_so(
    room: Incident, request_: Action, asker: User, approver: User, settings: Any
) -> None:
    late = timezone.now() + timedelta(minutes=settings.APPROVAL_MINUTES, seconds=1)
    action = decided(request_, approver, at=late)
    assert (action.status, action.digest, action.approved_by, kinds(action)) == ("draft", "", None, ["void"])
    assert TimelineEvent.objects.filter(incident=room, kind="action.voided").count() == 1
    assert set(Notification.objects.filter(event="action.voided").values_list("recipient", flat=True)) == {asker.pk}


def test_a_request_nobody_decided_on_expires_by_itself(request_: Action, settings: Any) -> None:
    expire(action_id=request_.pk, at=timezone.now())
    request_.refresh_from_db()
    assert request_.status == "awaiting_approval"
    expire(action_id=request_.pk, at=timezone.now() + timedelta(minutes=settings.APPROVAL_MINUTES))
    request_.refresh_from_db()
    assert (request_.status, kinds(request_)) == ("draft", ["void"])


def test_a_list_that_changed_voids_the_request(room: Incident, asker: User, approver: User) -> None:
    for _ in range(4):
        make_account()
    harm = {"expected_harm": "None", "review_at": timezone.now() + timedelta(hours=4)}
    action = requested(drafted(room, asker, "restrict_remote_access", everyone=True, **harm), asker)
    make_account()
    action = decided(action, approver)
    assert (action.status, action.approved_by, kinds(action)) == ("draft", None, ["void"])
    assert "1 came or changed, 0 went or changed" in action.decisions.get().comment


def test_an_account_that_became_protected_voids_the_request(
    request_: Action, accounts: list[AffectedAccount], approver: User
) -> None:
    Protection.objects.create(
        account=accounts[0].account, kind="duty", reason="Rota", added_by="A", added_at=timezone.now()
    )
    assert decided(request_, approver).status == "draft"


def test_a_renamed_account_voids_the_request(request_: Action, accounts: list[AffectedAccount], approver: User) -> None:
    Account.objects.filter(pk=accounts[0].account_id).update(login="other@parliament.example")
    assert decided(request_, approver).status == "draft"


def test_a_parameter_changed_behind_the_request_starts_nothing(request_: Action, approver: User) -> None:
    """The digest is checked once more before the start: an approval covers what was approved, and no more."""
    action = approved(request_, approver)
    Action.objects.filter(pk=action.pk).update(reason="Something else")
    run(action_id=action.pk, clock=timezone.now, patience=lambda seconds: None)
    action.refresh_from_db()
    assert (action.status, action.approved_by, kinds(action)) == ("draft", None, ["approved", "void"])
    assert set(action.accounts.values_list("status", flat=True)) == {"waiting"}


def test_asking_for_a_change_goes_back_with_the_question(request_: Action, asker: User, approver: User) -> None:
    with pytest.raises(WrongCountError, match="what should be changed"):
        decided(request_, approver, kind=Decided.CHANGE_ASKED)
    action = decided(request_, approver, kind=Decided.CHANGE_ASKED, comment="Without the clerks?")
    assert (action.status, kinds(action)) == ("draft", ["change_asked"])
    told = Notification.objects.get(event="action.change_asked")
    assert told.recipient == asker
    assert "Without the clerks?" in told.body


def test_refusing_ends_it_with_a_reason(room: Incident, request_: Action, approver: User) -> None:
    with pytest.raises(WrongCountError, match="why you refuse"):
        decided(request_, approver, kind=Decided.REFUSED)
    action = decided(request_, approver, kind=Decided.REFUSED, comment="Too early")
    assert (action.status, kinds(action)) == ("cancelled", ["refused"])
    assert "refused. Too early" in TimelineEvent.objects.get(incident=room, kind="action.refused").summary
    with pytest.raises(WrongStatusError):
        decided(action, approver)


def test_a_request_needs_a_preview_a_list_and_one_that_is_of_now(
    room: Incident, accounts: list[AffectedAccount], asker: User
) -> None:
    action, who = drafted(room, asker, accounts=accounts), actor_for(asker)
    Account.objects.filter(pk=accounts[0].account_id).update(mail="new@parliament.example")
    with pytest.raises(ListChangedError, match="Make the list again"):
        request_approval(action_id=action.pk, actor=who, at=timezone.now())
    Action.objects.update(previewed_at=None)
    with pytest.raises(NotPreviewedError):
        request_approval(action_id=action.pk, actor=who, at=timezone.now())
    action.accounts.all().delete()
    Action.objects.update(previewed_at=timezone.now())
    with pytest.raises(ListChangedError, match="no account on the list"):
        request_approval(action_id=action.pk, actor=who, at=timezone.now())
