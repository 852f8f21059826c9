"""Who cannot be reached: found out before the incident."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runbooks.access.models import Role, User
from runbooks.incidents.models import Incident
from runbooks.notifications.reachability import Trouble, reach_page, unreachable_count, unreachable_members
from tests.contacts.people import make_point
from tests.factories import add_member, make_user

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
AT = datetime(2026, 6, 23, 8, 7, tzinfo=UTC)
PAGE = "/reachability/"


def trouble_of(user: User) -> tuple[Trouble, str] | None:
    page = reach_page(trouble="", role="", text=user.name, after=None)
    found = next((one for one in page.people if one.user_id == user.pk), None)
    return (found.trouble, found.why) if found else None


def test_one_way_that_works_is_enough(responder: User) -> None:
    make_point(responder, "email", failing_since=AT)
    make_point(responder, "email", "in@parliament.example")
    make_point(responder, "email", "good@elsewhere.example")
    assert trouble_of(responder) is None


def test_an_address_that_only_an_administrator_entered_is_not_verified(responder: User) -> None:
    found = trouble_of(responder)
    assert found == (Trouble.UNVERIFIED, f"Only {responder.email}, as an administrator entered it.")


def test_a_code_never_typed_in_is_said(responder: User) -> None:
    make_point(responder, "email", verified_at=None)
    found = trouble_of(responder)
    assert found is not None
    assert found[0] == Trouble.UNVERIFIED
    assert "its code never typed in" in found[1]


def test_who_has_nothing_has_no_way_at_all() -> None:
    user = make_user(email="")
    make_point(user, "email", ended_at=AT)
    assert trouble_of(user) == (Trouble.NOTHING, "No contact point, and no address on file.")


def test_who_is_reached_only_inside_the_institution_is_not_reached() -> None:
    assert trouble_of(make_user(email="me@parliament.example")) == (
        Trouble.INSIDE,
        "Only me@parliament.example: inside the affected system.",
    )
    user = make_user()
    make_point(user, "email", "me@mail.parliament.example")
    found = trouble_of(user)
    assert found is not None
    assert found[0] == Trouble.INSIDE


def test_whose_every_way_failed_last_is_not_reached(responder: User) -> None:
    make_point(responder, "email", "a@b.example", failing_since=AT, failed_because="The mailbox is gone.")
    assert trouble_of(responder) == (Trouble.FAILING, "E-mail a@b.example: The mailbox is gone.")


def test_ways_that_fail_for_several_reasons_are_all_said(responder: User) -> None:
    make_point(responder, "email", "a@b.example", failing_since=AT, failed_because="The mailbox is gone.")
    make_point(responder, "email", "c@parliament.example")
    found = trouble_of(responder)
    assert found is not None
    assert found[0] == Trouble.MIXED
    assert "The mailbox is gone" in found[1]
    assert "inside the affected system" in found[1]


def test_a_channel_that_is_not_set_up_is_no_way(responder: User) -> None:
    make_point(responder, "pigeon", "loft")
    found = trouble_of(responder)
    assert found is not None
    assert found[0] == Trouble.NOT_SET_UP
    assert "loft" not in found[1]


def test_who_may_not_sign_in_is_not_counted() -> None:
    make_user(is_active=False, email="")
    assert unreachable_count() == 0


# Of one incident


def test_the_incident_says_itself_what_is_not_to_be_trusted(incident: Incident, responder: User) -> None:
    for user in User.objects.all():
        make_point(user, "email", f"{user.username}@chat.example")
    assert unreachable_members(incident) == []
    incident.untrusted_domains = ["chat.example"]
    found = unreachable_members(incident)
    assert responder.pk in {one.user_id for one in found}
    assert {one.trouble for one in found} == {Trouble.INSIDE}


def test_only_who_works_in_the_incident_is_asked_about(incident: Incident, outsider: User, auditor: User) -> None:
    found = {one.user_id for one in unreachable_members(incident)}
    assert outsider.pk not in found
    assert auditor.pk not in found
    assert incident.lead_id in found


def test_members_who_left_are_not_asked_about(incident: Incident, responder: User) -> None:
    incident.memberships.filter(user=responder).update(ended_at=AT)
    assert responder.pk not in {one.user_id for one in unreachable_members(incident)}


@pytest.mark.parametrize("members", [0, 30])
def test_asking_costs_one_query(members: int, incident: Incident) -> None:
    for _ in range(members):
        user = make_user()
        add_member(incident, user)
        make_point(user, "email", f"{user.username}@elsewhere.example", failing_since=AT)
    with CaptureQueriesContext(connection) as queries:
        unreachable_members(incident)
    assert len(queries) == 1


# The page


def test_the_page_says_who_and_why_with_a_telephone(coordinator: User, client_of: ClientOf) -> None:
    make_user(name="Dewi Llwyd", email="", telephone="020 7946 0018")
    text = client_of(coordinator).get(PAGE).text
    assert "Dewi Llwyd" in text
    assert "No contact point, and no address on file." in text
    assert "020 7946 0018" in text


@pytest.mark.parametrize("role", [Role.RESPONDER, Role.DESK, Role.COMMUNICATIONS, Role.AUDITOR])
def test_only_coordinators_and_administrators_see_it(role: Role, client_of: ClientOf) -> None:
    client = client_of(make_user(role))
    assert client.get(PAGE).status_code == 403
    assert PAGE not in client.get("/incidents/").text
    assert "cannot be reached" not in client.get("/incidents/").text


def test_an_administrator_sees_it_and_the_start_page_counts(administrator: User, client_of: ClientOf) -> None:
    client = client_of(administrator)
    assert client.get(PAGE).status_code == 200
    assert "1 person cannot be reached for sure." in client.get("/incidents/").text
    make_point(administrator, "email")
    assert "cannot be reached for sure" not in client.get("/incidents/").text
    assert "Everybody has a way that works" in client.get(PAGE).text


def test_filters_narrow_and_nonsense_in_them_counts_as_not_asked(coordinator: User, client_of: ClientOf) -> None:
    make_user(Role.DESK, name="Dewi Llwyd", email="")
    make_user(Role.RESPONDER, name="Nerys Puw")
    client = client_of(coordinator)

    def names(query: str) -> set[str]:
        return {line["one"].name for line in client.get(f"{PAGE}?{query}").context["lines"]}

    assert names("trouble=nothing") == {"Dewi Llwyd"}
    assert names("role=desk") == {"Dewi Llwyd"}
    assert names("q=nerys") == {"Nerys Puw"}
    assert names("q=nobody-is-called-this") == set()
    assert names("trouble=x&role=y&after=z") == {"Dewi Llwyd", "Nerys Puw", coordinator.name}


def test_pages_follow_each_other_and_nobody_stands_on_two(coordinator: User, client_of: ClientOf) -> None:
    for number in range(110):
        make_user(name=f"Person {number:03d}")
    client, after, seen = client_of(coordinator), "", []
    for _ in range(3):
        found = client.get(PAGE, {"after": after} if after else {}).context["found"]
        seen += [one.user_id for one in found.people]
        after = str(found.after or "")
    assert after == ""
    assert len(seen) == len(set(seen)) == 111


@pytest.mark.parametrize("people", [1, 60])
def test_queries_of_the_page_do_not_grow(people: int, coordinator: User, client_of: ClientOf) -> None:
    for _ in range(people):
        make_point(make_user(), "email", failing_since=AT)
    client = client_of(coordinator)
    client.get(PAGE)
    with CaptureQueriesContext(connection) as queries:
        client.get(PAGE)
    assert len(queries) == 3


# In the room


def test_the_room_says_who_cannot_be_reached(incident: Incident, coordinator: User, client_of: ClientOf) -> None:
    dewi = make_user(Role.RESPONDER, name="Dewi Llwyd", email="")
    add_member(incident, dewi)
    for user in User.objects.exclude(pk=dewi.pk):
        make_point(user, "email")
    client = client_of(coordinator)
    text = client.get(reverse("incident", args=[incident.reference])).text
    assert "1 person in this incident cannot be reached" in text
    assert "Dewi Llwyd" in text
    people = client.get(reverse("incident_people", args=[incident.reference])).text
    assert "No contact point, and no address on file." in people


def test_responders_are_not_asked_to_mend_it(incident: Incident, responder: User, client_of: ClientOf) -> None:
    assert "cannot be reached" not in client_of(responder).get(reverse("incident", args=[incident.reference])).text
