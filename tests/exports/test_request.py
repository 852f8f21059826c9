"""Asking for an export: the row and the entry it leaves, and what is refused."""

from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE, Actor, actor_for
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.exports.keys import NoKeyError
from runbooks.exports.models import Checkpoint, Export, SigningKey
from runbooks.exports.operations.requesting import (
    CannotExportError,
    Wish,
    cancel_export,
    request_export,
    retry_export,
)
from runbooks.exports.queries.asked import UnreadableFilterError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import Lane, TimelineEvent
from runbooks.timeline.verify import verify_chain
from tests.factories import make_affected, make_entry, make_step

pytestmark = pytest.mark.django_db


def asked(incident: Incident, format: str = "csv", actor: Actor = COMMAND_LINE, **wish: Any) -> Export:
    return request_export(incident_id=incident.pk, wish=Wish(format, **wish), actor=actor, at=timezone.now())


def newest(incident: Incident) -> TimelineEvent:
    return TimelineEvent.objects.filter(incident=incident).latest("sequence")


def test_it_is_numbered_and_holds_the_head_of_that_moment(incident: Incident, responder: User) -> None:
    event = make_entry(incident, "Before")
    first, second = asked(incident, actor=actor_for(responder), purpose="  For the  board "), asked(incident)
    assert [str(first), str(second)] == ["EX-01", "EX-02"]
    assert (first.head_sequence, first.head_hash) == (event.sequence, event.hash)
    assert second.head_sequence == event.sequence + 1
    assert (first.requester, first.requested_by, first.purpose) == (responder, str(responder), "For the board")
    assert first.status == "waiting"


def test_it_is_an_entry(incident: Incident, responder: User) -> None:
    make_entry(incident, "Before", lane=Lane.DECISION)
    export = asked(
        incident, "json", actor_for(responder), query="lane=decision&order=oldest&fold=0", purpose="The court"
    )
    event = newest(incident)
    assert (event.kind, event.actor) == ("export.requested", str(responder))
    assert event.summary == "EX-01 asked for: JSON, #1 to #1, kind Decision (1 entry). For: The court"
    assert event.details["filter"] == export.filter == {"lane": "decision"}
    assert event.details["head"] == {"sequence": 1, "hash": export.head_hash}
    assert verify_chain(incident.pk).broken_at is None


def test_the_head_is_signed_where_there_is_a_key(incident: Incident, key: SigningKey) -> None:
    make_entry(incident)
    export = asked(incident)
    assert export.checkpoint is not None
    assert (export.checkpoint.sequence, export.checkpoint.hash) == (export.head_sequence, export.head_hash)
    assert export.checkpoint.reason == Checkpoint.Reason.EXPORT


