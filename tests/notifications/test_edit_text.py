"""Changing what notices say: versions, the way back, who hears of it, and that only administrators may."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from runbooks.access.models import Role, User
from runbooks.access.permissions import PORTAL, actor_for
from runbooks.contacts.models import ContactPreferences
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.notifications.models import NoticeText, Notification
from runbooks.notifications.operations import announce
from runbooks.notifications.operations.editing import (
    BadNoticeTextError,
    StaleTextError,
    back_to_shipped,
    edit_text,
    restore_text,
)
from runbooks.notifications.shipped_texts import shipped
from runbooks.notifications.text_versions import changes, history, standing
from tests.factories import make_user

pytestmark = pytest.mark.django_db
AT = datetime(2026, 6, 23, 8, 7, tzinfo=UTC)
EVENT = "role.given"
GIVEN = {"who": "Amina Rahman", "role": "Deputy lead", "note": ""}


def edited(user: User, **changes: Any) -> NoticeText:
    given: dict[str, Any] = {"event": EVENT, "language": "en-gb", "subject": "{{ who }} takes over", "version": 0}
    given |= {"body": "{{ who }} is {{ role|lower }} from now on.", "note": "Shorter", "at": AT}
    return edit_text(actor=actor_for(user), **given | changes)


def said(incident: Incident) -> Notification:
    announce(incident, EVENT, GIVEN, at=AT, to=[incident.lead])
    return Notification.objects.get(event=EVENT)


def test_what_is_announced_from_then_on_says_the_new_words_in_the_frame_of_every_notice(
    administrator: User, incident: Incident
) -> None:
    edited(administrator)
    notice = said(incident)
    assert notice.subject == f"TLP:AMBER {incident.reference}: Amina Rahman takes over"
    assert "Amina Rahman is deputy lead from now on." in notice.body
    assert "To check this notice:" in notice.body
    assert "Nobody in this incident ever asks you for a password" in notice.body
    assert notice.brief == f"TLP:AMBER {incident.reference}: look in IR Portal."


def test_each_language_has_words_of_its_own(administrator: User, incident: Incident) -> None:
    ContactPreferences.objects.create(user=incident.lead, language="cy")
    edited(administrator)
    assert "Amina Rahman takes over" not in said(incident).subject
    Notification.objects.filter(event=EVENT).delete()
    edited(administrator, language="cy", subject="{{ who }}, dirprwy", body="Rôl newydd: {{ role }}")
    notice = said(incident)
    assert notice.subject.endswith("Amina Rahman, dirprwy")
    assert "Rôl newydd: Deputy lead" in notice.body
    assert "I wirio’r hysbysiad hwn" in notice.body


def test_each_change_is_a_version_with_who_and_why(administrator: User) -> None:
    edited(administrator)
    edited(administrator, subject="Other", note="  A  typing error ", version=1, at=AT + timedelta(hours=1))
    versions, more = history(EVENT, "en-gb")
    assert [(one.row.version, one.row.note, one.row.edited_by) for one in versions] == [
        (2, "A typing error", str(administrator)),
        (1, "Shorter", str(administrator)),
    ]
    assert more is None
    assert [(one.kind, one.text) for one in versions[0].subject] == [("old", "{{ who }} takes over"), ("new", "Other")]
    assert {one.kind for one in versions[0].body} == {"kept"}


def test_older_versions_are_read_page_by_page(administrator: User) -> None:
    for version in range(12):
        edited(administrator, subject=f"Version {version}", version=version)
    first, more = history(EVENT, "en-gb")
    rest, end = history(EVENT, "en-gb", before=more)
    assert [one.row.version for one in [*first, *rest]] == list(range(12, 0, -1))
    assert end is None
    assert "".join(one.text for one in rest[-1].subject if one.kind != "new") == shipped(EVENT, "en-gb").subject


def test_back_to_shipped_and_undone(administrator: User, incident: Incident) -> None:
    edited(administrator)
    back_to_shipped(event=EVENT, language="en-gb", version=1, actor=actor_for(administrator), at=AT)
    assert standing(EVENT, "en-gb").is_shipped
    assert said(incident).subject.endswith("Amina Rahman is now deputy lead")
    Notification.objects.filter(event=EVENT).delete()
    restore_text(event=EVENT, language="en-gb", number=1, version=2, actor=actor_for(administrator), at=AT)
    assert said(incident).subject.endswith("Amina Rahman takes over")
    assert standing(EVENT, "en-gb").version == 3
    with pytest.raises(NotFoundError):
        restore_text(event=EVENT, language="en-gb", number=2, version=3, actor=actor_for(administrator), at=AT)


def test_a_form_made_from_an_older_version_is_refused(administrator: User) -> None:
    edited(administrator)
    with pytest.raises(StaleTextError):
        edited(administrator, subject="Mine")
    actor = actor_for(administrator)
    with pytest.raises(StaleTextError):
        back_to_shipped(event=EVENT, language="en-gb", version=0, actor=actor, at=AT)
    with pytest.raises(StaleTextError):
        restore_text(event=EVENT, language="en-gb", number=1, version=0, actor=actor, at=AT)
    assert NoticeText.objects.count() == 1


def test_of_two_who_save_at_once_the_second_is_refused(administrator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    before = standing(EVENT, "en-gb")
    edited(administrator)
    monkeypatch.setattr("runbooks.notifications.operations.editing.standing", lambda event, language: before)
    with pytest.raises(StaleTextError):
        edited(administrator, subject="Mine")
    assert NoticeText.objects.get().subject == "{{ who }} takes over"


def test_every_administrator_hears_of_each_change_even_at_night_and_nobody_else(
    administrator: User, coordinator: User
) -> None:
    other = make_user(Role.ADMINISTRATOR)
    make_user(Role.ADMINISTRATOR, is_active=False)
    edited(administrator)
    back_to_shipped(event=EVENT, language="en-gb", version=1, actor=actor_for(administrator), at=AT)
    told = Notification.objects.filter(event="notice.text_edited").order_by("pk")
    assert {notice.recipient for notice in told} == {administrator, other}
    assert all(notice.ignores_quiet_hours and notice.incident is None for notice in told)
    first = next(notice for notice in told if notice.about.endswith(":1"))
    assert str(administrator) in first.subject
    assert "Somebody was given a role" in first.body
    assert "Why: Shorter" in first.body
    assert any("It reads as shipped again" in notice.body for notice in told)


@pytest.mark.parametrize("event", ["contact.added", "contact.rules_changed", "seal.broken", "notice.text_edited"])
def test_what_warns_of_administrators_is_reworded_by_none(event: str, administrator: User, incident: Incident) -> None:
    with pytest.raises(BadNoticeTextError, match="It stays as shipped"):
        edited(administrator, event=event, subject="All is well", body="Do nothing.")
    # Not even where somebody wrote the row into the database.
    NoticeText.objects.create(
        event=event, language="en-gb", version=1, subject="Well", body="Do nothing.", edited_by="x", edited_at=AT
    )
    announce(incident, event, {**dict(standing(event, "en-gb").event.sample), "incident": ""}, at=AT)
    assert not Notification.objects.filter(body__contains="Do nothing.").exists()


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMINISTRATOR])
def test_no_other_role_changes_a_text(role: Role, administrator: User) -> None:
    edited(administrator)
    user = make_user(role)
    where: dict[str, Any] = {"event": EVENT, "language": "en-gb", "version": 1, "actor": actor_for(user), "at": AT}
    with pytest.raises(NotAllowedError):
        edited(user, version=1)
    with pytest.raises(NotAllowedError):
        back_to_shipped(**where)
    with pytest.raises(NotAllowedError):
        restore_text(**where, number=1)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"subject": ""}, "subject"),
        ({"body": "  \n\n"}, "body"),
        ({"note": " "}, "note"),
        ({"note": "x" * 301}, "note"),
        ({"subject": "x" * 301}, "subject"),
        ({"subject": "x" * 290}, "subject"),
        ({"body": "x " * 2001}, "body"),
        ({"subject": "One\nTwo"}, "subject"),
    ],
)
def test_what_cannot_be_is_said_at_its_field(changes: dict[str, Any], field: str, administrator: User) -> None:
    with pytest.raises(BadNoticeTextError) as caught:
        edited(administrator, **changes)
    assert caught.value.field == field
    assert not NoticeText.objects.exists()


def test_the_same_words_once_more_are_no_change(administrator: User) -> None:
    words = shipped(EVENT, "en-gb")
    with pytest.raises(BadNoticeTextError, match="Nothing is different"):
        edited(administrator, subject=words.subject, body=words.body.replace("\n", "\r\n") + "\r\n")


def test_an_event_or_a_language_that_is_not_there(administrator: User) -> None:
    for wrong in ({"event": "nothing.happened"}, {"language": "fr"}, {"event": "../base"}):
        with pytest.raises(NotFoundError):
            edited(administrator, **wrong)


def test_the_portal_itself_may_as_whoever_holds_the_command_line(administrator: User) -> None:
    with transaction.atomic():
        row = edit_text(event=EVENT, language="cy", subject="A", body="B", note="C", version=0, actor=PORTAL, at=AT)
    assert row.edited_by == "IR Portal"


def test_a_comparison_takes_a_name_in_braces_as_one_word() -> None:
    found = changes("{{ who }} is {{ role }}.", "{{ who }} was {{ note }}.")
    assert [(one.kind, one.text) for one in found] == [
        ("kept", "{{ who }} "),
        ("old", "is"),
        ("new", "was"),
        ("kept", " "),
        ("old", "{{ role }}"),
        ("new", "{{ note }}"),
        ("kept", "."),
    ]
