"""Who read what, and from where: writing that log, and reading it.

Rows are only added; a trigger refuses the rest. A reading that cannot be noted does not happen: it is written before
the answer goes out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from allauth.core.internal.httpkit import get_client_ip
from django.db import connection, transaction
from django.http import HttpRequest

from runbooks.access.http import PortalRequest
from runbooks.access.models import AccessRecord, User

Kind = AccessRecord.Kind
SUBJECT_MAX: Final = 400
# A page that is open fetches itself at every change: within this time it is one reading, however often.
SAME_READING: Final = timedelta(minutes=10)
# Among this many of the person's last readings the same page is looked for.
LOOKED_BACK: Final = 100
NOTE_ONCE: Final = """
WITH place AS (SELECT coalesce(%(incident)s::uuid, (SELECT id FROM runbooks_incident WHERE reference = %(reference)s)))
INSERT INTO runbooks_accessrecord (user_id, name, role, incident_id, kind, subject, network, at)
SELECT %(user)s, %(name)s, %(role)s, place.coalesce, %(kind)s, %(subject)s, %(network)s::inet, %(at)s FROM place
WHERE NOT EXISTS (
    SELECT FROM (
        SELECT incident_id, kind, subject, network, at FROM runbooks_accessrecord WHERE user_id = %(user)s
        ORDER BY id DESC LIMIT %(looked_back)s
    ) recent
    WHERE (recent.incident_id, recent.kind, recent.subject, recent.network)
            IS NOT DISTINCT FROM (place.coalesce, %(kind)s, %(subject)s, %(network)s::inet)
        AND recent.at > %(since)s
)
"""
LISTED: Final = """
SELECT id, at, user_id, name, role, kind, subject, host(network) FROM runbooks_accessrecord
WHERE incident_id = %s
"""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, and the address they come from; empty where none is known."""

    user: User
    network: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """The incident that is read, by its id or as an address names it; neither outside of incidents."""

    incident_id: UUID | None = None
    reference: str = ""


class Reading(NamedTuple):
    """A row of the log. `role` is the one the person had then."""

    id: int
    at: datetime
    user_id: int
    name: str
    role: str
    kind: str
    subject: str
    network: str | None


def reader_of(request: PortalRequest) -> Reader:
    return Reader(request.user, network_of(request))


def network_of(request: HttpRequest) -> str | None:
    return get_client_ip(request) or None


@transaction.atomic
def note_reading(*, reader: Reader, incident_id: UUID | None, kind: str, subject: str, at: datetime) -> AccessRecord:
    """Keep that this person reads this now. The caller has asked whether they may."""
    return AccessRecord.objects.create(
        user=reader.user,
        name=str(reader.user)[:160],
        role=reader.user.role,
        incident_id=incident_id,
        kind=kind,
        subject=subject[:SUBJECT_MAX],
        network=reader.network,
        at=at,
    )


def note_page(reader: Reader, place: Place, *, kind: str = Kind.PAGE, subject: str, at: datetime) -> None:
    """Keep that this page was read: one statement, and one row while the same page stays open."""
    values: dict[str, Any] = {
        "user": reader.user.pk,
        "name": str(reader.user)[:160],
        "role": reader.user.role,
        "incident": place.incident_id,
        "reference": place.reference.upper(),
        "kind": kind,
        "subject": subject[:SUBJECT_MAX],
        "network": reader.network,
        "at": at,
        "since": at - SAME_READING,
        "looked_back": LOOKED_BACK,
    }
    with connection.cursor() as cursor:
        cursor.execute(NOTE_ONCE, values)


def note_account(request: PortalRequest, *, incident_id: UUID, login: str, at: datetime) -> None:
    """Keep that the page of this account is read, by whomever: it says more of a holder than any other."""
    if request.method != "HEAD":
        note_page(reader_of(request), Place(incident_id), kind=Kind.ACCOUNT, subject=login, at=at)
    request.is_reading_noted = True


def readings(
    incident_id: UUID, *, before: int | None = None, user_id: int | None = None, kind: str = "", limit: int = 100
) -> Sequence[Reading]:
    """The newest first, from before the row of that id on; of one person or kind where one is named."""
    statement: list[str] = [LISTED]
    values: list[Any] = [incident_id]
    for condition, value in (("id < %s", before), ("user_id = %s", user_id), ("kind = %s", kind or None)):
        if value is not None:
            statement.append(f"AND {condition}")
            values.append(value)
    statement.append("ORDER BY id DESC LIMIT %s")
    with connection.cursor() as cursor:
        cursor.execute("\n".join(statement), [*values, limit])
        return [Reading(*row) for row in cursor.fetchall()]


def readers(incident_id: UUID) -> list[tuple[int, str]]:
    """Who read something of the incident, by name: whom a filter can ask for."""
    found = AccessRecord.objects.filter(incident_id=incident_id).order_by("user_id").distinct("user_id")
    return sorted(found.values_list("user_id", "user__name"), key=lambda one: one[1])
