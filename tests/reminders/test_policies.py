"""Who decides whom an event calls, what they may decide, and what is kept of it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.notifications.events import events
from runbooks.notifications.models import Escalation, EscalationPolicy
from runbooks.notifications.operations.chains import chain_of
from runbooks.reminders.operations.policies import (
    BadPolicyError,
    NewPolicy,
    StalePolicyError,
    back_to_shipped,
    save_policy,
)
from runbooks.reminders.queries.policies import calling_events, policies, preview
from tests.factories import make_user
from tests.reminders.making import AT, COORDINATOR, HOUR, MINUTE, make_policy, make_room, put_on_call, start

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
EVENT = "action.paused"
ADDRESS = f"/escalation/{EVENT}/"


def wanted(*steps: tuple[str, int], **changes: Any) -> NewPolicy:
    fields: dict[str, Any] = {"severity_at_most": 4, "repeats": 1, "is_active": True, "note": "The night is long"}
    return NewPolicy(steps=steps or (("lead", 5), (COORDINATOR, 5)), **(fields | changes))


def save(user: User, policy: NewPolicy, version: int = 0, event: str = EVENT) -> EscalationPolicy:
    return save_policy(event=event, version=version, policy=policy, actor=actor_for(user), at=AT)


def test_a_new_version_counts_from_then_on_and_says_who_decided_and_why(administrator: User) -> None:
    kept = save(administrator, wanted(("lead", 5)))
    assert (kept.version, kept.edited_by, kept.note) == (1, administrator.name, "The night is long")
    chain = chain_of(events()[EVENT])
    assert chain is not None
    assert chain.steps == [{"to": "lead", "wait": 5}]
    assert save(administrator, wanted(("lead", 6)), 1).version == 2
    assert EscalationPolicy.objects.count() == 2


def test_a_chain_that_runs_goes_on_as_it_began(administrator: User) -> None:
    save(administrator, wanted(("lead", 5)))
    chain = start(make_room(make_user()), [])
    save(administrator, wanted((COORDINATOR, 99)), 1)
    assert Escalation.objects.get(pk=chain.pk).steps == [{"to": "lead", "wait": 5}]


def test_switched_off_nobody_is_called_and_back_to_shipped_is_as_shipped(administrator: User) -> None:
    save(administrator, wanted(is_active=False))
    assert chain_of(events()[EVENT]) is None
    where = {"event": EVENT, "version": 1, "actor": actor_for(administrator), "at": AT}
    back_to_shipped(**where, note="It was better")  # type: ignore[arg-type]
    assert chain_of(events()[EVENT]) == events()[EVENT].chain
    with pytest.raises(BadPolicyError, match="shipped already"):
        back_to_shipped(**(where | {"version": 2}), note="Again")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (wanted(note=" "), "note"),
        (wanted(note="x" * 301), "note"),
        (NewPolicy((), 4, 1, True, "Why"), "to_1"),
        (wanted(*[("lead", 5)] * 9), "to_1"),
        (wanted(("lead", 5), ("role:auditor", 5)), "to_2"),
        (wanted(("user:999999", 5)), "to_1"),
        (wanted(("rota:1; drop", 5)), "to_1"),
        (wanted(("lead", 0)), "wait_1"),
        (wanted(("lead", 1441)), "wait_1"),
        (wanted(repeats=6), "repeats"),
        (wanted(severity_at_most=0), "severity_at_most"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(policy: NewPolicy, field: str, administrator: User) -> None:
    with pytest.raises(BadPolicyError) as refused:
        save(administrator, policy)
    assert refused.value.field == field
    assert not EscalationPolicy.objects.exists()


def test_what_counts_already_is_no_new_version(administrator: User) -> None:
    save(administrator, wanted())
    with pytest.raises(BadPolicyError, match="Nothing is different"):
        save(administrator, wanted(), 1)


def test_a_form_from_before_somebody_elses_decision_is_refused(administrator: User) -> None:
    save(administrator, wanted(("lead", 5)))
    with pytest.raises(StalePolicyError):
        save(administrator, wanted(("lead", 6)), 0)


def test_an_event_that_calls_nobody_has_no_policy(administrator: User) -> None:
    for event in ("member.added", "nothing.known"):
        with pytest.raises(NotFoundError):
            save(administrator, wanted(), event=event)


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMINISTRATOR])
def test_nobody_but_administrators_decides(role: Role, client_of: ClientOf) -> None:
    user = make_user(role)
    with pytest.raises(NotAllowedError):
        save(user, wanted())
    may_look = role == Role.COORDINATOR
    for address in ("/escalation/", ADDRESS):
        assert client_of(user).get(address).status_code == (200 if may_look else 403)
    for address in (ADDRESS, f"{ADDRESS}back/"):
        assert client_of(user).post(address, {"version": 0}).status_code == 403
    assert not EscalationPolicy.objects.exists()


# Preview


def test_the_preview_names_whom_and_when_and_whom_no_way_reaches(administrator: User) -> None:
    amina, tom = make_user(name="Amina"), make_user(name="Tom", email="")
    night = put_on_call(make_user(Role.RESPONDER, name="Noor"), begins=AT + HOUR)
    room = make_room(amina, tom)
    chain = make_policy(("lead", 10), (COORDINATOR, 20), (f"rota:{night.pk}", 10), ("role:desk", 5))
    found = preview(chain, room, AT)  # type: ignore[arg-type]
    said = [(line.at - AT, line.whom, [(one.name, one.trouble) for one in line.people]) for line in found.lines]
    assert said == [
        (10 * MINUTE, "the lead", [("Amina", "")]),
        (30 * MINUTE, "role coordinator", [("Amina", ""), ("Tom", "no address on file")]),
        (40 * MINUTE, f"whoever is on call in {night}", []),
        (45 * MINUTE, "role service desk", []),
    ]
    assert [line.nobody for line in found.lines][2:] == [
        f"nobody is on call in {night}",
        "nobody in the incident has the role service desk",
    ]
    assert found.ends_at == AT + 55 * MINUTE


def test_the_preview_asks_who_is_on_call_when_they_would_be_called() -> None:
    night = put_on_call(make_user(Role.RESPONDER, name="Noor"), begins=AT + 5 * MINUTE)
    chain = make_policy((f"rota:{night.pk}", 10))
    (line,) = preview(chain, None, AT).lines  # type: ignore[arg-type]
    assert [one.name for one in line.people] == ["Noor"]


# Pages


def test_the_list_says_of_every_event_whom_it_calls(
    administrator: User, client_of: ClientOf, django_assert_num_queries: Any
) -> None:
    night = put_on_call(make_user(name="Noor"))
    make_policy((f"rota:{night.pk}", 15), (f"user:{administrator.pk}", 5), repeats=2)
    make_policy(("lead", 9), event="incident.declared", is_active=False)
    page = client_of(administrator).get("/escalation/").content.decode()
    for event in calling_events().values():
        assert event.says in page
    assert f"After 15 min on call: {night}, 5 min later {administrator}; all of it 2 more times" in page
    assert "Nobody: switched off" in page
    with django_assert_num_queries(1):
        policies()


def fields(**changes: Any) -> dict[str, Any]:
    given = {"version": 0, "severity_at_most": 3, "repeats": 2, "is_active": "on", "note": "Nights"}
    return given | {"to_1": "lead", "wait_1": 4, "to_2": COORDINATOR, "wait_2": 6} | changes


def test_an_administrator_saves_a_version_on_the_page(administrator: User, client_of: ClientOf) -> None:
    client = client_of(administrator)
    response = client.post(ADDRESS, fields(), follow=True)
    assert "Version 1 counts from now on" in response.content.decode()
    kept = EscalationPolicy.objects.get()
    assert kept.steps == [{"to": "lead", "wait": 4}, {"to": COORDINATOR, "wait": 6}]
    assert (kept.severity_at_most, kept.repeats, kept.is_active) == (3, 2, True)
    assert "Go back to as shipped" in response.content.decode()
    client.post(f"{ADDRESS}back/", {"back-version": 1, "back-note": "Enough"})
    assert EscalationPolicy.objects.filter(version=2, steps=[]).exists()


def test_a_row_in_the_middle_that_calls_nobody_further_is_left_out(administrator: User, client_of: ClientOf) -> None:
    client_of(administrator).post(ADDRESS, fields(to_1="", wait_1=7))
    assert EscalationPolicy.objects.get().steps == [{"to": COORDINATOR, "wait": 6}]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"wait_2": ""}, "Say how many minutes to wait before."),
        ({"wait_2": "0"}, "Ensure this value is greater than or equal to 1."),
        ({"to_2": "user:99999"}, "Select a valid choice."),
        ({"to_1": "", "to_2": ""}, "Choose who is called first."),
        ({"note": ""}, "This field is required."),
        ({"version": 7}, "Somebody else decided on this since you opened it."),
    ],
)
def test_a_bad_form_comes_back_with_what_was_typed_and_what_is_wrong(
    changes: dict[str, Any], said: str, administrator: User, client_of: ClientOf
) -> None:
    response = client_of(administrator).post(ADDRESS, fields(**changes))
    page = response.content.decode()
    assert response.status_code == 400
    assert said in page
    assert 'value="Nights"' in page or not fields(**changes)["note"]
    assert not EscalationPolicy.objects.exists()


def test_looking_shows_what_would_happen_and_saves_nothing(administrator: User, client_of: ClientOf) -> None:
    make_user(name="Cora", email="")
    response = client_of(administrator).post(ADDRESS, fields(look="1"))
    page = response.content.decode()
    assert response.status_code == 200
    assert "If this were saved and it happened now" in page
    assert "Cora" in page
    assert "no address on file" in page
    assert not EscalationPolicy.objects.exists()


def test_the_preview_is_for_an_incident_of_mine_and_of_nobody_elses(client_of: ClientOf) -> None:
    amina, other = make_user(name="Amina"), make_user(name="Olu")
    mine, theirs = make_room(amina, title="Mine heron"), make_room(other, title="Theirs crane")
    client = client_of(amina)
    page = client.get(ADDRESS, {"incident": mine.reference}).content.decode()
    assert "Mine heron" in page
    page = client.get(ADDRESS, {"incident": theirs.reference}).content.decode()
    assert "crane" not in page
    assert "whoever leads it" in page


def test_a_rota_that_ended_stands_in_the_form_until_it_is_changed(administrator: User, client_of: ClientOf) -> None:
    night = put_on_call(make_user())
    make_policy((f"rota:{night.pk}", 15))
    night.ended_at = AT
    night.save()
    page = client_of(administrator).get(ADDRESS).content.decode()
    assert "not there any more" in page
    assert f"on call: {night}, ended" in page
