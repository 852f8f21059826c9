"""What a directory says of affected accounts, taken into their facts. No page calls this: what reads back does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from runbooks.access.permissions import Actor
from runbooks.affected_accounts.models import AffectedAccount, FactKind
from runbooks.affected_accounts.operations.record_fact import ONLY_DURING_INCIDENT, Finding, add_findings
from runbooks.affected_accounts.operations.selection import save_all
from runbooks.affected_accounts.transitions import fact_at
from runbooks.incidents.models import Incident

REMOTE_ACCESS = "remote_access"


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What was read of one affected account. `found`: since when each fact holds, None where it does not.

    `differs` names what an action had achieved and the directory no longer shows; `agrees` what it shows again.
    Both are FactKinds, or REMOTE_ACCESS. `sources` names where a fact was read, where that is not `source`.
    """

    affected_id: int
    source: str
    found: Mapping[FactKind, datetime | None]
    differs: frozenset[str] = field(default_factory=frozenset)
    agrees: frozenset[str] = field(default_factory=frozenset)
    sources: Mapping[FactKind, str] = field(default_factory=dict)


def take_read_backs(
    incident: Incident, read: Sequence[ReadBack], *, actor: Actor, at: datetime
) -> list[AffectedAccount]:
    """Add what is new to the facts, and what differs to the accounts; those that changed. The incident is locked.

    The caller records the entry. A fact that is known already is not written again.
    """
    by_id = {one.affected_id: one for one in read}
    rows = list(
        AffectedAccount.objects.select_for_update().filter(incident=incident, pk__in=list(by_id)).order_by("pk")
    )
    groups: dict[Finding, list[AffectedAccount]] = {}
    for row in rows:
        for finding in _news(incident, row, by_id[row.pk], at):
            groups.setdefault(finding, []).append(row)
    for finding, of_finding in groups.items():
        add_findings(of_finding, finding, actor=actor, at=at)
    changed = {row.pk: row for of_finding in groups.values() for row in of_finding}
    return [*changed.values(), *[row for row in _mark(rows, by_id, at) if row.pk not in changed]]


def _news(incident: Incident, row: AffectedAccount, read: ReadBack, at: datetime) -> list[Finding]:
    news = []
    for kind, since in read.found.items():
        known, source = fact_at(row, kind), read.sources.get(kind, read.source)
        if since is None:
            if known is not None:
                news.append(Finding(kind, at, source, holds=False))
        elif kind in ONLY_DURING_INCIDENT:
            if since >= incident.detected_at and (known is None or since > known):
                news.append(Finding(kind, since, source))
        elif known is None:
            news.append(Finding(kind, since, source))
    return news


def _mark(rows: Sequence[AffectedAccount], read: Mapping[int, ReadBack], at: datetime) -> list[AffectedAccount]:
    groups: dict[tuple[str, ...], list[AffectedAccount]] = {}
    for row in rows:
        said = read[row.pk]
        differs = tuple(sorted({*row.differs, *said.differs} - said.agrees))
        if differs != tuple(row.differs):
            groups.setdefault(differs, []).append(row)
    for differs, of_group in groups.items():
        save_all(of_group, at, differs=list(differs))
    return [row for of_group in groups.values() for row in of_group]
