"""Loading the demonstration into an empty portal, whole or not at all."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE
from runbooks.demonstration.institution import make_institution
from runbooks.demonstration.notices import deliver_as_of_then
from runbooks.demonstration.people import PEOPLE, SignIn, make_users
from runbooks.demonstration.story import LENGTH, TITLE, play_story
from runbooks.directory.models import Account, Protection
from runbooks.directory.operations import import_file, protect_account
from runbooks.errors import DomainError
from runbooks.exports.models import Verification
from runbooks.exports.operations.verifying import verify
from runbooks.incidents.models import Incident
from runbooks.presentation import plural
from runbooks.timeline.models import TimelineEvent

# The day’s export had run before anybody noticed something.
IMPORTED_BEFORE = timedelta(hours=9)


class NotEmptyError(DomainError):
    """The portal is in use: a demonstration has no place beside real incidents or a real directory."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded, and what a walk along the timeline's chain found, which the badge of its pages then shows."""

    incident: Incident
    verification: Verification
    notices: int


def sign_ins_file() -> Path:
    return Path(settings.RUN_DIR) / "sign-ins.json"


def demonstration_incident() -> Incident | None:
    """The incident that was loaded before, told by its sealed first entry: titles can be edited, entries cannot."""
    first = TimelineEvent.objects.filter(
        sequence=1, kind="incident.declared", details__title=TITLE, details__exercise=True
    )
    return Incident.objects.filter(pk__in=first.values("incident_id")).order_by("declared_at").first()


def read_sign_ins() -> list[SignIn]:
    """The sign-ins as they were written; none where the file was taken away."""
    try:
        return [SignIn(**entry) for entry in json.loads(sign_ins_file().read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []


def load_demonstration(*, seed: int, accounts: int, at: datetime) -> Loaded:
    """Load the institution, the people and the story, ending at `at`. Raises NotEmptyError, BadSizeError."""
    incident = play(seed=seed, accounts=accounts, at=at)
    verification = verify(incident_id=incident.pk, whole=True, asked_by="The demonstration", clock=timezone.now)
    return Loaded(incident, verification, deliver_as_of_then(incident.pk))


@transaction.atomic
def play(*, seed: int, accounts: int, at: datetime) -> Incident:
    """As `load_demonstration`, without delivering the notices."""
    _refuse_in_use()
    institution = make_institution(seed=seed, accounts=accounts)
    import_file(
        actor=COMMAND_LINE,
        file=institution.as_csv(),
        file_name="directory-export.csv",
        at=at - LENGTH - IMPORTED_BEFORE,
    )
    _protect_break_glass(at - LENGTH - IMPORTED_BEFORE)
    users, sign_ins = make_users()
    incident = play_story(institution=institution, users=users, seed=seed, now=at)
    # Last, since a file cannot be rolled back; and before the commit, since passwords nobody has are no use.
    _write(sign_ins)
    return incident


def _protect_break_glass(at: datetime) -> None:
    for account in Account.objects.filter(login__startswith="break-glass"):
        protect_account(
            actor=COMMAND_LINE,
            account_id=account.pk,
            kind=Protection.Kind.BREAK_GLASS,
            reason="Sealed, tested every quarter, with a security key",
            at=at,
        )


def _refuse_in_use() -> None:
    if Incident.objects.exists():
        raise NotEmptyError("There are incidents already. The demonstration needs a portal of its own: RUN_DIR=/path.")
    if known := Account.objects.count():
        raise NotEmptyError(
            f"The directory holds {plural(known, 'account')} already. "
            "The demonstration needs a portal of its own: RUN_DIR=/path."
        )
    taken = User.objects.filter(username__in=[person.username for person in PEOPLE]).values_list("username", flat=True)
    if names := sorted(taken):
        raise NotEmptyError(f"Taken as user names: {', '.join(names)}. Rename those users, or use another RUN_DIR.")


def _write(sign_ins: Sequence[SignIn]) -> None:
    file = sign_ins_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as written:
        json.dump([asdict(sign_in) for sign_in in sign_ins], written, ensure_ascii=False, indent=1)
    new.replace(file)
