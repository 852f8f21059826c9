"""Putting a file on hold, and lifting the hold."""

from typing import Any

import pytest

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.attachments.models import Attachment, CustodyEvent
from runbooks.attachments.operations import BadAttachmentError, CannotHoldError, hold, release
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.attachments.conftest import NOON, Attach

pytestmark = pytest.mark.django_db


@pytest.fixture
def where(incident: Incident, coordinator: User, attach: Attach) -> dict[str, Any]:
    return {
        "incident_id": incident.pk,
        "number": attach().number,
        "reason": "The police asked",
        "actor": actor_for(coordinator),
        "at": NOON,
    }


def test_a_hold_is_put_and_lifted_with_reasons_that_stay(
    where: dict[str, Any], incident: Incident, coordinator: User
) -> None:
    held = hold(**where)
    assert (held.held_at, held.held_by, held.hold_reason) == (NOON, coordinator.name, "The police asked")
    lifted = release(**{**where, "reason": "The court is done"})
    assert (lifted.held_at, lifted.held_by, lifted.hold_reason) == (None, "", "")
    did = CustodyEvent.objects.filter(attachment=held).order_by("pk").values_list("kind", "note", "name")
    assert list(did)[1:] == [
        ("held", "The police asked", coordinator.name),
        ("released", "The court is done", coordinator.name),
    ]
    entries = TimelineEvent.objects.filter(incident=incident, kind__startswith="file.").order_by("sequence")
    assert [(one.kind, one.lane) for one in entries][1:] == [("file.held", "decision"), ("file.released", "decision")]
    assert entries[1].details["reason"] == "The police asked"


def test_neither_is_done_twice(where: dict[str, Any]) -> None:
    with pytest.raises(CannotHoldError, match="is not on hold"):
        release(**where)
    hold(**where)
    with pytest.raises(CannotHoldError, match="on hold already"):
        hold(**where)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 401, "a\0b"])
def test_a_reason_is_needed_that_can_be_kept(reason: str, where: dict[str, Any]) -> None:
    with pytest.raises(BadAttachmentError):
        hold(**{**where, "reason": reason})
    assert Attachment.objects.get().held_at is None


@pytest.mark.parametrize("operate", [hold, release])
def test_only_coordinators_of_the_incident_decide(
    operate: Any, where: dict[str, Any], responder: User, auditor: User, outsider: User
) -> None:
    for person, refusal in ((responder, NotAllowedError), (auditor, NotAllowedError), (outsider, NotFoundError)):
        with pytest.raises(refusal):
            operate(**{**where, "actor": actor_for(person)})
    with pytest.raises(NotFoundError):
        operate(**{**where, "number": 99})
