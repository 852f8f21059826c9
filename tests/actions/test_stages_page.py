"""The page of the way back: its table, its plan, drafting the next stage."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.actions.models import Action, RestorationStage
from runbooks.actions.operations import StagePlan
from runbooks.affected_accounts.models import State
from runbooks.directory.models import Account
from runbooks.incidents.models import Incident
from tests.actions.acting import RESTRICT, done, drafted, previewed
from tests.actions.test_stages import REST, for_everyone, planned, set_state, stage_draft
from tests.factories import make_account, make_affected, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]
ClientOf = Callable[[User], Client]
NAMED = RestorationStage.Selector.NAMED


@pytest.fixture
def room(asker: User, approver: User, auditor: User) -> Incident:
    for _ in range(4):
        make_account(department="Library")
    return make_incident(lead=approver, members=(asker, auditor), is_exercise=True)


@pytest.fixture
def people(room: Incident) -> list[Account]:
    return list(Account.objects.order_by("login"))


def address(action: Action, rest: str = "") -> str:
    return reverse("action_stages", args=[action.incident.reference, action.number]) + rest


def typed(*stages: dict[str, object], **more: object) -> dict[str, object]:
    """What the plan's form posts."""
    given: dict[str, object] = {"stage-TOTAL_FORMS": len(stages), "stage-INITIAL_FORMS": len(stages), **more}
    for number, stage in enumerate(stages):
        given |= {f"stage-{number}-{name}": value for name, value in {"selector": "rest", **stage}.items()}
    return given


def test_a_fresh_lock_down_shows_its_plan_and_drafts_nothing_yet(
    room: Incident, asker: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, RESTRICT, **for_everyone())
    page = client_of(asker).get(address(action)).text
    assert "The lock-down has not begun. 4 accounts will come back by this plan." in page
    assert "nobody named yet" in page
    assert "Save the plan" in page
    assert "Draft stage" not in page


def test_the_plan_is_saved_in_the_order_of_its_places_without_what_has_no_title(
    room: Incident, people: list[Account], asker: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, RESTRICT, **for_everyone())
    when = (timezone.now() + timedelta(days=1)).replace(second=0, microsecond=0)
    written = f"{when.astimezone(room.zone):%Y-%m-%dT%H:%M}"
    given = typed(
        {"title": "Everybody left", "place": 9},
        {"title": "", "selector": "named", "names": "nobody"},
        {
            "title": "Pilot",
            "place": 1,
            "selector": "named",
            "names": f"{people[0].login}\r\n\r\n{people[1].login}",
            "size": 25,
            "planned_at": written,
            "stop_after": 2,
        },
        version=action.version,
    )
    response = client_of(asker).post(address(action), given)
    assert response.status_code == 302
    stages = action.stages.order_by("position").values_list("title", "names", "size", "planned_at", "stop_after")
    assert list(stages) == [
        ("Pilot", [people[0].login, people[1].login], 25, when, 2),
        ("Everybody left", [], None, None, 0),
    ]


def test_a_plan_that_is_refused_keeps_what_was_typed_and_says_why(
    room: Incident, asker: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, RESTRICT, **for_everyone())
    client = client_of(asker)
    stranger = typed({"title": "Pilot", "selector": "named", "names": "nobody@else.example"}, {"title": "Rest"})
    response = client.post(address(action), stranger)
    assert response.status_code == 400
    assert "Not in this lock-down: nobody@else.example." in response.text
    assert ">nobody@else.example</textarea>" in response.text.replace("\n", "")
    response = client.post(address(action), typed({"title": "Rest", "planned_at": "soon"}))
    assert (response.status_code, "Write date and time as" in response.text) == (400, True)
    response = client.post(address(action), typed({"title": "Rest"}, version=action.version - 1))
    assert (response.status_code, "Somebody else changed action" in response.text) == (409, True)


