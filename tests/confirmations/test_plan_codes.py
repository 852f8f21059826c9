"""Which channel each holder's code goes by, as the directory has them."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.confirmations.models import Confirmation
from runbooks.confirmations.operations import Order, issue_codes
from runbooks.confirmations.operations.ordering import TextTo, order_texts
from runbooks.confirmations.queries.planning import Plan, plan_codes
from runbooks.incidents.models import Incident
from tests.confirmations.conftest import Texts
from tests.confirmations.holders import days_ago, make_holder

pytestmark = pytest.mark.django_db


def plan(*rows: AffectedAccount, **changes: Any) -> list[Plan]:
    return plan_codes(
        incident_id=rows[0].incident_id, affected_ids=[row.pk for row in rows], at=timezone.now(), **changes
    )


def test_a_mobile_comes_first(incident: Incident, texts: Texts) -> None:
    (found,) = plan(make_holder(incident))
    assert (found.channel, found.address, found.is_fresh, found.why) == ("text", "+447700900123", False, "")


def test_without_a_gateway_a_letter_goes(incident: Incident) -> None:
    (found,) = plan(make_holder(incident))
    assert (found.channel, found.address) == ("letter", "Room 412, Library")


def test_letters_may_be_wanted_of_all(incident: Incident, texts: Texts) -> None:
    (found,) = plan(make_holder(incident), letters_only=True)
    assert found.channel == "letter"


def test_every_way_that_is_open_is_there_the_best_first(incident: Incident, texts: Texts) -> None:
    (found,) = plan(make_holder(incident))
    assert [(way.channel, way.address) for way in found.ways] == [
        ("text", "+447700900123"),
        ("letter", "Room 412, Library"),
    ]


def test_where_letters_are_wanted_a_text_is_still_open_but_not_chosen(incident: Incident, texts: Texts) -> None:
    (found,) = plan(make_holder(incident, on_file={"office": "", "department": ""}), letters_only=True)
    assert (found.channel, [way.channel for way in found.ways]) == ("", ["text"])
    assert found.why == "No office or department on file."


@pytest.mark.parametrize(
    ("mobile", "why"),
    [
        ("", "No mobile number on file."),
        ("020 7946 0000", "no mobile number"),
        ("ask reception", "not written in digits"),
    ],
)
def test_a_number_that_takes_no_texts_makes_it_a_letter(
    incident: Incident, texts: Texts, mobile: str, why: str
) -> None:
    (found,) = plan(make_holder(incident, on_file={"mobile": mobile}))
    assert found.channel == "letter"
    assert why in found.why


def test_where_only_mailboxes_are_on_file_nothing_is_sent(incident: Incident, texts: Texts) -> None:
    on_file = {"mobile": "", "office": "", "department": "", "alternate_mail": "me@elsewhere.example"}
    (found,) = plan(make_holder(incident, on_file=on_file))
    assert (found.channel, found.address) == ("", "")
    assert "the desk calls" in found.why


def test_an_office_that_is_a_mailbox_is_no_office(incident: Incident) -> None:
    (found,) = plan(make_holder(incident, on_file={"office": "me@parliament.example", "department": ""}))
    assert found.channel == ""


@pytest.mark.parametrize(("days", "is_fresh"), [(12, True), (29.9, True), (30.1, False)])
def test_what_changed_in_the_last_month_is_looked_at_twice(
    incident: Incident, texts: Texts, days: float, is_fresh: bool
) -> None:
    (found,) = plan(make_holder(incident, on_file={"contact_changed_at": days_ago(days)}))
    assert found.is_fresh is is_fresh
    assert found.channel == "text"
    assert ("changed" in found.why) is is_fresh


@pytest.mark.parametrize("state", [State.FALSE_POSITIVE, State.TARGETED, State.LEFT, State.CLOSED])
def test_nothing_is_asked_of_holders_who_are_not_affected_or_gone(
    incident: Incident, texts: Texts, state: State
) -> None:
    (found,) = plan(make_holder(incident, state=state))
    assert found.channel == ""
    assert "nothing is asked" in found.why


def test_nor_of_those_who_confirmed_nor_of_shared_mailboxes(incident: Incident, texts: Texts) -> None:
    confirmed = make_holder(incident, holder_confirmed_at=timezone.now())
    shared = make_holder(incident, on_file={"kind": "shared"})
    assert [found.channel for found in plan(confirmed, shared)] == ["", ""]


def test_a_code_there_is_and_a_text_on_its_way_are_said(incident: Incident, coordinator: User, texts: Texts) -> None:
    first, second = make_holder(incident), make_holder(incident)
    actor, at = actor_for(coordinator), timezone.now()
    issue_codes(incident_id=incident.pk, orders=[Order(first.pk, "letter", "Room 412")], actor=actor, at=at)
    order_texts(
        incident_id=incident.pk, texts=[TextTo(second.pk, "+447700900123", "the directory")], actor=actor, at=at
    )
    by_id = {found.affected_id: found for found in plan(first, second)}
    assert "the new one replaces it" in by_id[first.pk].why
    assert by_id[second.pk].channel == ""
    assert "on its way" in by_id[second.pk].why


def answered(row: AffectedAccount, who: User, language: str, days: float, answer: str = "not_me") -> None:
    """The holder said something in a language, some days ago."""
    at = days_ago(days)
    (one,) = issue_codes(
        incident_id=row.incident_id, orders=[Order(row.pk, "letter", "Room 412")], actor=actor_for(who), at=at
    )
    Confirmation.objects.create(
        incident=row.incident, affected_account=row, code_id=one.code_id, receipt=f"R-{one.code_id}", answer=answer,
        language=language, answered_at=at, truth="not_asked",
    )  # fmt: skip


def test_nobody_knows_a_holders_language_better_than_the_holder(
    incident: Incident, coordinator: User, settings: Settings
) -> None:
    row = make_holder(incident, on_file={"language": "en-gb"})
    answered(row, coordinator, "en-gb", days=3)
    answered(row, coordinator, "cy", days=1)
    answered(row, coordinator, "en-gb", days=2)
    settings.HOLDER_LANGUAGE = "en-gb"
    assert plan(row)[0].language == "cy"


@pytest.mark.parametrize(
    ("on_file", "setting", "language"),
    [("cy", "en-gb", "cy"), ("en-gb", "cy", "en-gb"), ("", "cy", "cy"), ("", "en-gb", "en-gb"), ("fr", "cy", "cy")],
)
def test_without_an_answer_the_directory_says_it_else_the_institution(
    incident: Incident, settings: Settings, on_file: str, setting: str, language: str
) -> None:
    settings.HOLDER_LANGUAGE = setting
    assert plan(make_holder(incident, on_file={"language": on_file}))[0].language == language


def test_accounts_of_other_incidents_are_not_planned(incident: Incident) -> None:
    row = make_holder(incident)
    stranger = incident.pk.__class__(int=incident.pk.int ^ 1)
    assert plan_codes(incident_id=stranger, affected_ids=[row.pk], at=timezone.now() + timedelta()) == []


@pytest.mark.parametrize("holders", [1, 90])
def test_the_queries_do_not_grow(
    incident: Incident, texts: Texts, holders: int, django_assert_num_queries: Any
) -> None:
    rows = [make_holder(incident) for _ in range(holders)]
    with django_assert_num_queries(4):
        assert len(plan(*rows)) == holders