def test_without_a_key_only_what_is_signed_is_refused(incident: Incident) -> None:
    make_entry(incident)
    assert asked(incident).checkpoint is None
    with pytest.raises(NoKeyError):
        asked(incident, "bundle")


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("", 9), ("q=needle", 2), ("lane=contact", 1), ("kind=step.completed", 1), ("who=automated", 3),
        ("who=people", 6), ("account=zoe", 1), ("step=3.2", 1), ("only=corrected", 2), ("burst=6", 3),
        ("from=2020-01-01&to=2020-01-03", 1),
        ("q=needle&lane=contact", 1),
    ],
)  # fmt: skip
def test_the_filter_is_that_of_the_timeline_page(query: str, left: int, incident: Incident, client_of: Any) -> None:
    """And what the page shows, unfolded, is what is counted."""
    at, step = timezone.now(), make_step(incident, number="3.2")
    account = make_affected(incident, login="zoe@parliament.example")
    make_entry(incident, "needle", lane=Lane.CONTACT, account_ids=[account.pk])
    corrected = make_entry(incident, "needle again")
    make_entry(incident, "put right", corrects=corrected.sequence)
    make_entry(incident, "done", kind="step.completed", step_id=step.pk)
    make_entry(incident, "long ago", occurred_at=at.replace(year=2020, month=1, day=2))
    for number in range(3):
        make_entry(incident, f"Run {number}", actor=Actor("IR Portal", is_automated=True), kind="fact.recorded", at=at)
    make_entry(incident, "last")
    found = client_of(incident.lead).get(f"/incidents/{incident.reference}/timeline/?{query}&fold=0")
    assert f"{left} line" in found.content.decode()
    export = asked(incident, query=query)
    assert (export.entries, export.left_out) == (left, 9 - left)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("account=nobody", "No account of this incident begins with"),
        ("step=9.9", "This incident has no step 9.9"),
        ("from=at+some+time", "cannot be read"),
        ("from=2020-01-02&to=2020-01-01", "ends before it begins"),
        ("lane=other", "lane=other"),
        ("who=me", "who=me"),
        ("only=mine", "only=mine"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(query: str, said: str, incident: Incident) -> None:
    with pytest.raises(UnreadableFilterError) as refused:
        asked(incident, query=query)
    assert said in str(refused.value) or query.startswith("from=at")
    assert not Export.objects.exists()


def test_what_cannot_be_made_is_refused(incident: Incident) -> None:
    for wish in ({"format": "docx"}, {"order": "random"}, {"purpose": "x" * 201}, {"purpose": "\0"}):
        with pytest.raises(CannotExportError):
            asked(incident, **wish)
    assert not Export.objects.exists()


def test_only_what_the_format_offers_is_kept_of_the_options(incident: Incident) -> None:
    export = asked(incident, options={"bom": "", "evil": "x"})
    assert export.options == {"bom": False, "order": "sequence", "said": "everything"}


def test_auditors_and_those_who_work_may_the_desk_and_outsiders_may_not(
    incident: Incident, auditor: User, communications: User, desk: User, outsider: User
) -> None:
    make_entry(incident)
    for user in (auditor, communications):
        assert asked(incident, actor=actor_for(user)).requested_by == str(user)
    with pytest.raises(NotAllowedError):
        asked(incident, actor=actor_for(desk))
    with pytest.raises(NotFoundError):
        asked(incident, actor=actor_for(outsider))


def test_who_asked_cancels_and_others_only_where_they_lead(
    incident: Incident, responder: User, auditor: User, communications: User, coordinator: User
) -> None:
    for canceller in (responder, coordinator):
        export = asked(incident, actor=actor_for(responder))
        given: dict[str, Any] = {"incident_id": incident.pk, "number": export.number, "at": timezone.now()}
        with pytest.raises(NotAllowedError):
            cancel_export(**given, actor=actor_for(auditor))
        with pytest.raises(NotAllowedError):
            cancel_export(**given, actor=actor_for(communications))
        assert cancel_export(**given, actor=actor_for(canceller)).status == "cancelled"
        assert newest(incident).kind == "export.cancelled"
        with pytest.raises(CannotExportError):
            cancel_export(**given, actor=actor_for(canceller))


def test_what_was_cancelled_is_tried_again(incident: Incident, responder: User) -> None:
    export, actor = asked(incident, actor=actor_for(responder)), actor_for(responder)
    given: dict[str, Any] = {"incident_id": incident.pk, "number": export.number, "actor": actor, "at": timezone.now()}
    with pytest.raises(CannotExportError):
        retry_export(**given)
    cancel_export(**given)
    assert retry_export(**given).status == "waiting"
    with pytest.raises(DomainError):
        retry_export(**{**given, "number": 99})


def test_auditors_stop_and_repeat_nothing_not_even_their_own(incident: Incident, auditor: User) -> None:
    export, actor = asked(incident, actor=actor_for(auditor)), actor_for(auditor)
    given: dict[str, Any] = {"incident_id": incident.pk, "number": export.number, "actor": actor, "at": timezone.now()}
    for operate in (cancel_export, retry_export):
        with pytest.raises(NotAllowedError):
            operate(**given)


def test_what_comes_twice_is_taken_down_once(incident: Incident) -> None:
    make_entry(incident)
    key = uuid4()
    first, second = (
        request_export(incident_id=incident.pk, wish=Wish("csv"), actor=COMMAND_LINE, at=timezone.now(), export_id=key)
        for _ in range(2)
    )
    assert first == second
    assert (first.pk, Export.objects.count()) == (key, 1)
    assert TimelineEvent.objects.filter(incident=incident, kind="export.requested").count() == 1
