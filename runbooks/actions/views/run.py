"""The page of an action that has begun: how far it is, what was read back, who decided, and its ledger."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString

from runbooks.access.http import PortalRequest, whole_number, whole_numbers
from runbooks.access.permissions import can
from runbooks.actions.models import Action, ActionDecision
from runbooks.actions.queries.found import GREATEST
from runbooks.actions.queries.ledger import SHOWN, before_of_first, ledger_page
from runbooks.actions.queries.listing import title_of
from runbooks.actions.queries.progress import Progress, progress_of
from runbooks.actions.queries.scope import decisions_of, exclusions_of
from runbooks.actions.verbs import MEANINGS
from runbooks.actions.views.ledger_table import Table, ledger_body
from runbooks.actions.views.run_forms import PauseForm, ReviewForm, RollbackForm, SettleForm
from runbooks.actions.views.seen import Seen
from runbooks.actions.views.wording import STATUS_MARKS, bar_of, counts_in_words, pace, read_back_words
from runbooks.presentation import clock, full_clock, in_groups, number, span

Status = Action.Status
FORMS = (PauseForm, RollbackForm, SettleForm, ReviewForm)
SOUGHT_MAX = 200
ENDED = (Status.DONE, Status.DONE_WITH_FAILURES, Status.CANCELLED)
DECISION_MARKS = {
    ActionDecision.Kind.APPROVED: ("two", "good"),
    ActionDecision.Kind.BREAK_GLASS: ("warn", "bad"),
    ActionDecision.Kind.REVIEWED: ("eye", "good"),
    ActionDecision.Kind.VOID: ("ban", ""),
}


@dataclass(frozen=True, slots=True)
class Job:
    """The running job in words."""

    title: str
    icon: str
    tone: str
    counted: Progress
    all: int
    words: str
    bar: SafeString
    pace: str
    started: str
    waits: str
    """Why nothing is sent at this moment."""


@dataclass(frozen=True, slots=True)
class Decided:
    icon: str
    tone: str
    what: str
    who: str
    when: str
    comment: str


@dataclass(frozen=True, slots=True)
class Segment:
    label: str
    count: str
    address: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Offers:
    """What this reader may do now; 0 and False where it is not offered."""

    pause: bool = False
    resume: bool = False
    retry: int = 0
    cancel: int = 0
    rollback: int = 0
    settle: int = 0
    review: bool = False

    @property
    def choosing(self) -> bool:
        return bool(self.rollback or self.settle)


def show(request: PortalRequest, seen: Seen, *, status: int = 200) -> HttpResponse:
    """Five queries, whatever the number of accounts; one more for an undoing."""
    action, counted = seen.action, progress_of(seen.action, seen.at)
    decisions = decisions_of(action)
    offers = _offers(seen, counted, decisions)
    context = {
        "incident": seen.incident,
        "actor": seen.actor,
        "now": seen.at,
        "tab": "actions",
        "action": action,
        "job": _job(seen, counted),
        "offers": offers,
        "may_choose": seen.may("settle_action") or seen.may("request_action"),
        "cannot_undo": _cannot_undo(action, counted),
        "act_again": _act_again(seen),
        "is_unreviewed": _is_unreviewed(action, decisions),
        "refused": seen.refused,
        "forms": {form.verb: seen.form(form.verb) or form(seen=seen) for form in FORMS},
        **_record(seen, counted, decisions),
        **_ledger(request, seen, counted, choosable=offers.choosing),
    }
    return render(request, "actions/run.html", context, status=status)


def _record(seen: Seen, counted: Progress, decisions: list[ActionDecision]) -> dict[str, object]:
    """What was read back, who asked and decided, and what was left alone."""
    action, exclusions = seen.action, exclusions_of(seen.action)
    return {
        "read_back": read_back_words(action, counted, seen.incident.zone, seen.at),
        "asked": _asked(seen),
        "decided": [_decided(one, seen) for one in decisions],
        "digest": " ".join(in_groups(action.digest)),
        "exclusions": exclusions,
        "excluded": sum(count for _, count, *_ in exclusions),
        "ways_back": Action.objects.filter(undoes=action).order_by("number").only("number", "status"),
        "review_at": clock(action.review_at, seen.incident.zone, seen.at) if action.review_at else "",
    }


def _ledger(request: PortalRequest, seen: Seen, counted: Progress, *, choosable: bool) -> dict[str, object]:
    sought = request.GET.get("q", "").replace("\0", "").strip()[:SOUGHT_MAX]
    # A form that was refused comes back among the rows that were ticked for it.
    is_plain = not sought and request.method != "POST"
    wanted = request.GET.get("show", "") or (_worth_seeing(seen.action, counted) if is_plain else "all")
    wanted = wanted if wanted in SHOWN else "all"
    after = min(whole_number(request.GET.get("after")) or 0, GREATEST)
    page = ledger_page(seen.action.pk, wanted, after=after, sought=sought)
    before = before_of_first(seen.action, page.rows)
    address = reverse("action", args=[seen.incident.reference, seen.action.number])
    table = Table(seen.incident, seen.action, seen.at, before, choosable, _ticked(request))
    kept = urlencode({"show": wanted, **({"q": sought} if sought else {})})
    return {
        "show": wanted,
        "sought": sought,
        "address": address,
        "segments": _segments(counted, wanted, address),
        "rows": len(page.rows),
        "body": ledger_body(page.rows, table),
        "next": f"{address}?{kept}&after={page.after}#ledger" if page.after else "",
        "first": f"{address}?{kept}#ledger",
        "is_paged": "after" in request.GET,
    }


def _offers(seen: Seen, counted: Progress, decisions: list[ActionDecision]) -> Offers:
    action = seen.action
    may_control, is_going = seen.may("control_action"), action.status in {Status.APPROVED, Status.RUNNING}
    may_retry = action.status in {Status.RUNNING, Status.PAUSED, Status.DONE_WITH_FAILURES, Status.CANCELLED}
    may_undo = seen.may("request_action") and bool(MEANINGS[action.kind].undone)
    # Leaving the rest alone is allowed after the incident, too: nothing goes on then.
    may_cancel = can(seen.actor, "control_action") and (is_going or action.status == Status.PAUSED)
    return Offers(
        pause=may_control and is_going,
        resume=may_control and action.status == Status.PAUSED,
        retry=counted.failed if may_control and may_retry else 0,
        cancel=counted.open if may_cancel else 0,
        rollback=counted.undoable if may_undo and action.status in {*ENDED, Status.PAUSED} else 0,
        settle=counted.in_hand if seen.may("settle_action") else 0,
        review=_is_unreviewed(action, decisions) and can(seen.actor, "approve_action") and not seen.is_author,
    )


def _is_unreviewed(action: Action, decisions: list[ActionDecision]) -> bool:
    return action.is_break_glass and all(one.kind != ActionDecision.Kind.REVIEWED for one in decisions)


def _cannot_undo(action: Action, counted: Progress) -> str:
    if action.status in ENDED and counted.good and not MEANINGS[action.kind].undone:
        return MEANINGS[action.kind].undoing
    return ""


def _act_again(seen: Seen) -> str:
    """Where to ask anew for those that differ: on the accounts page, or for everyone again. May be empty."""
    action, reference = seen.action, seen.incident.reference
    if not seen.may("request_action") or action.undoes_id is not None:
        return ""
    if action.scope == Action.Scope.EVERYONE:
        return f"{reverse('action_new', args=[reference])}?{urlencode({'everyone': '1', 'kind': action.kind})}"
    return f"{reverse('accounts', args=[reference])}?differs=1"


def _job(seen: Seen, counted: Progress) -> Job:
    action, zone, at = seen.action, seen.incident.zone, seen.at
    title = title_of(action)
    started = f"Started {clock(action.started_at, zone, at)}" if action.started_at else "Not started yet"
    if action.finished_at is not None:
        started += f", ended {clock(action.finished_at, zone, at)}"
        started += f", in {span(action.finished_at - action.started_at)}" if action.started_at else ""
    waits = ""
    if action.status == Status.APPROVED:
        waits = "Approved. It begins as soon as a worker is free."
    elif action.status == Status.RUNNING and action.not_before is not None and action.not_before > at:
        waits = f"{action.connection} asked for patience: it goes on {clock(action.not_before, zone, at)}."
    elif action.status == Status.RUNNING and counted.pending and not counted.to_send:
        waits = "Everything left is with people. It ends when they have settled it."
    return Job(
        title=title,
        icon=STATUS_MARKS[action.status][0],
        tone=STATUS_MARKS[action.status][1],
        counted=counted,
        all=counted.total + counted.skipped,
        words=counts_in_words(counted),
        bar=bar_of(action, counted, title),
        pace=pace(action, counted, at),
        started=f"{started}, through {action.connection}",
        waits=waits,
    )


def _asked(seen: Seen) -> str:
    action = seen.action
    who = action.requested_by or action.drafted_by
    when = action.requested_at or action.drafted_at
    return f"{who}, {full_clock(when, seen.incident.zone)}"


def _decided(one: ActionDecision, seen: Seen) -> Decided:
    icon, tone = DECISION_MARKS.get(ActionDecision.Kind(one.kind), ("note", ""))
    proof = f", with their {one.credential}" if one.credential else ""
    when = full_clock(one.at, seen.incident.zone)
    return Decided(icon, tone, one.get_kind_display(), f"{one.decided_by_name}{proof}", when, one.comment)


def _segments(counted: Progress, wanted: str, address: str) -> list[Segment]:
    """All, and what there is any of."""
    counts = {
        "all": counted.total + counted.skipped,
        "amiss": counted.amiss if _kinds_amiss(counted) > 1 else 0,
        "failed": counted.failed,
        "unknown": counted.unknown,
        "pending": counted.pending,
        "waiting": counted.to_send,
        "differs": counted.differs,
        "done": counted.good,
        "skipped": counted.skipped,
    }
    return [
        Segment(label, number(counts[key]), f"{address}?show={key}#ledger", key == wanted)
        for key, (label, _) in SHOWN.items()
        if counts[key] or key in {"all", wanted}
    ]


def _kinds_amiss(counted: Progress) -> int:
    return sum(count > 0 for count in (counted.failed, counted.unknown, counted.differs))


def _worth_seeing(action: Action, counted: Progress) -> str:
    """What the ledger opens with: once nothing is being sent, what is not as it was asked for."""
    if action.status in {Status.APPROVED, Status.RUNNING} or not counted.amiss:
        return "all"
    if _kinds_amiss(counted) > 1:
        return "amiss"
    return "failed" if counted.failed else "unknown" if counted.unknown else "differs"


def _ticked(request: PortalRequest) -> frozenset[int]:
    """Rows that stay ticked when a form was refused."""
    return frozenset(whole_numbers(request.POST.getlist("row")))
