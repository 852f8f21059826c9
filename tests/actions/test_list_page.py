"""The actions of an incident: newest first, how far each is, who asked and who decided."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action
from runbooks.actions.operations import break_glass
from runbooks.actions.queries.listing import PAGE, under_way
from runbooks.incidents.models import Incident
from tests.actions.acting import approved, confirmed, done, drafted, requested
from tests.factories import make_affected, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]
ClientOf = Callable[[User], Client]


@pytest.fixture
def room(asker: User, approver: User, auditor: User) -> Incident:
    return make_incident(lead=approver, members=(asker, auditor), is_exercise=True)


def text_of(client: Client, incident: Incident, query: str = "") -> str:
    response = client.get(reverse("actions", args=[incident.reference]) + query)
    assert response.status_code == 200
    return response.text


def drafts(incident: Incident, count: int) -> None:
    """Drafts as rows, numbered on from 1."""
    fields = {"kind": "lock_account", "connection": "directory", "reason": "x", "batch_size": 1}
    Action.objects.bulk_create(
        Action(
            incident=incident,
            number=number,
            stop_after_failures=1,
            needs_approval=True,
            drafted_by="x",
            drafted_at=timezone.now(),
            **fields,
        )
        for number in range(1, count + 1)
    )


def test_an_empty_list_says_where_to_begin(room: Incident, asker: User, auditor: User, client_of: ClientOf) -> None:
    page = text_of(client_of(asker), room)
    assert "No actions yet" in page
    assert "Choose accounts to act on" in page
    assert "Choose accounts to act on" not in text_of(client_of(auditor), room)


def test_each_action_tells_how_far_it_is_and_who_asked_and_approved(
    room: Incident, asker: User, approver: User, auditor: User, client_of: ClientOf
) -> None:
    accounts = [make_affected(room) for _ in range(3)]
    done(drafted(room, asker, accounts=accounts), asker, approver)
    requested(drafted(room, asker, accounts=accounts, kind="restrict_remote_access"), asker)
    page = text_of(client_of(auditor), room)
    assert page.index("Restrict remote access") < page.index("Disable sign-in")
    for said in ("3 of 3 done", "for 3 accounts", f"Asked for by {asker}", f"Approved by {approver}"):
        assert said in page


def test_what_one_person_began_is_flagged_until_it_is_reviewed(
    room: Incident, asker: User, approver: User, auditor: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, accounts=[make_affected(room)])
    break_glass(
        action_id=action.pk, reason="Now", confirmed=confirmed(approver), actor=actor_for(approver), at=timezone.now()
    )
    assert "Begun by one person, not reviewed" in text_of(client_of(auditor), room)
    action.decisions.create(
        kind="reviewed",
        digest="",
        requested_by=approver,
        decided_by=asker,
        decided_by_name="x",
        credential="password",
        at=timezone.now(),
    )
    assert "Begun by one person, not reviewed" not in text_of(client_of(auditor), room)


def test_it_is_read_page_by_page(room: Incident, auditor: User, client_of: ClientOf) -> None:
    drafts(room, PAGE + 2)
    client = client_of(auditor)
    first = text_of(client, room)
    assert first.count("<tr>") == PAGE + 1
    assert "?before=3" in first
    assert text_of(client, room, "?before=3").count("<tr>") == 2 + 1
    assert "No older actions" in text_of(client, room, "?before=1")
    text_of(client, room, "?before=nonsense")
    text_of(client, room, f"?before={10**18}")


def test_it_makes_the_same_queries_whatever_the_number_of_actions(
    room: Incident, auditor: User, client_of: ClientOf
) -> None:
    client = client_of(auditor)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            text_of(client, room)
        return len(captured)

    drafts(room, 1)
    queries()
    few = queries()
    Action.objects.all().delete()
    drafts(room, PAGE)
    assert queries() == few


def test_an_outsider_finds_nothing(room: Incident, outsider: User, client_of: ClientOf) -> None:
    assert client_of(outsider).get(reverse("actions", args=[room.reference])).status_code == 404


def test_what_runs_is_on_every_page_of_the_room_and_nowhere_else(
    room: Incident, asker: User, approver: User, auditor: User, client_of: ClientOf
) -> None:
    client = client_of(auditor)
    steps = reverse("steps", args=[room.reference])
    assert "job-strip" not in client.get(steps).text
    approved(requested(drafted(room, asker, accounts=[make_affected(room) for _ in range(3)]), asker), approver)
    page = client.get(steps).text
    assert "0 of 3 done, 3 waiting" in page
    assert "1 running" in page
    other = make_incident(lead=approver)
    assert under_way(other.pk).jobs == ()


def test_a_request_is_counted_in_the_tab(room: Incident, asker: User, auditor: User, client_of: ClientOf) -> None:
    requested(drafted(room, asker, accounts=[make_affected(room)]), asker)
    assert "1 waiting" in client_of(auditor).get(reverse("steps", args=[room.reference])).text
