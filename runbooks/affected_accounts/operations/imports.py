"""An analysts' list: kept as it came, then applied, as often as anybody likes with the same result."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.files.base import ContentFile
from django.db import transaction

from runbooks.access.permissions import Actor, require
from runbooks.affected_accounts.models import AffectedAccount, AffectedImport, UnresolvedLine
from runbooks.affected_accounts.operations.add_accounts import insert_accounts
from runbooks.affected_accounts.queries.lists import BadListError, Line, Reading, import_of, read_list
from runbooks.directory.models import Account
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock_running
from runbooks.presentation import plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record

BYTES_AT_MOST = 10 * 1024 * 1024
TEXT_AT_MOST = 500


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying a list did: accounts that are new, lines settled and lines that now wait for somebody."""

    added: int
    already: int
    settled: int
    unresolved: int
    repeats: int

    @property
    def changed(self) -> bool:
        return bool(self.added or self.settled or self.unresolved)


@transaction.atomic
def stage_import(*, incident_id: UUID, file_name: str, content: bytes, actor: Actor, at: datetime) -> AffectedImport:
    """Keep the list with its SHA-256 and count what it means. The same bytes again give the row that is there."""
    require(actor, "import_affected", incident_id)
    incident = lock_running(incident_id)
    if len(content) > BYTES_AT_MOST:
        raise BadListError(f"The list is larger than {BYTES_AT_MOST // 1024 // 1024} MB. Split it.")
    sha256 = hashlib.sha256(content).hexdigest()
    known = AffectedImport.objects.filter(incident=incident, sha256=sha256).first()
    if known is not None:
        return known
    counts = read_list(incident_id, content).counts()
    staged = AffectedImport.objects.create(
        incident=incident,
        file=ContentFile(content, name=f"{sha256}.txt"),
        file_name=file_name[:255],
        sha256=sha256,
        counts=counts,
        uploaded_by=actor.name,
        uploaded_at=at,
    )
    summary = f"List “{staged.file_name}” read: {_said(counts)}. Not applied yet."
    details = {"file": staged.file_name, "sha256": sha256, "counts": counts}
    record(incident, Entry("affected_list.staged", summary, Lane.DETECTION, details), actor=actor, at=at)
    return staged


@transaction.atomic
def apply_import(*, incident_id: UUID, import_id: int, picks: Mapping[int, int], actor: Actor, at: datetime) -> Applied:
    """Add the accounts of the list that are not there yet; keep what names nobody, or several, as unresolved.

    `picks`: {line number: id of the directory account somebody chose for it}. Applying again changes nothing but what
    the directory has learnt since. The directory is asked now, not when the list was read.
    """
    require(actor, "import_affected", incident_id)
    incident = lock_running(incident_id)
    staged = import_of(incident_id, import_id)
    reading = read_list(incident_id, kept_list(staged))
    picked = {line.number: picks[line.number] for line in _open(reading) if line.number in picks}
    known = {line.account.pk: line for line in reading.matched if line.account}
    wanted = {*known, *picked.values()}
    source = f"list “{staged.file_name}”"
    added = insert_accounts(incident, wanted, tier="", source=source, actor=actor, at=at) if wanted else None
    settled = _settle(incident, [*reading.matched, *_open(reading)], picked, actor, at)
    kept = _keep(incident, staged, reading, picked)
    applied = Applied(len(added.rows) if added else 0, added.already if added else 0, settled, kept, reading.repeats)
    if applied.changed or staged.status != AffectedImport.Status.APPLIED:
        _finish(incident, staged, applied, picked, actor, at)
    return applied


@transaction.atomic
def import_list(*, incident_id: UUID, file_name: str, content: bytes, actor: Actor, at: datetime) -> Applied:
    """Stage and apply in one go, for edges that show no preview in between."""
    staged = stage_import(incident_id=incident_id, file_name=file_name, content=content, actor=actor, at=at)
    return apply_import(incident_id=incident_id, import_id=staged.pk, picks={}, actor=actor, at=at)


