"""Asking for an export from a page. The request only hands the wish to the broker: it writes nothing to the database,
and so may be an auditor's. A worker looks at all of it again, takes it down and makes it."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from runbooks.access.models import User
from runbooks.access.permissions import Actor, actor_for, require
from runbooks.errors import DomainError
from runbooks.exports import wishes
from runbooks.exports.models import Export
from runbooks.exports.operations.handing import CannotHandOverError, hand
from runbooks.exports.operations.making import make_export
from runbooks.exports.operations.requesting import CannotExportError, Wish, checked, request_export
from runbooks.exports.queries.asked import asked, narrowing
from runbooks.exports.queries.list import OPEN
from runbooks.exports.wishes import MOST, Stand, Wishes
from runbooks.incidents.models import Incident

GONE: Final = "Who asked for it cannot sign in any more."


def ask_export(*, incident_id: UUID, wish: Wish, actor: Actor, at: datetime) -> UUID:
    """The id of the export that a worker will make of it. What cannot be made is refused at once.

    Raises what `request_export` raises, and CannotHandOverError.
    """
    require(actor, "export_timeline", incident_id)
    if actor.user_id is None:
        raise CannotExportError("Somebody who is signed in asks here. A command makes the export itself.")
    checked(wish)
    _refuse_too_many(incident_id, actor.user_id)
    asked(Incident.objects.get(pk=incident_id), narrowing(wish.query), at)
    export_id = uuid4()
    given = {**asdict(wish), "query": narrowing(wish.query)}
    Wishes(incident_id, actor.user_id).add(Stand(export_id, wish.format, at))
    try:
        hand(
            "exports.ask", expires=wishes.SECONDS, command="export", export_id=str(export_id),
            incident_id=str(incident_id), user_id=actor.user_id, wish=given,
        )  # fmt: skip
    except CannotHandOverError:
        wishes.forget(export_id)
        raise
    return export_id


def _refuse_too_many(incident_id: UUID, user_id: int) -> None:
    """Nobody keeps the workers busy for everybody else."""
    wished = {stand.export_id for stand in Wishes(incident_id, user_id).stands() if not stand.refused}
    of_incident = Export.objects.filter(incident=incident_id)
    taken = set(of_incident.filter(pk__in=wished).values_list("pk", flat=True))
    waiting = len(wished - taken) + of_incident.filter(requester=user_id, status__in=OPEN).count()
    if waiting >= MOST:
        raise CannotExportError(f"{waiting} exports that you asked for are not made yet. Wait for one of them first.")


def take_wish(
    *, export_id: UUID, incident_id: UUID, user_id: int, wish: dict[str, Any], clock: Callable[[], datetime]
) -> Export | None:
    """Take down what was asked for, as whoever asked may do now, and make it. What comes twice is taken down once.

    None where it is refused, which the page of who asked says, or where another worker has it.
    """
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        wishes.refuse(export_id, GONE)
        return None
    actor, given = actor_for(user), Wish(**wish)
    try:
        taken = request_export(incident_id=incident_id, wish=given, actor=actor, at=clock(), export_id=export_id)
    except DomainError as error:
        wishes.refuse(export_id, str(error))
        return None
    return make_export(export_id=taken.pk, clock=clock, watched=True)
