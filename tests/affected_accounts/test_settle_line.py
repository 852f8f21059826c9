"""Lines of a list that named nobody, or could name several."""

import pytest

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount, UnresolvedLine
from runbooks.affected_accounts.operations import apply_import, settle_line, stage_import
from runbooks.affected_accounts.operations.settle_line import CannotSettleError
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.operations import now
from tests.factories import make_account, make_affected

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(incident: Incident, responder: User) -> UnresolvedLine:
    actor = actor_for(responder)
    staged = stage_import(
        incident_id=incident.pk, file_name="list.txt", content=b"Nemo, Captain\n", actor=actor, at=now()
    )
    apply_import(incident_id=incident.pk, import_id=staged.pk, picks={}, actor=actor, at=now())
    return UnresolvedLine.objects.get()


def settle(line: UnresolvedLine, user: User, account_id: int | None, reason: str = "") -> UnresolvedLine:
    return settle_line(
        incident_id=line.incident_id,
        line_id=line.pk,
        account_id=account_id,
        reason=reason,
        actor=actor_for(user),
        at=now(),
    )


def test_the_account_it_means_is_added_to_the_incident(
    line: UnresolvedLine, incident: Incident, responder: User
) -> None:
    account = make_account()
    settled = settle(line, responder, account.pk)
    row = AffectedAccount.objects.get(incident=incident)
    assert row.account == account
    assert settled.settled_as == row
    event = TimelineEvent.objects.get(incident=incident, kind="account.line_settled")
    assert event.summary == f"The line “Nemo, Captain” means {account.login}"


def test_an_account_that_is_there_already_is_not_added_again(
    line: UnresolvedLine, incident: Incident, responder: User
) -> None:
    row = make_affected(incident)
    assert settle(line, responder, row.account_id).settled_as == row
    assert AffectedAccount.objects.count() == 1


def test_nobody_needs_a_reason(line: UnresolvedLine, responder: User) -> None:
    with pytest.raises(CannotSettleError, match="Say why this line means nobody"):
        settle(line, responder, None, " ")
    settled = settle(line, responder, None, "A character of a novel")
    assert (settled.settled_as, settled.settled_reason) == (None, "A character of a novel")


def test_a_line_is_settled_once(line: UnresolvedLine, responder: User) -> None:
    settle(line, responder, None, "A character of a novel")
    with pytest.raises(CannotSettleError, match=f"{responder.name} settled this line already"):
        settle(line, responder, make_account().pk)


def test_desk_may_not_and_the_outsider_finds_nothing(line: UnresolvedLine, desk: User, outsider: User) -> None:
    for user, refusal in ((desk, NotAllowedError), (outsider, NotFoundError)):
        with pytest.raises(refusal):
            settle(line, user, None, "x")
