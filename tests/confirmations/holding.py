"""Holders for tests: an incident with accounts that have codes, and a way through the staff pages."""

import re
from datetime import timedelta
from typing import Any

from django.utils import timezone

from runbooks.access.permissions import COMMAND_LINE
from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.confirmations.operations import Issued, Order, issue_codes
from runbooks.incidents.models import Incident
from tests.factories import make_account, make_affected, make_incident

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="[^"]+"')


def make_holder(incident: Incident, login: str, **changes: Any) -> AffectedAccount:
    """An account that was got into and is contained: what is left is its holder's word."""
    at = timezone.now() - timedelta(hours=1)
    done = dict.fromkeys(("contained_at", "sign_in_disabled_at", "sessions_revoked_at", "rules_checked_at"), at)
    fields = {"tier": "B", "state": State.CONTAINED, **done, **changes}
    return make_affected(incident, make_account(login=login), **fields)


def issue(*rows: AffectedAccount, channel: str = "letter", at: Any = None) -> list[Issued]:
    """A code for each of one incident; the codes in clear."""
    orders = [Order(row.pk, channel) for row in rows]
    incident_id = rows[0].incident_id
    return issue_codes(incident_id=incident_id, orders=orders, actor=COMMAND_LINE, at=at or timezone.now())


def make_coded(login: str = "m.ferreira-0412@parliament.example", **changes: Any) -> tuple[AffectedAccount, str]:
    """A holder of an incident of its own, and their code."""
    row = make_holder(make_incident(**changes), login)
    return row, issue(row)[0].code


def body(response: Any) -> str:
    """What is shown, without what differs from one answer to the next by design."""
    return TOKEN.sub("", response.content.decode())
