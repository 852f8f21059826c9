"""What stands on every page of an incident's room: its clock, the state of the institution, the tabs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from django.urls import reverse
from django.utils.safestring import SafeString

from runbooks.actions.drawing import job_bar
from runbooks.actions.models import Action
from runbooks.actions.queries.listing import Job, UnderWay, under_way
from runbooks.actions.queries.restriction import Restriction, restriction_of
from runbooks.affected_accounts.queries import GroupCounts, group_counts
from runbooks.containment.models import Step
from runbooks.incidents.models import Incident
from runbooks.incidents.snapshot import at_head
from runbooks.notifications.queries import undelivered_count
from runbooks.presentation import clock, number, plural


@dataclass(frozen=True, slots=True)
class Banner:
    tone: str
    icon: str
    main: str
    rest: str
    way_back: str = ""
    """Address of the plan by which everyone comes back; empty where not everyone was restricted."""


@dataclass(frozen=True, slots=True)
class Tab:
    key: str
    label: str
    address: str
    count: str


@dataclass(frozen=True, slots=True)
class JobLine:
    """An action that is carried out now, in the strip under the header."""

    title: str
    address: str
    words: str
    bar: SafeString
    is_paused: bool


@dataclass(frozen=True, slots=True)
class Header:
    """`clock_big` and `clock_small` with their units: 26 h 35 min. `jobs` are the actions that are carried out now,
    `undelivered` how many notices reached nobody."""

    clock_label: str
    clock_big: str
    clock_big_unit: str
    clock_small: str
    clock_small_unit: str
    banner: Banner
    tabs: list[Tab]
    jobs: list[JobLine]
    undelivered: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What the header says of the incident's rows. `restricted`: number and time of the step that restricted access."""

    steps: int
    closed: int
    restricted: tuple[str, datetime] | None
    remote_access: Restriction | None
    accounts: GroupCounts
    actions: UnderWay


TABS = (
    ("overview", "Overview", "incident"),
    ("steps", "Steps", "steps"),
    ("accounts", "Accounts", "accounts"),
    ("actions", "Actions", "actions"),
    ("desk", "Desk", "desk"),
    ("timeline", "Timeline", "timeline"),
    ("files", "Files", "attachments"),
    ("exports", "Exports and audit", "audit"),
    ("people", "People", "incident_people"),
    ("notices", "Notices", "notices"),
)


