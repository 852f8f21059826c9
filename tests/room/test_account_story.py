"""One account's whole story: everything that happened to it, in one order."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import PORTAL, actor_for
from runbooks.actions.operations import draft_rollback
from runbooks.affected_accounts.models import AffectedAccount, ContactAttempt, FactKind, State
from runbooks.affected_accounts.operations import Attempt, Finding, change_state, log_contact, record_fact
from runbooks.affected_accounts.operations.record_fact import add_findings
from runbooks.directory.models import Protection
from runbooks.incidents.models import Incident
from runbooks.room.queries.account_story import PAGE, Place, account_story
from runbooks.room.telling import Told, told
from tests.actions.acting import LOCK, RESTRICT, done, drafted, previewed
from tests.actions.conftest import asker, steady
from tests.actions.test_stages import for_everyone
from tests.factories import make_affected, make_entry, make_incident

__all__ = ["asker", "steady"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("steady")]
ClientOf = Callable[[User], Client]


@pytest.fixture
def room(asker: User, approver: User, auditor: User) -> Incident:
    return make_incident(lead=approver, members=(asker, auditor), is_exercise=True)


def story(row: AffectedAccount) -> list[Told]:
    return told(account_story(row), row.incident.zone, timezone.now())


def test_facts_contacts_states_actions_and_entries_stand_in_one_order(room: Incident, asker: User) -> None:
    row = make_affected(room, state=State.SUSPECTED, tier="D")
    start = timezone.now()
    work: dict[str, Any] = {"incident_id": room.pk, "account_ids": [row.pk], "actor": actor_for(asker)}
    late = Finding(FactKind.RULES_CHECKED, start - timedelta(minutes=30), "Mail platform team", note="2 rules removed")
    record_fact(finding=late, at=start, **work)
    attempt = Attempt(
        ContactAttempt.Channel.PHONE,
        ContactAttempt.Outcome.REACHED,
        start - timedelta(minutes=20),
        address="020 7219 0000",
        address_source="HR file",
        identity_check="staff number",
    )
    log_contact(attempt=attempt, at=start, **work)
    make_entry(room, "Seen at the gateway", account_ids=[row.pk], occurred_at=start - timedelta(minutes=10))
    change_state(after=State.FALSE_POSITIVE, reason="Her own tablet", at=start, **work)
    said = [one.said for one in story(row)]
    assert said == [
        "Not affected, was suspected: Her own tablet",
        "Seen at the gateway",
        "Reached, phone",
        "Holder reached",
        "Mailbox rules checked",
    ]
    fact, contact = story(row)[-1], story(row)[2]
    assert fact.lines[0].startswith("Mail platform team, recorded ")
    assert fact.lines[1] == "2 rules removed"
    assert contact.lines == ("020 7219 0000 from HR file", "Recognised: staff number")
    assert contact.by == asker.name


def test_an_action_tells_who_asked_what_was_there_and_what_was_read_back(
    room: Incident, asker: User, approver: User
) -> None:
    row = make_affected(room)
    action = done(drafted(room, asker, LOCK, [row], reason="They got in"), asker, approver)
    (one,) = [one for one in story(row) if one.action]
    assert (one.said, one.action, one.tone) == ("Disable sign-in: sign-in disabled", 1, "good")
    lines = "\n".join(one.lines)
    assert "Why: They got in" in lines
    assert f"by {asker}, approved " in lines
    assert f"by {approver}" in lines
    assert "answered" in lines
    assert "Before: enabled" in lines
    assert "by directory: disabled, as asked" in lines
    back = draft_rollback(action_id=action.pk, reason="Drill over", actor=actor_for(asker), at=timezone.now())
    done(previewed(back), asker, approver)
    undoing, first = [one for one in story(row) if one.action]
    assert undoing.said == "Enable sign-in, to undo action 1: sign-in put back as it was"
    assert any(line.startswith("Undone ") and line.endswith(" by action 2") for line in first.lines)


def test_an_account_that_was_left_alone_says_why(room: Incident, asker: User) -> None:
    row = make_affected(room)
    Protection.objects.create(
        account=row.account, kind="break_glass", reason="Sealed", added_by="a test", added_at=timezone.now()
    )
    drafted(room, asker, RESTRICT, **for_everyone())
    (one,) = story(row)
    assert (one.said, one.action) == ("Left alone: restrict remote access. Sealed", 1)


def test_what_was_read_back_names_its_attribute_and_its_time_and_never_a_bare_tick(room: Incident) -> None:
    row = make_affected(room)
    at = timezone.now()
    since = at - timedelta(hours=1)
    found = Finding(FactKind.SIGN_IN_DISABLED, since, "directory: pwdAccountLockedTime, read back")
    add_findings([row], found, actor=PORTAL, at=at)
    (one,) = story(row)
    assert one.at == since
    assert one.lines == (f"checked {at.astimezone(room.zone):%H:%M} by directory: pwdAccountLockedTime",)


def test_a_corrected_entry_stays_struck(room: Incident) -> None:
    row = make_affected(room)
    wrong = make_entry(room, "Signed in from Lyon", account_ids=[row.pk])
    make_entry(room, "Signed in from Leyton", account_ids=[row.pk], corrects=wrong.sequence)
    right, struck = story(row)
    assert (right.is_corrected, struck.is_corrected) == (False, True)
    assert struck.lines == (f"Corrected by entry {right.sequence}",)


def test_of_other_accounts_and_other_incidents_nothing_is_told(room: Incident, asker: User, approver: User) -> None:
    row, other = make_affected(room), make_affected(room)
    elsewhere = make_incident(lead=approver, members=(asker,), is_exercise=True)
    there = make_affected(elsewhere, row.account)
    for one, where in ((other, room), (there, elsewhere)):
        done(drafted(where, asker, LOCK, [one]), asker, approver)
        make_entry(where, "Elsewhere", account_ids=[one.pk])
    assert story(row) == []


def test_older_things_follow_page_by_page_each_once(room: Incident, asker: User, client_of: ClientOf) -> None:
    row = make_affected(room)
    at = timezone.now()
    for number in range(20):
        make_entry(room, f"Entry {number:02d}", account_ids=[row.pk], occurred_at=at)
        record_fact(
            incident_id=room.pk,
            account_ids=[row.pk],
            finding=Finding(FactKind.RULES_CHECKED, at, f"Check {number:02d}"),
            actor=actor_for(asker),
            at=at,
        )
    seen: list[Place] = []
    before = None
    for _ in range(2):
        part = account_story(row, before=before)
        seen += [place for place, _ in part.things]
        before = Place.read(part.older)
    assert len(seen) == len(set(seen)) == 40
    assert seen == sorted(seen, reverse=True)
    assert part.older == ""
    address = reverse("account_detail", args=[room.reference, row.pk])
    client = client_of(asker)
    page = client.get(address).text.partition('id="story"')[2]
    assert page.count("Check ") + page.count("Entry ") == PAGE
    older = page.split('#story">Older')[0].rpartition('href="')[2]
    rest = client.get(address + older).text.partition('id="story"')[2]
    assert rest.count("Check ") + rest.count("Entry ") == 40 - PAGE


@pytest.mark.parametrize("text", ["", "x", "1-2", "1-2-3-4", "9" * 18 + "-1-1", "-1-1-1", "١-1-1", "1-1-" + "9" * 30])
def test_a_place_that_is_none_shows_the_newest(text: str, room: Incident, asker: User, client_of: ClientOf) -> None:
    assert Place.read(text) is None
    row = make_affected(room)
    make_entry(room, "Seen", account_ids=[row.pk])
    page = client_of(asker).get(reverse("account_detail", args=[room.reference, row.pk]), {"before": text}).text
    assert "Seen" in page


def test_a_place_is_read_as_it_was_written() -> None:
    place = Place(timezone.now(), 3, 12)
    assert Place.read(str(place)) == place


def test_it_takes_seven_queries_whatever_happened(
    room: Incident, asker: User, approver: User, django_assert_num_queries: Any
) -> None:
    for times in (1, 12):
        row = make_affected(room)
        for number in range(times):
            make_entry(room, f"Entry {number}", account_ids=[row.pk])
            done(drafted(room, asker, LOCK, [row]), asker, approver)
        with django_assert_num_queries(7):
            assert len(story(row)) >= 2 * times
