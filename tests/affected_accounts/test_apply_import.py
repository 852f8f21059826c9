"""Analysts' lists: kept, applied, applied again."""

import hashlib
from collections.abc import Mapping

import pytest

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount, AffectedImport, UnresolvedLine
from runbooks.affected_accounts.operations import Applied, apply_import, stage_import
from runbooks.affected_accounts.queries.lists import BadListError, read_list
from runbooks.directory.models import Account
from runbooks.directory.names import match_keys
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.operations import now
from tests.factories import make_account

pytestmark = pytest.mark.django_db


def person(stem: str, display_name: str) -> Account:
    login = f"{stem}@parliament.example"
    return make_account(
        login=login, mail=login, display_name=display_name, match_keys=match_keys(login, login, display_name)
    )


def stage(incident: Incident, user: User, text: str) -> AffectedImport:
    return stage_import(
        incident_id=incident.pk, file_name="first.txt", content=text.encode(), actor=actor_for(user), at=now()
    )


def apply(incident: Incident, user: User, staged: AffectedImport, picks: Mapping[int, int] | None = None) -> Applied:
    return apply_import(
        incident_id=incident.pk, import_id=staged.pk, picks=picks or {}, actor=actor_for(user), at=now()
    )


LIST = "\ufeff# first cut\r\nann.one@parliament.example\r\nANN.ONE@parliament.example\r\nTwin, Sam\r\nNemo, Captain\r\n"


@pytest.fixture
def people() -> dict[str, Account]:
    return {
        "ann": person("ann.one", "One, Ann"),
        "sam": person("sam.twin", "Twin, Sam"),
        "sam2": person("sam.twin2", "Twin, Sam"),
    }


def test_a_list_is_kept_with_its_digest_and_what_it_means(
    incident: Incident, responder: User, people: dict[str, Account]
) -> None:
    staged = stage(incident, responder, LIST)
    assert staged.sha256 == hashlib.sha256(LIST.encode()).hexdigest()
    assert staged.counts == {"matched": 1, "already": 0, "ambiguous": 1, "unmatched": 1, "repeats": 1}
    with staged.file.open("rb") as file:
        assert file.read() == LIST.encode()
    assert not AffectedAccount.objects.exists()
    event = TimelineEvent.objects.get(incident=incident)
    assert event.details["sha256"] == staged.sha256


def test_applying_adds_the_matched_and_keeps_the_rest_as_unresolved(
    incident: Incident, responder: User, people: dict[str, Account]
) -> None:
    staged = stage(incident, responder, LIST)
    applied = apply(incident, responder, staged)
    assert applied == Applied(added=1, already=0, settled=0, unresolved=2, repeats=1)
    assert AffectedAccount.objects.get(incident=incident).account == people["ann"]
    ambiguous, unmatched = UnresolvedLine.objects.order_by("line_number")
    assert (ambiguous.text, ambiguous.line_number) == ("Twin, Sam", 4)
    assert sorted(ambiguous.candidates) == sorted([people["sam"].pk, people["sam2"].pk])
    assert (unmatched.text, unmatched.candidates) == ("Nemo, Captain", [])


def test_applying_twice_changes_nothing(incident: Incident, responder: User, people: dict[str, Account]) -> None:
    staged = stage(incident, responder, LIST)
    apply(incident, responder, staged)
    before = (
        TimelineEvent.objects.filter(incident=incident).count(),
        list(AffectedAccount.objects.values()),
        list(UnresolvedLine.objects.values()),
        AffectedImport.objects.values().get(),
    )
    assert not apply(incident, responder, staged).changed
    assert stage(incident, responder, LIST) == staged
    after = (
        TimelineEvent.objects.filter(incident=incident).count(),
        list(AffectedAccount.objects.values()),
        list(UnresolvedLine.objects.values()),
        AffectedImport.objects.values().get(),
    )
    assert before == after


def test_a_person_picks_for_lines_that_say_too_much_or_nothing(
    incident: Incident, responder: User, people: dict[str, Account]
) -> None:
    captain = person("c.nemo", "Nemo, C")
    staged = stage(incident, responder, LIST)
    applied = apply(incident, responder, staged, {4: people["sam2"].pk, 5: captain.pk, 2: people["sam"].pk})
    assert (applied.added, applied.unresolved) == (3, 0)
    logins = set(AffectedAccount.objects.values_list("login", flat=True))
    assert logins == {"ann.one@parliament.example", "sam.twin2@parliament.example", "c.nemo@parliament.example"}
    event = TimelineEvent.objects.get(incident=incident, kind="affected_list.applied")
    assert event.details["picks"] == [
        {"line": 4, "account": "sam.twin2@parliament.example"},
        {"line": 5, "account": "c.nemo@parliament.example"},
    ]


def test_what_the_directory_learns_later_settles_the_line_when_the_list_is_applied_again(
    incident: Incident, responder: User, people: dict[str, Account]
) -> None:
    staged = stage(incident, responder, LIST)
    apply(incident, responder, staged)
    captain = person("c.nemo", "Nemo, Captain")
    applied = apply(incident, responder, staged)
    assert (applied.added, applied.settled, applied.unresolved) == (1, 1, 0)
    line = UnresolvedLine.objects.get(text="Nemo, Captain")
    assert line.settled_as is not None
    assert line.settled_as.account == captain


def test_a_line_that_two_lists_hold_is_kept_once(incident: Incident, responder: User) -> None:
    for text in ("Nobody Known\n", "Nobody Known\n\n"):
        apply(incident, responder, stage(incident, responder, text))
    assert UnresolvedLine.objects.count() == 1


def test_a_kept_file_that_was_changed_is_refused(
    incident: Incident, responder: User, people: dict[str, Account]
) -> None:
    staged = stage(incident, responder, LIST)
    with staged.file.storage.open(staged.file.name, "wb") as file:
        file.write(b"sam.twin@parliament.example")
    with pytest.raises(BadListError, match="SHA-256 differs"):
        apply(incident, responder, staged)


@pytest.mark.parametrize("content", [b"", b" \r\n\r\n", b"\xef\xbb\xbf", b"a\0b\nc\0d\n"])
def test_what_is_no_list_is_refused(incident: Incident, content: bytes) -> None:
    with pytest.raises(BadListError):
        read_list(incident.pk, content)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_lists_come_in_any_of_the_usual_encodings(incident: Incident, encoding: str) -> None:
    account = person("zoe", "Müller, Zoë")
    reading = read_list(incident.pk, "Müller, Zoë\r\n".encode(encoding))
    assert [line.account for line in reading.matched] == [account]


def test_lists_of_other_incidents_are_not_found(
    incident: Incident, responder: User, outsider: User, desk: User, people: dict[str, Account]
) -> None:
    staged = stage(incident, responder, LIST)
    with pytest.raises(NotFoundError):
        apply(incident, outsider, staged)
    with pytest.raises(NotAllowedError):
        apply(incident, desk, staged)
