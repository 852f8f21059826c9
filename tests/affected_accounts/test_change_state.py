"""Moving accounts from state to state; the table itself is tested in test_transitions.py."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount, State, StateChange, Tier
from runbooks.affected_accounts.operations import Outcome, change_state
from runbooks.affected_accounts.operations.selection import CannotChangeAccountsError
from runbooks.affected_accounts.transitions import CONTAINMENT
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import IncidentOverError, StaleFormError
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.operations import now
from runbooks.timeline.verify import verify_chain
from tests.affected_accounts.many import affected_of, holding
from tests.factories import make_affected, make_incident

pytestmark = pytest.mark.django_db


def move(incident: Incident, user: User, rows: list[AffectedAccount], after: State, reason: str = "") -> Outcome:
    return change_state(
        incident_id=incident.pk,
        account_ids=[row.pk for row in rows],
        after=after,
        reason=reason,
        actor=actor_for(user),
        at=now(),
    )


def test_those_that_pass_are_moved_and_the_others_are_named_with_the_reason(
    incident: Incident, responder: User
) -> None:
    facts = holding(*CONTAINMENT, at=incident.declared_at)
    ready = affected_of(incident, 3, state=State.COMPROMISED, stem="ready", **facts)
    lacking = affected_of(incident, 2, state=State.COMPROMISED, stem="lacking", **{**facts, "rules_checked_at": None})
    outcome = move(incident, responder, [*ready, *lacking], State.CONTAINED)
    assert outcome.changed == 3
    (refusal,) = outcome.refused
    assert refusal.logins == tuple(row.login for row in lacking)
    assert refusal.reason == "Before “Contained” record: mailbox rules checked."
    assert AffectedAccount.objects.filter(incident=incident, state=State.CONTAINED).count() == 3
    assert AffectedAccount.objects.filter(pk__in=[row.pk for row in lacking], state=State.COMPROMISED).count() == 2


def test_where_none_passes_it_is_refused_and_nothing_is_written(incident: Incident, responder: User) -> None:
    rows = affected_of(incident, 2, state=State.COMPROMISED)
    with pytest.raises(CannotChangeAccountsError, match=r"2 accounts left as before .* sign-in disabled"):
        move(incident, responder, rows, State.CONTAINED)
    assert not StateChange.objects.exists()
    assert not TimelineEvent.objects.filter(incident=incident).exists()


def test_many_changes_are_one_line_of_the_timeline_with_an_entry_each_folded_under_it(
    incident: Incident, responder: User
) -> None:
    rows = affected_of(incident, 4, state=State.WATCHED)
    outcome = move(incident, responder, rows, State.CLOSED)
    head, *each = TimelineEvent.objects.filter(incident=incident).order_by("sequence")
    assert head.summary == outcome.said == "4 accounts are now “Closed”, were “Watched”"
    assert {event.burst for event in (head, *each)} == {head.sequence}
    assert sorted(event.account_ids[0] for event in each) == sorted(row.pk for row in rows)
    assert head.account_ids == []
    assert verify_chain(incident.pk).broken_at is None


def test_a_single_change_is_a_single_entry_that_names_before_and_after(incident: Incident, responder: User) -> None:
    row = make_affected(incident, state=State.RESTORED, tier=Tier.A)
    move(incident, responder, [row], State.SUSPECTED, "New forwarding rule")
    event = TimelineEvent.objects.get(incident=incident)
    assert event.summary == f"{row.login} reopened as “Suspected”, was “Restored”: New forwarding rule"
    assert (event.details["before"], event.details["after"]) == ("restored", "suspected")
    assert event.burst is None


def test_the_same_state_again_changes_nothing(incident: Incident, responder: User) -> None:
    row = make_affected(incident, state=State.WATCHED)
    outcome = move(incident, responder, [row], State.WATCHED)
    row.refresh_from_db()
    assert (outcome.changed, outcome.unchanged, row.version) == (0, 1, 1)
    assert not TimelineEvent.objects.filter(incident=incident).exists()


def test_confirming_needs_a_tier_that_says_so(incident: Incident, responder: User) -> None:
    row = make_affected(incident, state=State.SUSPECTED, tier=Tier.D)
    with pytest.raises(CannotChangeAccountsError, match="neither tier A nor B"):
        move(incident, responder, [row], State.COMPROMISED)


def test_the_database_refuses_a_confirmed_account_without_tier(incident: Incident) -> None:
    with pytest.raises(IntegrityError, match="affected_compromised_has_tier"), transaction.atomic():
        make_affected(incident, state=State.COMPROMISED, tier=Tier.D)


def test_the_moments_of_confirmation_and_containment_follow_the_state(incident: Incident, responder: User) -> None:
    facts = holding(*CONTAINMENT, at=incident.declared_at)
    confirmed = incident.declared_at + timedelta(minutes=5)
    row = make_affected(incident, state=State.COMPROMISED, tier=Tier.A, compromised_at=confirmed, **facts)
    move(incident, responder, [row], State.CONTAINED)
    row.refresh_from_db()
    assert row.compromised_at == confirmed
    assert row.contained_at is not None
    move(incident, responder, [row], State.COMPROMISED, "A rule was missed")
    row.refresh_from_db()
    assert (row.compromised_at, row.contained_at) == (confirmed, None)
    move(incident, responder, [row], State.FALSE_POSITIVE, "The office's own address")
    row.refresh_from_db()
    assert (row.compromised_at, row.tier) == (None, "")


def test_a_form_made_from_an_older_version_is_refused_with_what_stands_now(incident: Incident, responder: User) -> None:
    row = make_affected(incident, state=State.WATCHED, tier=Tier.B, version=4)
    with pytest.raises(StaleFormError, match="Somebody else changed") as caught:
        change_state(
            incident_id=incident.pk,
            account_ids=[row.pk],
            after=State.CLOSED,
            actor=actor_for(responder),
            at=now(),
            version=3,
        )
    assert caught.value.current["State"] == "Watched"


def test_accounts_of_another_incident_are_not_found(incident: Incident, coordinator: User) -> None:
    elsewhere = make_affected(make_incident(lead=coordinator), state=State.WATCHED)
    with pytest.raises(NotFoundError):
        move(incident, coordinator, [elsewhere], State.CLOSED)


def test_nothing_chosen_is_said(incident: Incident, responder: User) -> None:
    with pytest.raises(CannotChangeAccountsError, match="No accounts are chosen"):
        move(incident, responder, [], State.CLOSED)


def test_a_closed_incident_takes_no_change(coordinator: User) -> None:
    closed = make_incident(lead=coordinator, status=Incident.Status.CLOSED)
    row = make_affected(closed, state=State.WATCHED)
    with pytest.raises(IncidentOverError):
        move(closed, coordinator, [row], State.CLOSED)


def test_desk_and_auditor_may_not_and_the_outsider_finds_nothing(
    incident: Incident, desk: User, auditor: User, outsider: User
) -> None:
    row = make_affected(incident, state=State.WATCHED)
    for user, refusal in ((desk, NotAllowedError), (auditor, NotAllowedError), (outsider, NotFoundError)):
        with pytest.raises(refusal):
            move(incident, user, [row], State.CLOSED)


def test_queries_do_not_grow_with_accounts(coordinator: User) -> None:
    counted = []
    for size in (10, 900):
        incident = make_incident(lead=coordinator)
        rows = affected_of(incident, size, state=State.WATCHED, stem=f"of{size}")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            move(incident, coordinator, rows, State.CLOSED)
        counted.append(len(queries))
    assert counted[0] == counted[1] <= 15
