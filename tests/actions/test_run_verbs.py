"""What the forms of an action that has begun do, and what they keep when they are refused."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations.running import run
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.actions.acting import Clock, approved, done, drafted, requested, statuses
from tests.factories import make_affected, make_incident

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


@pytest.fixture
def given_to_people(asker: User, approver: User, desk: User, auditor: User, settings: Any) -> Action:
    """Disabling the sign-in of four accounts is on a work list."""
    settings.CONNECTIONS = {"desk": {"connector": "manual", "who": "the service desk"}}
    room = make_incident(lead=approver, members=(asker, desk, auditor))
    accounts = [make_affected(room, state="compromised", tier="A") for _ in range(4)]
    action = approved(requested(drafted(room, asker, accounts=accounts, connection="desk"), asker), approver)
    clock = Clock()
    run(action_id=action.pk, clock=clock, patience=clock.sleep)
    action.refresh_from_db()
    return action


@pytest.fixture
def locked(asker: User, approver: User, steady: dict[str, object]) -> Action:
    room = make_incident(lead=approver, members=(asker,), is_exercise=True)
    accounts = [make_affected(room, state="compromised", tier="A") for _ in range(4)]
    return done(drafted(room, asker, accounts=accounts), asker, approver)


def post(client: Client, action: Action, verb: str, **given: Any) -> Any:
    return client.post(reverse("action_do", args=[action.incident.reference, action.number, verb]), given)


def rows(action: Action) -> list[int]:
    return list(ActionAccount.objects.filter(action=action).order_by("position").values_list("pk", flat=True))


def test_people_get_the_work_and_the_action_waits_for_them(given_to_people: Action) -> None:
    assert statuses(given_to_people) == {"pending": 4}
    assert given_to_people.status == Action.Status.RUNNING


def test_one_account_is_settled_with_its_evidence_and_time(
    given_to_people: Action, asker: User, client_of: ClientOf
) -> None:
    first = rows(given_to_people)[0]
    given = {"row": first, "status": "done", "evidence": "Seen locked in the console", "happened_at": ""}
    response = post(client_of(asker), given_to_people, "settle", **given)
    assert response.status_code == 302
    row = ActionAccount.objects.get(pk=first)
    assert (row.status, row.message, row.answered_by) == ("done", "Seen locked in the console", asker.name)
    affected = AffectedAccount.objects.get(pk=row.affected_account_id)
    assert affected.sign_in_disabled_at is not None
    assert statuses(given_to_people) == {"done": 1, "pending": 3}


def test_all_that_people_have_in_hand_is_settled_at_once_and_ends_the_action(
    given_to_people: Action, asker: User, client_of: ClientOf
) -> None:
    given = {"all_in_hand": "1", "status": "done", "evidence": "The desk's list, signed"}
    post(client_of(asker), given_to_people, "settle", **given)
    given_to_people.refresh_from_db()
    assert given_to_people.status == Action.Status.DONE
    assert statuses(given_to_people) == {"done": 4}


def test_a_time_is_read_in_the_zone_of_the_incident(given_to_people: Action, asker: User, client_of: ClientOf) -> None:
    Incident.objects.filter(pk=given_to_people.incident_id).update(time_zone="Asia/Tokyo")
    moment = timezone.now() - timedelta(hours=1)
    given_to_people.incident.refresh_from_db()
    local = moment.astimezone(given_to_people.incident.zone)
    given = {"row": rows(given_to_people)[0], "status": "done", "evidence": "Seen"}
    post(client_of(asker), given_to_people, "settle", **given, happened_at=f"{local:%Y-%m-%dT%H:%M}")
    affected = AffectedAccount.objects.get(sign_in_disabled_at__isnull=False)
    assert affected.sign_in_disabled_at is not None
    assert abs(affected.sign_in_disabled_at - moment) < timedelta(minutes=1)


def test_nothing_ticked_is_refused_and_what_was_typed_stays(
    given_to_people: Action, asker: User, client_of: ClientOf
) -> None:
    response = post(client_of(asker), given_to_people, "settle", status="done", evidence="Seen by the desk")
    assert response.status_code == 400
    assert "Tick the accounts that you settle" in response.text
    assert 'href="#settle-box"' in response.text
    assert 'href="?' not in response.text  # the address of the form is no page
    assert "Seen by the desk" in response.text
    assert statuses(given_to_people) == {"pending": 4}


def test_ticks_stay_when_the_evidence_is_missing(given_to_people: Action, asker: User, client_of: ClientOf) -> None:
    chosen = rows(given_to_people)[:2]
    response = post(client_of(asker), given_to_people, "settle", row=chosen, status="done", evidence="")
    assert response.status_code == 400
    assert response.text.count(" checked>") == 3  # two rows, and the result


def test_a_row_that_is_settled_already_is_not_settled_again(
    given_to_people: Action, asker: User, client_of: ClientOf
) -> None:
    given = {"row": rows(given_to_people)[0], "status": "done", "evidence": "Seen"}
    post(client_of(asker), given_to_people, "settle", **given)
    response = post(client_of(asker), given_to_people, "settle", **{**given, "status": "failed"})
    assert response.status_code >= 400
    assert "settled already" in response.text
    assert statuses(given_to_people) == {"done": 1, "pending": 3}


def test_rows_of_another_action_are_not_there(
    given_to_people: Action, locked: Action, asker: User, client_of: ClientOf
) -> None:
    given = {"row": rows(locked)[0], "status": "failed", "evidence": "x"}
    assert post(client_of(asker), given_to_people, "settle", **given).status_code == 404
    assert statuses(locked) == {"done": 4}


@pytest.mark.parametrize("verb", ["pause", "resume", "retry", "cancel", "rollback", "settle", "review"])
def test_auditors_and_the_desk_do_nothing(
    given_to_people: Action, auditor: User, desk: User, client_of: ClientOf, verb: str
) -> None:
    before = TimelineEvent.objects.count()
    for user in (auditor, desk):
        given = {"reason": "x", "all_accounts": "1", "all_in_hand": "1", "status": "done", "evidence": "x"}
        assert post(client_of(user), given_to_people, verb, **given).status_code in {400, 403}
    assert TimelineEvent.objects.count() == before


def test_a_rollback_is_a_draft_of_its_own_for_all_accounts(locked: Action, asker: User, client_of: ClientOf) -> None:
    response = post(client_of(asker), locked, "rollback", reason="It was the wrong list", all_accounts="1")
    draft = Action.objects.get(undoes=locked)
    assert response["Location"] == reverse("action", args=[locked.incident.reference, draft.number])
    assert draft.accounts.count() == 4
    assert draft.status == Action.Status.DRAFT


def test_a_rollback_takes_only_the_ticked_rows(locked: Action, asker: User, client_of: ClientOf) -> None:
    chosen = rows(locked)[1:3]
    post(client_of(asker), locked, "rollback", reason="Two were wrong", row=chosen)
    on_list = Action.objects.get(undoes=locked).accounts.values_list("account_id", flat=True)
    assert set(on_list) == set(ActionAccount.objects.filter(pk__in=chosen).values_list("account_id", flat=True))


def test_a_refused_rollback_of_some_does_not_offer_that_of_all_in_its_place(
    locked: Action, asker: User, client_of: ClientOf
) -> None:
    chosen = locked.accounts.order_by("position").values_list("pk", flat=True)[0]
    response = post(client_of(asker), locked, "rollback", reason="", row=[chosen])
    page = response.content.decode()
    assert response.status_code == 400
    assert 'id="rollback-some" open>' in page
    assert 'id="rollback-box">' in page
    assert page.count("Say why it is rolled back: the second person decides on it.") == 1


def test_a_rollback_of_nobody_is_refused(locked: Action, asker: User, client_of: ClientOf) -> None:
    response = post(client_of(asker), locked, "rollback", reason="Two were wrong")
    assert response.status_code == 400
    assert "Tick the accounts to put back" in response.text
    assert not Action.objects.filter(undoes=locked).exists()


def test_pausing_and_going_on_again(given_to_people: Action, asker: User, client_of: ClientOf) -> None:
    client = client_of(asker)
    post(client, given_to_people, "pause")
    given_to_people.refresh_from_db()
    assert given_to_people.status == Action.Status.PAUSED
    post(client, given_to_people, "resume")
    given_to_people.refresh_from_db()
    assert given_to_people.status == Action.Status.RUNNING
    response = post(client, given_to_people, "resume")
    assert response.status_code == 409
    assert "That was not done." in response.text


def test_cancelling_leaves_the_rest_alone(given_to_people: Action, asker: User, client_of: ClientOf) -> None:
    client = client_of(asker)
    post(client, given_to_people, "settle", row=rows(given_to_people)[0], status="done", evidence="Seen")
    post(client, given_to_people, "cancel")
    given_to_people.refresh_from_db()
    assert given_to_people.status == Action.Status.CANCELLED
    assert statuses(given_to_people) == {"done": 1, "skipped": 3}


def test_only_those_that_failed_are_tried_again(locked: Action, asker: User, client_of: ClientOf) -> None:
    ActionAccount.objects.filter(pk__in=rows(locked)[:2]).update(status="failed")
    Action.objects.filter(pk=locked.pk).update(status="done_with_failures")
    post(client_of(asker), locked, "retry")
    assert statuses(locked) == {"done": 2, "waiting": 2}
