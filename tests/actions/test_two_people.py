"""Two people, whatever somebody tries: the database is the last guard, and the administration has no way to write."""

from collections.abc import Callable

import pytest
from django.contrib import admin
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from runbooks.access.models import User
from runbooks.actions.models import Action, ActionAccount, ActionDecision, ActionExclusion, RestorationStage
from runbooks.incidents.models import Incident
from tests.actions.acting import drafted, requested
from tests.factories import make_affected, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]


@pytest.fixture
def room(asker: User, approver: User) -> Incident:
    return make_incident(lead=approver, members=(asker,), is_exercise=True)


@pytest.fixture
def action(room: Incident, asker: User) -> Action:
    return requested(drafted(room, asker, accounts=[make_affected(room)]), asker)


def forced(statement: str, *values: object) -> str:
    """Run against the tables as somebody with the database's password would; the constraint that refused it."""
    with pytest.raises(IntegrityError) as refusal, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
    return str(refusal.value)


def test_the_table_refuses_an_approval_by_who_asked(action: Action, asker: User) -> None:
    said = forced(
        "UPDATE runbooks_action SET approved_by_id = %s, authors = '{}', status = 'approved' WHERE id = %s",
        asker.pk, action.pk,
    )  # fmt: skip
    assert "action_approved_by_another" in said


def test_the_table_refuses_an_approval_of_what_nobody_asked_for(action: Action, approver: User) -> None:
    said = forced(
        "UPDATE runbooks_action SET approved_by_id = %s, requested_by_id = NULL, status = 'approved' WHERE id = %s",
        approver.pk, action.pk,
    )  # fmt: skip
    assert "action_approved_by_another" in said


def test_the_table_refuses_an_approval_by_an_author(action: Action, approver: User) -> None:
    said = forced(
        "UPDATE runbooks_action SET approved_by_id = %s, authors = authors || %s::bigint WHERE id = %s",
        approver.pk, approver.pk, action.pk,
    )  # fmt: skip
    assert "action_approved_by_no_author" in said


@pytest.mark.parametrize("status", ["approved", "running", "paused", "done", "done_with_failures", "rolled_back"])
def test_the_table_refuses_a_start_without_approval(action: Action, status: str) -> None:
    assert "action_begun_with_two" in forced("UPDATE runbooks_action SET status = %s WHERE id = %s", status, action.pk)


@pytest.mark.parametrize("kind", ["lock_account", "unlock_account", "restrict_remote_access", "restore_remote_access"])
def test_the_table_refuses_that_one_person_is_enough(action: Action, kind: str) -> None:
    said = forced("UPDATE runbooks_action SET needs_approval = false, kind = %s WHERE id = %s", kind, action.pk)
    assert "action_needs_two_where_it_must" in said


def test_the_table_refuses_that_one_person_undoes(action: Action, room: Incident, asker: User) -> None:
    other = drafted(room, asker, "end_sessions", accounts=[make_affected(room)])
    said = forced("UPDATE runbooks_action SET undoes_id = %s WHERE id = %s", action.pk, other.pk)
    assert "action_needs_two_where_it_must" in said


def test_the_table_refuses_a_request_of_nobody(action: Action) -> None:
    said = forced("UPDATE runbooks_action SET requested_by_id = NULL WHERE id = %s", action.pk)
    assert "action_asked_by_somebody" in said


@pytest.mark.parametrize("kind", ["approved", "reviewed"])
def test_the_table_refuses_a_decision_on_ones_own_request(action: Action, asker: User, kind: str) -> None:
    insert = (
        "INSERT INTO runbooks_actiondecision (action_id, kind, digest, requested_by_id, decided_by_id,"
        " decided_by_name, credential, comment, at) VALUES (%s, %s, '', %s, %s, 'A', %s, '', %s)"
    )
    own = forced(insert, action.pk, kind, asker.pk, asker.pk, "password", timezone.now())
    assert "decision_by_another" in own
    of_nobody = forced(insert, action.pk, kind, None, asker.pk, "password", timezone.now())
    assert "decision_by_another" in of_nobody


@pytest.mark.parametrize("kind", ["approved", "reviewed", "break_glass"])
def test_the_table_refuses_a_decision_without_a_credential(
    action: Action, asker: User, approver: User, kind: str
) -> None:
    said = forced(
        "INSERT INTO runbooks_actiondecision (action_id, kind, digest, requested_by_id, decided_by_id,"
        " decided_by_name, credential, comment, at) VALUES (%s, %s, '', %s, %s, 'A', '', '', %s)",
        action.pk, kind, asker.pk, approver.pk, timezone.now(),
    )  # fmt: skip
    assert "decision_with_credential" in said


def test_the_administration_has_no_way_to_actions(administrator: User, client_of: Callable[[User], Client]) -> None:
    assert not {Action, ActionAccount, ActionDecision, ActionExclusion, RestorationStage} & set(admin.site._registry)
    client = client_of(administrator)
    for name in ("action", "actiondecision", "actionaccount"):
        assert client.get(f"/admin/runbooks/{name}/").status_code == 404
        assert client.post(f"/admin/runbooks/{name}/add/").status_code == 404
