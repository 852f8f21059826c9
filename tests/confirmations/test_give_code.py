"""A code for one holder by a person, after they recognised whom they speak with."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from runbooks.access.confirming import PASSWORD, Confirmation
from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount, ContactAttempt
from runbooks.confirmations.codes import CONFIRM_PASSWORD, digest_of
from runbooks.confirmations.models import Code
from runbooks.confirmations.operations import CannotIssueError, Issued
from runbooks.confirmations.operations.handing import Giving, give_code
from runbooks.confirmations.operations.recognising import NotRecognisedError
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from tests.confirmations.holders import days_ago, make_holder

pytestmark = pytest.mark.django_db
NUMBER = "07700 900123"


def give(row: AffectedAccount, who: User, channel: str, *, second: User | None = None, **more: Any) -> Issued:
    at = timezone.now()
    seconded = (second, Confirmation(second.pk, PASSWORD, at)) if second else None
    return give_code(
        incident_id=row.incident_id, affected_id=row.pk, giving=Giving(channel, **more), actor=actor_for(who), at=at,
        seconded=seconded,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("channel", "more", "lives"),
    [
        ("read_out", {"check": "called_back", "number": NUMBER}, timedelta(minutes=15)),
        ("in_person", {"check": "pass"}, timedelta(hours=24)),
    ],
)
def test_a_holder_who_was_recognised_gets_a_code_and_counts_as_reached(
    incident: Incident, desk: User, channel: str, more: dict[str, str], lives: timedelta
) -> None:
    row = make_holder(incident)
    issued = give(row, desk, channel, **more)
    code = Code.objects.get()
    assert code.digest == digest_of(CONFIRM_PASSWORD, row.login, issued.code)
    assert code.expires_at - code.issued_at == lives
    assert ContactAttempt.objects.get().outcome == "reached"
    row.refresh_from_db()
    assert row.holder_reached_at is not None


@pytest.mark.parametrize(
    ("channel", "more"),
    [
        ("read_out", {}),
        ("read_out", {"check": "called_back"}),
        ("read_out", {"check": "two_facts", "number": NUMBER}),
        ("read_out", {"check": "called_back", "number": "07700 900999"}),
        ("in_person", {}),
        ("in_person", {"check": "called_back", "number": NUMBER}),
        ("text", {"number": NUMBER}),
        ("mail", {}),
    ],
)
def test_without_recognising_the_holder_there_is_no_code(
    incident: Incident, desk: User, channel: str, more: dict[str, str]
) -> None:
    with pytest.raises(DomainError):
        give(make_holder(incident), desk, channel, **more)
    assert not Code.objects.exists()
    assert not ContactAttempt.objects.exists()


def test_a_number_that_changed_lately_gets_no_code_by_calling_back(incident: Incident, desk: User) -> None:
    row = make_holder(incident, on_file={"contact_changed_at": days_ago(3)})
    with pytest.raises(NotRecognisedError, match="3 days ago"):
        give(row, desk, "read_out", check="called_back", number=NUMBER)
    assert not Code.objects.exists()


def test_through_a_colleague_it_takes_two_of_ours(incident: Incident, desk: User, responder: User) -> None:
    row = make_holder(incident)
    with pytest.raises(CannotIssueError, match="second person"):
        give(row, desk, "colleague", colleague="Jo Bray")
    with pytest.raises(CannotIssueError, match="somebody else than you"):
        give(row, desk, "colleague", colleague="Jo Bray", second=desk)
    with pytest.raises(CannotIssueError, match="Name the colleague"):
        give(row, desk, "colleague", second=responder)
    give(row, desk, "colleague", colleague="Jo Bray", second=responder)
    code = Code.objects.get()
    assert (code.issuer, code.seconded_by, code.colleague) == (desk, responder, "Jo Bray")
    row.refresh_from_db()
    assert row.holder_reached_at is None


def test_the_second_person_may_issue_codes_themselves(
    incident: Incident, desk: User, auditor: User, outsider: User
) -> None:
    row = make_holder(incident)
    for second, error in ((auditor, NotAllowedError), (outsider, NotFoundError)):
        with pytest.raises(error):
            give(row, desk, "colleague", colleague="Jo Bray", second=second)
    assert not Code.objects.exists()


def test_who_may_not_issue_codes_gives_none(incident: Incident, auditor: User, outsider: User) -> None:
    row = make_holder(incident)
    for who, error in ((auditor, NotAllowedError), (outsider, NotFoundError)):
        with pytest.raises(error):
            give(row, who, "in_person", check="pass")
    assert not Code.objects.exists()