def header(incident: Incident, now: datetime) -> Header:
    """No query while the incident stays as it is; four after a change, whatever the incident holds."""
    counted = at_head(incident, "header", _count)
    end = incident.closed_at if incident.is_over and incident.closed_at else now
    hours, minutes = divmod(int((end - incident.declared_at).total_seconds()) // 60, 60)
    days, rest = divmod(hours, 24)
    big, small = (
        ((str(days), "d"), (f"{rest:02d}", "h")) if days > 2 else ((str(hours), "h"), (f"{minutes:02d}", "min"))
    )
    declared = clock(incident.declared_at, incident.zone, now)
    label = (
        f"from declaration to {incident.get_status_display().lower()}"
        if incident.is_over
        else f"since declared, {declared}"
    )
    return Header(
        label,
        *big,
        *small,
        banner=_banner(incident, counted, now),
        tabs=_tabs(incident, counted),
        jobs=[_job(incident, job) for job in counted.actions.jobs],
        undelivered=undelivered(incident),
    )


def undelivered(incident: Incident) -> int:
    """Asked only where the incident was not read as pages read it."""
    counted = incident.undelivered_notices
    return undelivered_count(incident.pk) if counted is None else counted


def _tabs(incident: Incident, counted: Counted) -> list[Tab]:
    numbers = {
        "steps": f"{counted.closed} of {counted.steps}",
        "accounts": number(counted.accounts.total),
        "actions": _actions(counted.actions),
        "timeline": number(incident.head_sequence),
    }
    return [
        Tab(key, label, address, numbers.get(key, "")) for key, label, address in _tab_addresses(incident.reference)
    ]


def _actions(under: UnderWay) -> str:
    paused = sum(job.status == Action.Status.PAUSED for job in under.jobs)
    parts = [(len(under.jobs) - paused, "running"), (paused, "paused"), (under.awaiting, "waiting")]
    return ", ".join(f"{count} {word}" for count, word in parts if count)


def _job(incident: Incident, job: Job) -> JobLine:
    words = f"{number(job.good)} of {number(job.total)} done"
    for count, word in ((job.bad, "failed or not known"), (job.pending, "with people"), (job.left, "waiting")):
        words += f", {number(count)} {word}" if count else ""
    drawn = job_bar(
        key=f"strip-{job.number}",
        label=job.title,
        said=words,
        good=job.good,
        bad=job.bad,
        pending=job.pending,
        total=job.total,
        slim=True,
    )
    address = reverse("action", args=[incident.reference, job.number])
    return JobLine(job.title, address, words, drawn, is_paused=job.status == Action.Status.PAUSED)


@lru_cache(maxsize=256)
def _tab_addresses(reference: str) -> list[tuple[str, str, str]]:
    return [(key, label, reverse(name, args=[reference])) for key, label, name in TABS]


StepRow = tuple[str, str, str, str, str, datetime | None]


def _count(incident_id: UUID) -> Counted:
    steps: list[StepRow] = list(
        Step.objects.filter(incident_id=incident_id).values_list(
            "key", "number", "status", "automation", "reversible_by", "closed_at"
        )
    )
    closed = sum(status in Step.CLOSED for _, _, status, *_ in steps)
    return Counted(
        len(steps),
        closed,
        _remote_access(steps),
        restriction_of(incident_id),
        group_counts(incident_id),
        under_way(incident_id),
    )


def _banner(incident: Incident, counted: Counted, now: datetime) -> Banner:
    """The precautions in force first, then how far the compromised accounts are."""
    accounts = _accounts(counted.accounts)
    remote = counted.remote_access
    if remote is not None and remote.said:
        return _restricted(incident, remote, _beside(remote, counted), accounts, now)
    if counted.restricted is not None and (remote is None or remote.lock_down is None):
        number_, since = counted.restricted
        when = clock(since, incident.zone, now)
        said = f"Remote access is restricted since {when}, said by step {number_}, not read back."
        return Banner("held", "lock", said, accounts)
    back = f"Remote access was given back to {plural(remote.given_back, 'account')}." if remote else ""
    if counted.accounts.confirmed:
        return Banner("bad", "st-confirmed", accounts, back or "Remote access is not restricted.")
    return Banner("none", "unlock", "No access restrictions.", f"{back} {accounts}".strip())


def _restricted(incident: Incident, remote: Restriction, beside: str, accounts: str, now: datetime) -> Banner:
    """Of how many it was read back that they are restricted; where none was, what was answered."""
    way_back = ""
    if remote.lock_down is not None:
        way_back = reverse("action_stages", args=[incident.reference, remote.lock_down])
    if not remote.holds and not remote.unread:
        said = f"Remote access is still open for {plural(remote.differs, 'account')} that should be restricted."
        return Banner("bad", "warn", said, accounts, way_back)
    shown = number(remote.holds or remote.unread)
    said = f"Remote access is restricted for {shown} of {plural(remote.accounts, 'account')}"
    if remote.since is not None:
        said += f" since {clock(remote.since, incident.zone, now)}"
    if remote.read_back_at is None:
        said += ", by what was answered, not read back."
    else:
        said += f", read back {clock(remote.read_back_at, incident.zone, now)}."
    return Banner("held", "lock", said, f"{beside} {accounts}".strip(), way_back)


def _beside(remote: Restriction, counted: Counted) -> str:
    """What the number of those restricted leaves out."""
    said = []
    if remote.differs:
        failed = f", {number(remote.failed)} more failed" if remote.failed else ""
        said.append(f"{plural(remote.differs, 'account is', 'accounts are')} still open{failed}.")
    elif remote.failed:
        said.append(f"{number(remote.failed)} failed.")
    if remote.unread and remote.holds:
        said.append(f"{number(remote.unread)} more not read back.")
    if remote.given_back:
        how = " in stages" if remote.in_stages == remote.given_back else ""
        said.append(f"{number(remote.given_back)} given back{how}.")
    if counted.restricted is not None and remote.lock_down is None:
        said.append(f"Step {counted.restricted[0]} says that more are, not read back.")
    return " ".join(said)


def _accounts(counts: GroupCounts) -> str:
    if not counts.total:
        return "No accounts on the list yet."
    if not counts.compromised:
        return f"{plural(counts.total, 'account')} on the list, none confirmed as compromised."
    contained = counts.compromised - counts.confirmed
    said = f"{number(contained)} of {plural(counts.compromised, 'compromised account')} contained"
    return f"{said}, {number(counts.restored)} restored."


def _remote_access(steps: list[StepRow]) -> tuple[str, datetime] | None:
    """Number and time of a step that restricted remote access and was not undone."""
    by_key: Mapping[str, StepRow] = {step[0]: step for step in steps}
    for _, number_, status, automation, undone_by, closed_at in steps:
        if automation != "restrict_remote_access" or status != Step.Status.SUCCEEDED or closed_at is None:
            continue
        undo = by_key.get(undone_by)
        if undo is None or undo[2] != Step.Status.SUCCEEDED:
            return number_, closed_at
    return None
