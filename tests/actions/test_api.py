"""Deciding over the API goes by the rules of the page."""

import pytest
from django.test import Client
from django.urls import reverse

from runbooks.access.models import User
from runbooks.actions.models import Action, ActionDecision
from runbooks.incidents.models import Incident
from tests.actions.acting import drafted, requested
from tests.factories import PASSWORD, make_affected, make_incident, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]


@pytest.fixture
def incident(asker: User, approver: User) -> Incident:
    return make_incident(lead=approver, members=(asker,), is_exercise=True)


@pytest.fixture
def waiting(incident: Incident, asker: User) -> Action:
    return requested(drafted(incident, asker, accounts=[make_affected(incident, tier="A")]), asker)


def address(action: Action, name: str = "api_action_decisions") -> str:
    return reverse(name, args=[action.incident.reference, action.number])


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def body(action: Action, **changes: object) -> dict[str, object]:
    return {"decision": "approved", "digest": action.digest, "accounts": 1, "password": PASSWORD, **changes}


def post(user: User, action: Action, **changes: object) -> tuple[int, dict[str, object]]:
    response = signed_in(user).post(address(action), body(action, **changes), content_type="application/json")
    return response.status_code, response.json()


def test_a_second_person_approves(waiting: Action, approver: User) -> None:
    code, said = post(approver, waiting)
    assert (code, said["status"], said["approved_by"]) == (201, "approved", str(approver))


def test_nobody_approves_their_own_request(incident: Incident, approver: User) -> None:
    own = requested(drafted(incident, approver, accounts=[make_affected(incident, tier="A")]), approver)
    code, said = post(approver, own)
    assert code == 403
    assert "somebody else decides" in str(said["detail"])
    own.refresh_from_db()
    assert (own.status, own.approved_by) == (Action.Status.AWAITING_APPROVAL, None)


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"password": "guess"}, 403, "not your password"),
        ({"password": ""}, 403, "own password"),
        ({"accounts": 2}, 400, "not the number"),
        ({"digest": "0" * 64}, 409, "changed since"),
        ({"digest": "short"}, 400, "cannot be taken"),
        ({"decision": "break_glass"}, 400, "cannot be taken"),
        ({"decision": "refused"}, 400, "why you refuse"),
    ],
)
def test_what_the_page_refuses_is_refused(
    waiting: Action, approver: User, changes: dict[str, object], code: int, said: str
) -> None:
    answered, problem = post(approver, waiting, **changes)
    assert answered == code
    assert said in str(problem["detail"])
    assert not ActionDecision.objects.filter(action=waiting).exists()


def test_a_responder_does_not_decide_and_an_outsider_sees_nothing(waiting: Action, asker: User) -> None:
    assert post(asker, waiting)[0] == 403
    outsider = signed_in(make_user())
    for name in ("api_action", "api_action_decisions"):
        assert outsider.get(address(waiting, name)).status_code in {404, 405}
    assert post(make_user(), waiting)[0] == 404
    assert Client().get(address(waiting, "api_action")).status_code == 403


def test_a_request_of_another_site_is_refused(waiting: Action, approver: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(approver)
    response = client.post(address(waiting), body(waiting), content_type="application/json")
    assert response.status_code == 403
    waiting.refresh_from_db()
    assert waiting.status == Action.Status.AWAITING_APPROVAL


def test_the_list_and_one_action_say_how_far_it_is(waiting: Action, asker: User) -> None:
    client = signed_in(asker)
    one = client.get(address(waiting, "api_action")).json()
    assert (one["number"], one["status"], one["accounts"]) == (1, "awaiting_approval", {"waiting": 1})
    listed = client.get(reverse("api_actions", args=[waiting.incident.reference])).json()
    assert [row["number"] for row in listed["results"]] == [1]
