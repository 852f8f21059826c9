"""What needs somebody now because of what holders answered, or because a text did not go out."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount, ContactAttempt, State
from runbooks.affected_accounts.operations import Attempt, log_contact
from runbooks.confirmations.models import DirectoryWatch, TextOrder
from runbooks.confirmations.operations import Order, issue_codes
from runbooks.confirmations.queries.needs import HolderNeeds, holder_needs
from runbooks.incidents.models import Incident
from tests.confirmations.holders import answered, make_holder

pytestmark = pytest.mark.django_db


def changed_in_silence(row: AffectedAccount) -> None:
    at = timezone.now()
    AffectedAccount.objects.filter(pk=row.pk).update(
        state=State.CONTAINED, contained_at=at - timedelta(hours=2), password_changed_at=at - timedelta(hours=1)
    )


def failed_text(row: AffectedAccount) -> None:
    TextOrder.objects.create(
        incident=row.incident, affected_account=row, number="+447700900123", number_source="the directory",
        ordered_by="A test", ordered_at=timezone.now() - timedelta(hours=1), status="failed", reason="refused",
    )  # fmt: skip


def test_the_newest_answer_of_each_holder_counts_until_they_were_reached(incident: Incident, desk: User) -> None:
    not_me, differs, mended = (make_holder(incident) for _ in range(3))
    answered(not_me, "not_me", "not_asked")
    answered(differs, "changed", "differs")
    answered(mended, "changed", "differs")
    answered(mended, "changed", "agrees")
    assert holder_needs(incident.pk) == HolderNeeds(1, 1, 0)
    reached = Attempt(
        ContactAttempt.Channel.PHONE, ContactAttempt.Outcome.REACHED, timezone.now(), identity_check="by voice"
    )
    log_contact(
        incident_id=incident.pk, account_ids=[not_me.pk], attempt=reached, actor=actor_for(desk), at=timezone.now()
    )
    assert holder_needs(incident.pk) == HolderNeeds(0, 1, 0)


def test_a_text_that_failed_counts_until_a_code_goes_another_way(incident: Incident, desk: User) -> None:
    row = make_holder(incident)
    failed_text(row)
    assert holder_needs(incident.pk) == HolderNeeds(0, 0, 1)
    issue_codes(
        incident_id=incident.pk, orders=[Order(row.pk, "letter", "Room 412")], actor=actor_for(desk), at=timezone.now()
    )
    assert holder_needs(incident.pk) == HolderNeeds()


def test_the_overview_says_it_to_who_can_do_something(
    incident: Incident, coordinator: User, desk: User, auditor: User, client_of: Callable[[User], Client]
) -> None:
    answered(make_holder(incident), "not_me", "not_asked")
    answered(make_holder(incident), "changed", "differs")
    failed_text(make_holder(incident))
    changed_in_silence(make_holder(incident))
    answered(make_holder(incident), "changed", "pending")
    DirectoryWatch.objects.create(incident=incident, trouble="The directory does not answer.")
    there = reverse("incident", args=[incident.reference])
    said = (
        "1 holder answered “not me, or not sure”", "1 holder answered “changed”", "1 text message with a code",
        "1 password changed, and the holder has said nothing",
    )  # fmt: skip
    page = client_of(desk).get(there).text
    assert all(words in page for words in said)
    unread = ("1 answer of holders not checked", "The directory does not answer.")
    assert all(words in client_of(coordinator).get(there).text for words in unread)
    assert reverse("desk", args=[incident.reference]) in page
    assert not any(words in client_of(auditor).get(there).text for words in said)
