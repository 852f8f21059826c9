"""A text that breaks in the middle of the night stops no announcement: the shipped one leaves, and it is told once."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runbooks.access.models import Role, User
from runbooks.incidents.models import Incident
from runbooks.notifications import edited_texts
from runbooks.notifications.models import Escalation, NoticeText, Notification
from runbooks.notifications.operations import announce
from tests.factories import make_user

pytestmark = pytest.mark.django_db
AT = datetime(2026, 6, 23, 8, 7, tzinfo=UTC)
EVENT = "role.given"
ABOUT = f"text:{EVENT}:en-gb:1"
GIVEN = {"who": "Amina Rahman", "role": "Deputy lead", "note": ""}


def kept(subject: str, body: str, **changes: Any) -> NoticeText:
    """As the database holds it, whatever the rules were when it was written."""
    given: dict[str, Any] = {"event": EVENT, "language": "en-gb", "version": 1, "edited_by": "x", "edited_at": AT}
    return NoticeText.objects.create(subject=subject, body=body, **given | changes)


def say(incident: Incident, event: str = EVENT, context: dict[str, Any] = GIVEN) -> Notification:
    announce(incident, event, context, at=AT, to=[incident.lead])
    return Notification.objects.get(event=event, subject__contains=str(context["who"]) if "who" in context else "")


def told() -> list[Notification]:
    return list(Notification.objects.filter(event="notice.text_failed").order_by("about"))


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("{{ gone }}", "A word that a release no longer says"),
        ("A", "{% include 'base.html' %}"),
        ("A", "{% if who %}"),
        ("A", "{{ who.__class__ }}"),
        ("A", "{{ who|nothing }}"),
        ("{% if note %}x{% endif %}", "Its subject is empty for once"),
        ("A", "{% if note %}x{% endif %}"),
        ("A", "{{ who }}" * 2000),
        ("A", "{% if who %}" * 300 + "{% endif %}" * 300),
    ],
)
def test_the_shipped_text_goes_out_and_administrators_hear_why(
    subject: str, body: str, incident: Incident, administrator: User
) -> None:
    kept(subject, body)
    notice = say(incident)
    assert notice.subject.endswith("Amina Rahman is now deputy lead")
    assert "Amina Rahman is now deputy lead." in notice.body
    (failed,) = told()
    assert failed.recipient == administrator
    assert "Somebody was given a role" in failed.body
    assert "What is wrong: " in failed.body


def test_it_is_told_once_a_version(incident: Incident, administrator: User) -> None:
    kept("A", "{{ gone }}")
    for who in ("Amina", "Tom", "Ben"):
        say(incident, context={**GIVEN, "who": who})
    assert len(told()) == 1
    kept("A", "{{ lost }}", version=2)
    say(incident, context={**GIVEN, "who": "Eve"})
    assert [notice.about for notice in told()] == [f"text:{EVENT}:en-gb:1", f"text:{EVENT}:en-gb:2"]


def test_each_administrator_hears_it_and_where_there_is_none_the_notice_leaves_all_the_same(
    incident: Incident,
) -> None:
    kept("A", "{{ gone }}")
    assert say(incident).subject.endswith("is now deputy lead")
    assert told() == []
    people = {make_user(Role.ADMINISTRATOR), make_user(Role.ADMINISTRATOR)}
    say(incident, context={**GIVEN, "who": "Tom"})
    assert {notice.recipient for notice in told()} == people


@pytest.mark.parametrize(
    "fault", [RecursionError(), TypeError("x"), KeyError("y"), ZeroDivisionError(), ValueError("z")]
)
def test_whatever_the_text_stumbles_over_is_a_fault_of_the_text(
    fault: Exception, incident: Incident, administrator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise fault

    kept("A", "B")
    monkeypatch.setattr(edited_texts, "framed", broken)
    assert say(incident).subject.endswith("is now deputy lead")
    assert len(told()) == 1


def test_a_chain_that_it_starts_keeps_the_shipped_words_too(incident: Incident, administrator: User) -> None:
    kept("A", "{{ gone }}", event="incident.declared")
    say(incident, "incident.declared", {"severity": "High", "lead": "Amina"})
    chain = Escalation.objects.get()
    assert set(chain.texts["en-gb"]) == {"subject", "body", "brief"}
    assert "incident declared, severity High" in chain.texts["en-gb"]["subject"]


def test_the_notice_of_the_fault_cannot_fail_itself(incident: Incident, administrator: User) -> None:
    kept("A", "{{ gone }}")
    kept("B", "{{ gone }}", event="notice.text_failed")
    say(incident)
    assert told()[0].subject.endswith("an edited text could not be used: somebody was given a role")


def test_a_text_costs_an_announcement_one_query_and_no_more(incident: Incident) -> None:
    counts = []
    for words in ({}, {"subject": "{{ who }}", "body": "{{ role }}"}):
        if words:
            kept(**words)
        with CaptureQueriesContext(connection) as found:
            say(incident, context={**GIVEN, "who": f"P{len(counts)}"})
        counts.append(len(found))
    assert counts[0] == counts[1]


def test_while_another_transaction_tells_it_nobody_waits_and_nobody_hears_it_twice(
    incident: Incident, administrator: User
) -> None:
    kept("A", "{{ gone }}")
    other = connection.copy()
    try:
        # Given back at its end: what a session holds would stay held by a connection that goes back to the pool.
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [ABOUT])
            assert say(incident).subject.endswith("is now deputy lead")
            assert told() == []
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [ABOUT])
    finally:
        other.close()
    say(incident, context={**GIVEN, "who": "Tom"})
    assert len(told()) == 1
