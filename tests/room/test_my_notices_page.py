"""What I was told stands on one page, and saying that I have seen it stops what would still come."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runbooks.access.models import Membership, User
from runbooks.access.permissions import actor_for
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Escalation, Notification
from runbooks.notifications.operations import announce, tell
from runbooks.room.queries.work import top_counts
from tests.access.test_auditor_writes_nothing import writes, written
from tests.factories import make_incident

SignIn = Callable[[User], Client]
Status = Notification.Status
pytestmark = pytest.mark.django_db
PAGE = "/notices/"
BREAK_GLASS = {"who": "Amina Rahman", "what": "Sign-in disabled for 9 accounts", "reason": "Nobody else was awake."}


def important(incident: Incident, *users: User, ago: timedelta = timedelta()) -> Notification:
    at = timezone.now() - ago
    announce(incident, "action.break_glass", BREAK_GLASS, at=at, to=users)
    return Notification.objects.filter(event="action.break_glass").latest("created_at", "pk")


def plain(incident: Incident, *users: User, number: int = 1, ago: timedelta = timedelta()) -> Notification:
    context = {"before": "Open", "after": f"Number {number}", "reason": ""}
    announce(incident, "incident.status_changed", context, at=timezone.now() - ago, to=users)
    return Notification.objects.filter(event="incident.status_changed").latest("created_at", "pk")


def shown(client: Client, **asked: str) -> tuple[list[str], list[str]]:
    """What waits, and what else there is."""
    context = client.get(PAGE, asked).context
    return [one.what for one in context["waiting"]], [one.what for one in context["notices"]]


def test_what_waits_for_an_answer_stands_first_with_its_whole_text(
    client_of: SignIn, responder: User, incident: Incident
) -> None:
    important(incident, responder, ago=timedelta(hours=1))
    plain(incident, responder)
    client = client_of(responder)
    waiting, others = shown(client)
    assert [len(waiting), others] == [1, ["Now number 1"]]
    content = client.get(PAGE).content.decode()
    assert "Nobody else was awake." in content
    assert f"/incidents/{incident.reference}/" in content


def test_the_top_bar_counts_what_waits_for_an_answer(
    client_of: SignIn, responder: User, coordinator: User, incident: Incident
) -> None:
    notice = important(incident, responder)
    plain(incident, responder)
    now = timezone.now()
    assert top_counts(actor_for(responder), now).notices == 1
    assert top_counts(actor_for(coordinator), now).notices == 0
    client_of(responder).post(f"{PAGE}{notice.pk}/seen/")
    assert top_counts(actor_for(responder), now).notices == 0


@pytest.mark.parametrize(
    "state",
    [
        {"status": Status.DROPPED},
        {"expires_at": timezone.now() - timedelta(minutes=1)},
        {"created_at": timezone.now() - timedelta(days=30)},
    ],
    ids=["not needed any more", "too old to be of use", "long ago"],
)
def test_what_is_of_no_use_any_more_waits_for_nobody(
    client_of: SignIn, responder: User, incident: Incident, state: dict[str, Any]
) -> None:
    notice = important(incident, responder)
    Notification.objects.filter(pk=notice.pk).update(**state)
    assert top_counts(actor_for(responder), timezone.now()).notices == 0
    assert [len(part) for part in shown(client_of(responder))] == [0, 1]


def test_saying_that_i_have_seen_it_stops_further_channels(
    client_of: SignIn, responder: User, incident: Incident
) -> None:
    notice = important(incident, responder)
    response = client_of(responder).post(f"{PAGE}{notice.pk}/seen/", follow=True)
    assert response.redirect_chain == [(PAGE, 302)]
    assert "Noted: you have seen" in response.content.decode()
    notice.refresh_from_db()
    assert notice.acknowledged_at is not None
    assert notice.status == Status.DROPPED


@pytest.mark.parametrize(
    ("wanted", "leads_to"),
    [("/incidents/", "/incidents/"), ("https://evil.example/", PAGE), ("//evil.example/", PAGE), ("", PAGE)],
)
def test_the_form_leads_back_to_its_page_and_never_elsewhere(
    client_of: SignIn, responder: User, incident: Incident, wanted: str, leads_to: str
) -> None:
    notice = important(incident, responder)
    response = client_of(responder).post(f"{PAGE}{notice.pk}/seen/", {"next": wanted})
    assert response.headers["Location"] == leads_to


def test_nobody_answers_for_others(client_of: SignIn, responder: User, desk: User, incident: Incident) -> None:
    notice = important(incident, responder)
    assert client_of(desk).post(f"{PAGE}{notice.pk}/seen/").status_code == 404
    notice.refresh_from_db()
    assert notice.acknowledged_at is None
    assert shown(client_of(desk)) == ([], [])


def test_who_left_an_incident_reads_no_more_of_it_here(client_of: SignIn, responder: User, incident: Incident) -> None:
    important(incident, responder)
    plain(incident, responder)
    Membership.objects.filter(user=responder).update(ended_at=timezone.now())
    assert shown(client_of(responder)) == ([], [])
    assert top_counts(actor_for(responder), timezone.now()).notices == 0


def test_notices_about_the_portal_itself_are_there_as_well(client_of: SignIn, responder: User) -> None:
    tell([responder], "contact.tested", {"who": str(responder)}, at=timezone.now())
    _, (what,) = shown(client_of(responder))
    assert what
    assert "About the portal itself" in client_of(responder).get(PAGE).content.decode()


def test_all_that_the_page_showed_is_seen_at_once_and_nothing_that_came_since(
    client_of: SignIn, responder: User, incident: Incident
) -> None:
    for number in range(3):
        plain(incident, responder, number=number, ago=timedelta(minutes=number + 1))
    client = client_of(responder)
    until = client.get(PAGE).context["until"]
    later = plain(incident, responder, number=9)
    client.post(f"{PAGE}seen/", {"until": until})
    assert [one.pk for one in Notification.objects.filter(acknowledged_at__isnull=True)] == [later.pk]
    assert shown(client, show="unseen") == ([], ["Now number 9"])


def test_what_calls_others_is_not_among_all(client_of: SignIn, responder: User, incident: Incident) -> None:
    notice = important(incident, responder)
    at = timezone.now()
    chain = Escalation.objects.create(
        incident=incident, event=notice.event, about="action:1", sequence=0, texts={}, repeats=0, started_at=at,
        steps=[{"to": "lead", "wait": 5}], next_at=at, moved_at=at,
    )  # fmt: skip
    Notification.objects.filter(pk=notice.pk).update(escalation=chain)
    client = client_of(responder)
    client.post(f"{PAGE}seen/", {"until": client.get(PAGE).context["until"]})
    chain.refresh_from_db()
    assert chain.status == Escalation.Status.RUNNING
    client.post(f"{PAGE}{notice.pk}/seen/")
    chain.refresh_from_db()
    assert chain.status == Escalation.Status.ANSWERED


@pytest.mark.parametrize("until", ["", "x", "2026-01-01T00:00:00", "2026-99-01T00:00:00Z"])
def test_nonsense_in_the_form_is_refused(client_of: SignIn, responder: User, until: str) -> None:
    assert client_of(responder).post(f"{PAGE}seen/", {"until": until}).status_code == 404


def test_an_auditor_reads_what_they_were_told_and_writes_nothing(
    client_of: SignIn, auditor: User, incident: Incident
) -> None:
    context = {"broken_at": 3, "finding": "its hash is another one", "asked_by": "the portal itself"}
    announce(incident, "seal.broken", context, at=timezone.now(), to=[auditor])
    client, before = client_of(auditor), writes()
    assert client.post(f"{PAGE}{Notification.objects.get().pk}/seen/").status_code == 403
    assert Notification.objects.get().acknowledged_at is None
    assert not written(before) - {"django_session"}


def test_pages_follow_each_other_without_a_gap_or_a_repeat(
    client_of: SignIn, responder: User, incident: Incident
) -> None:
    important(incident, responder)
    for number in range(65):
        plain(incident, responder, number=number, ago=timedelta(minutes=number))
    client, seen, before = client_of(responder), [], ""
    while True:
        context = client.get(PAGE, {"before": before}).context
        seen += [one.what for one in context["notices"]]
        assert len(context["waiting"]) == (0 if before else 1)
        before = context["next"]
        if not before:
            break
    assert seen == [f"Now number {number}" for number in range(65)]


def test_queries_do_not_grow_with_notices_and_incidents(
    client_of: SignIn, responder: User, coordinator: User, incident: Incident
) -> None:
    plain(incident, responder)
    client = client_of(responder)
    client.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        client.get(PAGE)
    for _ in range(5):
        other = make_incident(lead=coordinator, members=(responder,))
        for number in range(5):
            plain(other, responder, number=number)
            important(other, responder)
    with CaptureQueriesContext(connection) as many:
        client.get(PAGE)
    assert len(many) == len(few)


def test_on_the_overview_a_notice_is_answered_where_it_is_read(
    client_of: SignIn, responder: User, incident: Incident
) -> None:
    notice, client = important(incident, responder), client_of(responder)
    page = f"/incidents/{incident.reference}/"
    assert "Told to you" in client.get(page).content.decode()
    response = client.post(f"{PAGE}{notice.pk}/seen/", {"next": page}, follow=True)
    assert response.redirect_chain == [(page, 302)]
    assert "Told to you" not in response.content.decode()