def test_the_next_stage_is_drafted_from_the_page_and_the_rest_waits(
    room: Incident, people: list[Account], asker: User, approver: User, client_of: ClientOf
) -> None:
    make_affected(room, people[1], state=State.COMPROMISED, tier="A")
    action = drafted(room, asker, RESTRICT, **for_everyone())
    planned(action, asker, StagePlan("Pilot", NAMED, [people[0].login, people[1].login]), REST)
    action = done(action, asker, approver)
    client = client_of(asker)
    page = client.get(address(action)).text
    assert "Draft stage 1 for 1 account" in page
    assert "Confirmed, not yet cleared: 1 account" in page
    assert "Waits for stage 1, “Pilot”, to run." in page
    assert "Draft stage 2" not in page
    refused = client.post(address(action, "1/draft/"), {"reason": " "})
    assert (refused.status_code, "This field is required" in refused.text) == (400, True)
    refused = client.post(address(action, "2/draft/"), {"reason": "Too early"})
    assert (refused.status_code, "Too early</textarea>" in refused.text) == (409, True)
    response = client.post(address(action, "1/draft/"), {"reason": "Quiet since noon"})
    back = Action.objects.get(undoes=action)
    assert response["Location"] == reverse("action", args=[room.reference, back.number])
    assert back.reason == "Quiet since noon"
    done(previewed(back), asker, approver)
    page = client.get(address(action)).text
    assert "1 of 4 accounts given back, 1 held back by the gate." in page
    assert "The plan stands" in page


def test_a_stopped_way_back_says_the_numbers_and_goes_on_by_a_reason(
    room: Incident, people: list[Account], asker: User, approver: User, client_of: ClientOf
) -> None:
    row = make_affected(room, people[0], state=State.RESTORED, tier="A")
    action = drafted(room, asker, RESTRICT, **for_everyone())
    pilot, _ = planned(action, asker, StagePlan("Pilot", NAMED, [row.login]), REST)
    action = done(action, asker, approver)
    done(stage_draft(pilot, asker), asker, approver)
    set_state(row, State.COMPROMISED, asker)
    client = client_of(asker)
    page = client.get(address(action)).text
    assert "The way back is stopped." in page
    assert "Stopped: 1 account of earlier stages was seen harmed since, 0 allowed after “Pilot”." in page
    refused = client.post(address(action, "1/stop-rule/"), {"stop_after": "1", "reason": ""})
    assert refused.status_code == 400
    assert (
        client.post(address(action, "1/stop-rule/"), {"stop_after": "1", "reason": "A known phone"}).status_code == 302
    )
    assert "Draft stage 2 for 3 accounts" in client.get(address(action)).text


def test_only_a_lock_down_has_a_way_back_in_stages(
    room: Incident, people: list[Account], asker: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, RESTRICT, [make_affected(room, people[0])])
    client = client_of(asker)
    assert client.get(address(action)).status_code == 404
    assert client.post(address(action, "1/draft/"), {"reason": "x"}).status_code == 404


def test_readers_see_and_outsiders_find_nothing(
    room: Incident, asker: User, auditor: User, outsider: User, client_of: ClientOf
) -> None:
    action = drafted(room, asker, RESTRICT, **for_everyone())
    before = action.stages.count()
    page = client_of(auditor).get(address(action)).text
    assert "Your role reads the way back and does not change it." in page
    assert "Save the plan" not in page
    for user, expected in ((auditor, 403), (outsider, 404)):
        client = client_of(user)
        assert client.post(address(action), typed({"title": "Rest"})).status_code == expected
        assert client.post(address(action, "1/draft/"), {"reason": "x"}).status_code == expected
        assert client.post(address(action, "1/stop-rule/"), {"stop_after": 1, "reason": "x"}).status_code == expected
    assert client_of(outsider).get(address(action)).status_code == 404
    assert action.stages.count() == before


def test_a_stage_number_that_is_none_is_refused(room: Incident, asker: User, client_of: ClientOf) -> None:
    action = drafted(room, asker, RESTRICT, **for_everyone())
    for position in (0, 9, 10**20):
        assert client_of(asker).post(address(action, f"{position}/draft/"), {"reason": "x"}).status_code == 404


def test_queries_do_not_grow_with_accounts(
    room: Incident, asker: User, approver: User, client_of: ClientOf, django_assert_max_num_queries: Any
) -> None:
    action = done(drafted(room, asker, RESTRICT, **for_everyone()), asker, approver)
    client = client_of(asker)
    client.get(address(action))
    with django_assert_max_num_queries(17) as few:
        client.get(address(action))
    for _ in range(30):
        make_account()
    more = done(drafted(room, asker, RESTRICT, **for_everyone()), asker, approver)
    client.get(address(more))
    with django_assert_max_num_queries(17) as many:
        client.get(address(more))
    assert len(few) == len(many)
