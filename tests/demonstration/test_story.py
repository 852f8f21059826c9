from collections import Counter
from dataclasses import replace

from django.db.models import F

from runbooks.access.models import Membership, Role, User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount, ContactAttempt, FactKind, State, UnresolvedLine
from runbooks.affected_accounts.queries import burn_up, group_counts
from runbooks.affected_accounts.transitions import CONTAINMENT, GROUPS, Group, fact_at
from runbooks.containment.models import Evidence, Step
from runbooks.containment.queries import deadlines, step_states
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.notifications.models import Notification
from runbooks.room.queries.header import header
from runbooks.timeline.models import Lane, Pin, TimelineEvent
from runbooks.timeline.verify import verify_chain
from tests.demonstration.conftest import NOW, Told, told

# Its summary says when the attack was noticed, by the clock on the wall.
SAYS_THE_TIME = 2


def test_the_same_seed_tells_the_same_at_the_same_offsets_whenever_it_is_played(
    played: Incident, told_weeks_before: list[Told]
) -> None:
    def without_times(entries: list[Told]) -> list[Told]:
        return [replace(entry, summary="") if entry.sequence == SAYS_THE_TIME else entry for entry in entries]

    assert without_times(told(played)) == without_times(told_weeks_before)


def test_the_figures_are_those_of_the_exercise(played: Incident) -> None:
    counts = group_counts(played.pk)
    assert (counts.suspected, counts.confirmed, counts.contained) == (12, 6, 33)
    assert (counts.reset, counts.restored, counts.cleared) == (34, 17, 41)
    assert (counts.compromised, counts.total) == (90, 143)


def test_the_chain_verifies_over_more_than_a_thousand_entries(played: Incident) -> None:
    verdict = verify_chain(played.pk)
    assert verdict.broken_at is None
    assert verdict.entries == played.head_sequence > 1000


def test_every_state_an_account_can_have_is_there(played: Incident) -> None:
    states = AffectedAccount.objects.filter(incident=played).values_list("state", flat=True)
    assert set(states) == set(State.values)


def test_every_account_that_counts_as_contained_was_found_so(played: Incident) -> None:
    contained = [state for state in State if GROUPS[state] in {Group.CONTAINED, Group.RESET}]
    rows = AffectedAccount.objects.filter(incident=played, state__in=contained)
    assert rows.count() == 67
    assert all(fact_at(row, kind) for row in rows for kind in CONTAINMENT)


def test_restored_accounts_can_be_signed_in_to_again(played: Incident) -> None:
    back = AffectedAccount.objects.filter(incident=played, state__in=["restored_restricted", "restored", "watched"])
    assert back.count() == 16
    assert not back.exclude(sign_in_disabled_at=None).exists()


def test_the_burn_up_ends_with_the_figures_and_is_quiet_at_night(played: Incident) -> None:
    points = burn_up(played.pk)
    last = points[-1]
    assert (last.compromised, last.contained, last.reset, last.restored) == (90, 84, 51, 17)
    hours = [(point.at - played.declared_at).total_seconds() / 3600 for point in points]
    assert not [hour for hour in hours if 16 < hour < 22]


