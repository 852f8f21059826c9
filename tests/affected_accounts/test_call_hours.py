"""When a holder is best called."""

from datetime import time

import pytest

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.affected_accounts.operations import Outcome
from runbooks.affected_accounts.operations.call_hours import BadHoursError, hours_in_words, set_call_hours
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import IncidentOverError
from runbooks.timeline.models import Lane, TimelineEvent
from runbooks.timeline.operations import now
from runbooks.timeline.verify import verify_chain
from tests.factories import make_affected, make_incident

pytestmark = pytest.mark.django_db
TWO, FOUR = time(14), time(16)


def keep(row: AffectedAccount, who: User, since: time | None, until: time | None) -> Outcome:
    return set_call_hours(
        incident_id=row.incident_id, affected_id=row.pk, call_from=since, call_until=until, actor=actor_for(who),
        at=now(),
    )  # fmt: skip


def test_hours_are_kept_changed_and_cleared_and_the_timeline_has_before_and_after(
    incident: Incident, desk: User
) -> None:
    row = make_affected(incident)
    assert keep(row, desk, TWO, FOUR).said == f"{row.login} is best called 14:00 to 16:00"
    keep(row, desk, time(22), time(2))
    row.refresh_from_db()
    assert (row.call_from, row.call_until, row.version) == (time(22), time(2), 3)
    assert keep(row, desk, None, None).said == f"{row.login} can be called at any time"
    row.refresh_from_db()
    assert (row.call_from, row.call_until) == (None, None)
    entries = TimelineEvent.objects.filter(kind="holder.call_hours").order_by("sequence")
    assert [(one.lane, one.details["before"], one.details["after"]) for one in entries] == [
        (Lane.CONTACT, "", "14:00 to 16:00"),
        (Lane.CONTACT, "14:00 to 16:00", "22:00 to 02:00"),
        (Lane.CONTACT, "22:00 to 02:00", ""),
    ]
    assert verify_chain(incident.pk).broken_at is None


def test_the_same_hours_again_say_nothing_new(incident: Incident, desk: User) -> None:
    row = make_affected(incident)
    assert keep(row, desk, None, None).unchanged == 1
    keep(row, desk, TWO, FOUR)
    assert keep(row, desk, time(14, 0, 30), FOUR).changed == 0
    assert TimelineEvent.objects.filter(kind="holder.call_hours").count() == 1


def test_one_without_the_other_and_no_span_are_refused(incident: Incident, desk: User) -> None:
    row = make_affected(incident)
    for since, until in ((TWO, None), (None, FOUR), (TWO, TWO), (TWO, time(14, 0, 59))):
        with pytest.raises(BadHoursError):
            keep(row, desk, since, until)
    row.refresh_from_db()
    assert row.version == 1


def test_only_who_calls_holders_says_so_and_only_in_their_incident(
    incident: Incident, desk: User, auditor: User, communications: User, outsider: User
) -> None:
    row = make_affected(incident)
    for who, error in ((auditor, NotAllowedError), (communications, NotAllowedError), (outsider, NotFoundError)):
        with pytest.raises(error):
            keep(row, who, TWO, FOUR)
    other = make_incident(members=(desk,))
    with pytest.raises(NotFoundError):
        set_call_hours(
            incident_id=other.pk, affected_id=row.pk, call_from=TWO, call_until=FOUR, actor=actor_for(desk), at=now()
        )
    assert not TimelineEvent.objects.filter(kind="holder.call_hours").exists()


def test_a_closed_incident_keeps_what_it_has(desk: User) -> None:
    row = make_affected(make_incident(members=(desk,), status="closed"))
    with pytest.raises(IncidentOverError):
        keep(row, desk, TWO, FOUR)


def test_hours_in_words_are_empty_where_there_are_none() -> None:
    assert hours_in_words(TWO, FOUR) == "14:00 to 16:00"
    assert hours_in_words(None, None) == ""