def _open(reading: Reading) -> list[Line]:
    return [*reading.ambiguous, *reading.unmatched]


def kept_list(staged: AffectedImport) -> bytes:
    """The bytes of the list as they were uploaded. Raises BadListError where the file is another by now."""
    with staged.file.open("rb") as file:
        content: bytes = file.read()
    if hashlib.sha256(content).hexdigest() != staged.sha256:
        raise BadListError(
            "The kept file is not the one that was uploaded: its SHA-256 differs. Upload the list again."
        )
    return content


def _keep(incident: Incident, staged: AffectedImport, reading: Reading, picked: Mapping[int, int]) -> int:
    """Keep lines that nobody was chosen for; how many are new. A line is kept once, whichever list held it."""
    candidates = {line.number: [account.pk for account in line.choices] for line in reading.ambiguous}
    lines = {line.text[:TEXT_AT_MOST]: line.number for line in _open(reading) if line.number not in picked}
    there = set(UnresolvedLine.objects.filter(incident=incident, text__in=lines).values_list("text", flat=True))
    new = [
        UnresolvedLine(
            incident=incident,
            source=staged,
            line_number=number,
            text=text,
            candidates=candidates.get(number, []),
        )
        for text, number in lines.items()
        if text not in there
    ]
    UnresolvedLine.objects.bulk_create(new, batch_size=2000)
    return len(new)


def _settle(incident: Incident, lines: Sequence[Line], picked: Mapping[int, int], actor: Actor, at: datetime) -> int:
    """Lines that waited since an earlier list, and mean somebody now."""
    means = {
        line.text[:TEXT_AT_MOST]: line.account.pk if line.account else picked[line.number]
        for line in lines
        if line.account or line.number in picked
    }
    waiting = list(
        UnresolvedLine.objects.select_for_update().filter(incident=incident, settled_at__isnull=True, text__in=means)
    )
    if not waiting:
        return 0
    rows = dict(
        AffectedAccount.objects.filter(
            incident=incident, account_id__in={means[line.text] for line in waiting}
        ).values_list("account_id", "pk")
    )
    for line in waiting:
        line.settled_as_id, line.settled_by, line.settled_at = rows[means[line.text]], actor.name, at
    UnresolvedLine.objects.bulk_update(waiting, ["settled_as", "settled_by", "settled_at"], batch_size=500)
    return len(waiting)


def _finish(
    incident: Incident,
    staged: AffectedImport,
    applied: Applied,
    picked: Mapping[int, int],
    actor: Actor,
    at: datetime,
) -> None:
    staged.status = AffectedImport.Status.APPLIED
    staged.applied_at = staged.applied_at or at
    staged.save(update_fields=["status", "applied_at"])
    logins = dict(Account.objects.filter(pk__in=picked.values()).values_list("pk", "login"))
    summary = (
        f"List “{staged.file_name}” applied: {plural(applied.added, 'account')} added, "
        f"{applied.already:,} there already, {plural(applied.unresolved, 'line')} kept as unresolved, "
        f"{plural(applied.repeats, 'repeat')}."
    )
    details = {
        "file": staged.file_name,
        "sha256": staged.sha256,
        "added": applied.added,
        "already": applied.already,
        "settled": applied.settled,
        "unresolved": applied.unresolved,
        "repeats": applied.repeats,
        "picks": [{"line": number, "account": logins[pk]} for number, pk in sorted(picked.items())],
    }
    record(incident, Entry("affected_list.applied", summary, Lane.DETECTION, details), actor=actor, at=at)


def _said(counts: Mapping[str, int]) -> str:
    return (
        f"{plural(counts['matched'], 'account')} matched ({counts['already']:,} there already), "
        f"{counts['ambiguous']:,} ambiguous, {counts['unmatched']:,} unmatched, {plural(counts['repeats'], 'repeat')}"
    )