def test_the_room_slows_down_at_night(played: Incident) -> None:
    hours = Counter(
        int(entry.recorded_after.total_seconds() // 3600)
        for entry in told(played)
        if entry.actor not in {"Gateway counter"}
    )
    assert max(hours[hour] for hour in range(16, 21)) <= 2
    assert min(hours[hour] for hour in (0, 3, 5, 9, 24, 25)) >= 20


def test_steps_stand_in_every_status_and_some_are_late_or_blocked(played: Incident) -> None:
    states = step_states(played, actor_for(played.lead), NOW)
    assert {state.line.status for state in states} == set(Step.Status.values)
    assert {state.line.key for state in states if state.is_late} == {
        "reach-holder",
        "added-contain-the-accounts-of-lists-11-and-12",
    }
    assert any(state.is_blocked for state in states)
    assert any(state.line.is_added for state in states)
    assert any(state.is_mine for state in states)


def test_evidence_is_there_of_every_kind_and_one_piece_was_withdrawn(played: Incident) -> None:
    evidence = Evidence.objects.filter(step__incident=played)
    assert set(evidence.values_list("kind", flat=True)) == set(Evidence.Kind.values)
    assert evidence.exclude(withdrawn_at=None).count() == 1


def test_one_outside_deadline_is_met_and_others_run(played: Incident) -> None:
    lines = deadlines(played, NOW)
    assert [line.key for line in lines if line.closed_at] == ["notify-authorities"]
    assert not [line for line in lines if line.is_late or line.was_late]


def test_people_and_machines_wrote_in_every_lane(played: Incident) -> None:
    events = TimelineEvent.objects.filter(incident=played)
    assert set(events.values_list("lane", flat=True)) == set(Lane.values)
    automated = events.filter(is_automated=True)
    assert {"Gateway counter", "Directory check", "Mail platform check"} <= set(
        automated.values_list("actor", flat=True)
    )
    assert automated.filter(burst=F("sequence")).count() > 20
    assert events.filter(burst__isnull=True, is_automated=False).count() > 300


def test_entries_are_corrected_and_key_events_pinned(played: Incident) -> None:
    assert TimelineEvent.objects.filter(incident=played, corrects__isnull=False).count() == 3
    assert 8 <= Pin.objects.filter(incident=played).count() <= 14


def test_nothing_happens_before_its_time_or_after_now(played: Incident) -> None:
    entries = told(played)
    recorded = [entry.recorded_after for entry in entries]
    assert recorded == sorted(recorded)
    assert played.declared_at + recorded[-1] <= NOW
    assert not [entry for entry in entries if entry.occurred_after > entry.recorded_after]
    assert (NOW - played.declared_at).total_seconds() == (26 * 60 + 35) * 60


def test_one_line_of_the_lists_waits_for_somebody(played: Incident) -> None:
    lines = UnresolvedLine.objects.filter(incident=played)
    assert lines.count() == 4
    (waiting,) = lines.filter(settled_at=None)
    assert len(waiting.candidates) == 2
    assert lines.exclude(settled_as=None).count() == 2


def test_holders_are_never_reached_through_the_affected_mailbox(played: Incident) -> None:
    attempts = ContactAttempt.objects.filter(affected_account__incident=played)
    assert attempts.count() > 100
    assert not attempts.filter(address__contains="@").exists()
    assert set(attempts.values_list("outcome", flat=True)) == set(ContactAttempt.Outcome.values)


def test_every_kind_of_fact_is_known_of_some_account(played: Incident) -> None:
    rows = AffectedAccount.objects.filter(incident=played)
    for kind in FactKind:
        assert rows.exclude(**{f"{kind.value}_at": None}).exists(), kind


def test_every_role_of_the_portal_has_somebody_and_all_but_the_administrator_are_in(played: Incident) -> None:
    assert set(User.objects.values_list("role", flat=True)) == set(Role.values)
    outside = User.objects.exclude(pk__in=Membership.objects.filter(incident=played).values("user"))
    assert [user.role for user in outside] == [Role.ADMINISTRATOR]


def test_the_lead_was_handed_over_twice(played: Incident) -> None:
    leads = IncidentRole.objects.filter(incident=played, kind="lead").order_by("since")
    assert [str(role.user) for role in leads] == ["Duty coordinator", "Deputy coordinator", "Duty coordinator"]
    assert str(played.lead) == "Duty coordinator"


def test_the_room_says_that_remote_access_is_restricted(played: Incident) -> None:
    banner = header(played, NOW).banner
    assert (banner.tone, banner.icon) == ("held", "lock")
    assert "84 of 90 compromised accounts contained, 17 restored" in banner.rest


def test_it_says_that_it_is_an_exercise(played: Incident) -> None:
    assert played.is_exercise
    assert not Notification.objects.filter(incident=played).exclude(subject__icontains="exercise").exists()
