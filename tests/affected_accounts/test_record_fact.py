"""Dated findings about accounts."""

from datetime import datetime, timedelta

import pytest

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AccountFact, AffectedAccount, FactKind, State
from runbooks.affected_accounts.operations import Finding, Outcome, record_fact
from runbooks.affected_accounts.operations.record_fact import NO_LONGER, BadFactError
from runbooks.affected_accounts.operations.selection import CannotChangeAccountsError
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import Lane, TimelineEvent
from runbooks.timeline.operations import now
from tests.affected_accounts.many import affected_of
from tests.factories import make_affected

pytestmark = pytest.mark.django_db


def found(
    incident: Incident,
    user: User,
    rows: list[AffectedAccount],
    kind: FactKind,
    at: datetime,
    *,
    source: str = "Directory read-back",
    holds: bool = True,
) -> Outcome:
    return record_fact(
        incident_id=incident.pk,
        account_ids=[row.pk for row in rows],
        finding=Finding(kind, at, source, holds=holds),
        actor=actor_for(user),
        at=now(),
    )


def test_a_finding_keeps_when_it_was_true_who_says_so_and_who_recorded_it(incident: Incident, responder: User) -> None:
    row = make_affected(incident, state=State.COMPROMISED, tier="A")
    then = incident.declared_at + timedelta(minutes=20)
    found(incident, responder, [row], FactKind.SIGN_IN_DISABLED, then)
    row.refresh_from_db()
    fact = AccountFact.objects.get(affected_account=row)
    assert row.sign_in_disabled_at == fact.at == then
    assert (fact.source, fact.recorded_by) == ("Directory read-back", responder.name)
    event = TimelineEvent.objects.get(incident=incident)
    assert event.occurred_at == then
    assert event.summary == f"{row.login}: sign-in disabled (source: Directory read-back)"


def test_a_fact_that_holds_no_longer_clears_the_check_and_keeps_the_history(
    incident: Incident, responder: User
) -> None:
    row = make_affected(incident, state=State.CONTAINED, tier="A")
    found(incident, responder, [row], FactKind.SIGN_IN_DISABLED, incident.declared_at)
    found(incident, responder, [row], FactKind.SIGN_IN_DISABLED, now(), holds=False)
    row.refresh_from_db()
    assert row.sign_in_disabled_at is None
    assert row.state == State.CONTAINED
    assert list(row.facts.order_by("at").values_list("holds", flat=True)) == [True, False]


def test_a_finding_that_comes_in_late_does_not_overrule_a_newer_one(incident: Incident, responder: User) -> None:
    row = make_affected(incident, state=State.CONTAINED, tier="A")
    noon = incident.declared_at + timedelta(hours=1)
    found(incident, responder, [row], FactKind.RULES_CHECKED, noon, holds=False)
    found(incident, responder, [row], FactKind.RULES_CHECKED, noon - timedelta(minutes=30))
    row.refresh_from_db()
    assert row.rules_checked_at is None
    found(incident, responder, [row], FactKind.RULES_CHECKED, noon + timedelta(minutes=1))
    row.refresh_from_db()
    assert row.rules_checked_at == noon + timedelta(minutes=1)


@pytest.mark.parametrize("kind", [FactKind.PASSWORD_CHANGED, FactKind.SESSIONS_REVOKED])
def test_what_was_done_before_the_attack_was_noticed_protects_nobody(
    incident: Incident, responder: User, kind: FactKind
) -> None:
    row = make_affected(incident)
    with pytest.raises(BadFactError, match="before the attack was noticed"):
        found(incident, responder, [row], kind, incident.detected_at - timedelta(days=1))


def test_two_step_sign_in_counts_only_after_containment(incident: Incident, responder: User) -> None:
    contained = incident.declared_at + timedelta(hours=1)
    rows = [
        make_affected(incident, state=State.RESTORED_RESTRICTED, tier="A", contained_at=contained),
        make_affected(incident, state=State.COMPROMISED, tier="A"),
    ]
    outcome = found(incident, responder, rows, FactKind.MFA_BOUND, contained + timedelta(minutes=1))
    assert outcome.changed == 1
    assert outcome.refused[0].logins == (rows[1].login,)
    with pytest.raises(CannotChangeAccountsError, match="after the account was contained"):
        found(incident, responder, rows[:1], FactKind.MFA_BOUND, contained - timedelta(minutes=1))


def test_a_finding_needs_a_source_and_cannot_lie_in_the_future(incident: Incident, responder: User) -> None:
    row = make_affected(incident)
    with pytest.raises(BadFactError, match="who or what says so"):
        found(incident, responder, [row], FactKind.RULES_CHECKED, now(), source=" ")
    with pytest.raises(BadFactError, match="in the future"):
        found(incident, responder, [row], FactKind.RULES_CHECKED, now() + timedelta(hours=1))


def test_many_findings_are_one_line_of_the_timeline_at_the_time_they_were_true(
    incident: Incident, responder: User
) -> None:
    rows = affected_of(incident, 3, state=State.COMPROMISED)
    found(incident, responder, rows, FactKind.SESSIONS_REVOKED, incident.declared_at)
    head, *each = TimelineEvent.objects.filter(incident=incident).order_by("sequence")
    assert head.summary == "3 accounts: sessions revoked (source: Directory read-back)"
    assert {event.occurred_at for event in (head, *each)} == {incident.declared_at}
    assert {event.burst for event in (head, *each)} == {head.sequence}
    assert {event.lane for event in (head, *each)} == {Lane.ACTION}


def test_every_kind_of_fact_can_be_said_to_hold_no_longer() -> None:
    assert set(NO_LONGER) == set(FactKind)


def test_desk_may_not_and_the_outsider_finds_nothing(incident: Incident, desk: User, outsider: User) -> None:
    row = make_affected(incident)
    for user, refusal in ((desk, NotAllowedError), (outsider, NotFoundError)):
        with pytest.raises(refusal):
            found(incident, user, [row], FactKind.RULES_CHECKED, now())
