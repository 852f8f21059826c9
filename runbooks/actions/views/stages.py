"""The way back from a lock-down: its stages as they stand, the plan to change, and the next stage to draft."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.forms import BaseFormSet, formset_factory
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from runbooks.access.http import PortalRequest, whole_number
from runbooks.access.permissions import require
from runbooks.actions.models import Action, RestorationStage
from runbooks.actions.operations import StagePlan, change_stop_rule, draft_stage, plan_stages
from runbooks.actions.queries.found import GREATEST
from runbooks.actions.queries.stages import StageNow, has_stage_run, is_lock_down, stages_now
from runbooks.actions.views.seen import Seen, see
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.incidents.forms import LocalDateTimeField, Textarea, TextInput
from runbooks.presentation import clock, number, plural

Selector = RestorationStage.Selector
WHO = [
    (Selector.NAMED, "These accounts"),
    (Selector.SECOND_FACTOR, "Those with two-step sign-in, and these accounts"),
    (Selector.DEPARTMENTS, "These departments"),
    (Selector.REST, "Everybody left"),
]
BLANK = 1


class StageForm(forms.Form):
    """One stage of the plan. Without a title it is left out."""

    place = forms.IntegerField(
        required=False, min_value=0, max_value=1000, widget=forms.NumberInput(attrs={"class": "input"})
    )
    title = forms.CharField(max_length=120, required=False, widget=TextInput())
    selector = forms.ChoiceField(label="Who", choices=WHO, widget=forms.Select(attrs={"class": "select"}))
    names = forms.CharField(
        required=False,
        max_length=500_000,
        widget=Textarea(rows=2),
    )
    size = forms.IntegerField(
        label="At most",
        required=False,
        min_value=1,
        max_value=GREATEST,
        widget=forms.NumberInput(attrs={"class": "input"}),
    )
    planned_at = LocalDateTimeField(label="When", required=False, help_text="")
    stop_after = forms.IntegerField(
        label="Stop after",
        required=False,
        min_value=0,
        max_value=100_000,
        widget=forms.NumberInput(attrs={"class": "input"}),
    )

    def __init__(self, *args: Any, zone: ZoneInfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        moment = self.fields["planned_at"]
        if isinstance(moment, LocalDateTimeField):
            moment.zone = zone

    def plan(self) -> StagePlan:
        answers = self.cleaned_data
        return StagePlan(
            answers["title"],
            answers["selector"],
            answers["names"].splitlines(),
            answers["size"],
            answers["planned_at"],
            answers["stop_after"] or 0,
        )


Stages = formset_factory(StageForm, extra=0, max_num=25, absolute_max=25)


class ReasonForm(forms.Form):
    """What the second person decides on."""

    reason = forms.CharField(
        label="Why now", max_length=4000, widget=Textarea(rows=2), help_text="The second person decides on it."
    )


class StopForm(forms.Form):
    stop_after = forms.IntegerField(
        label="Accounts seen harmed again that the next stage bears",
        min_value=0,
        max_value=100_000,
        widget=forms.NumberInput(attrs={"class": "input"}),
    )
    reason = forms.CharField(label="Why", max_length=1000, widget=Textarea(rows=2))


@dataclass(frozen=True, slots=True)
class Row:
    """A stage as the table shows it. `state` is what its gate says; `tone` as for chips."""

    now: StageNow
    position: int
    title: str
    who: str
    names: str
    size: str
    when: str
    icon: str
    tone: str
    state: str
    held: list[tuple[str, str]]
    may_draft: bool
    button: str


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: PortalRequest, reference: str, number: int) -> HttpResponse:
    seen = _see_lock_down(request, reference, number)
    if request.method != "POST":
        return _show(request, seen)
    require(seen.actor, "request_action", seen.incident.pk)
    formset = Stages(request.POST, prefix="stage", form_kwargs={"zone": seen.incident.zone})
    if not formset.is_valid():
        return _show(request, seen, formset=formset, status=400)
    try:
        plan_stages(
            action_id=seen.action.pk,
            stages=_in_order(formset),
            actor=seen.actor,
            at=seen.at,
            version=whole_number(request.POST.get("version")),
        )
    except (NotFoundError, NotAllowedError):
        raise
    except DomainError as error:
        return _show(request, seen, formset=formset, problem=str(error), status=error.status)
    messages.success(request, "The way back is planned. It is in the timeline.")
    return redirect("action_stages", reference, number)


@require_POST
def draft(request: PortalRequest, reference: str, number: int, position: int) -> HttpResponse:
    """A new action for the accounts of this stage; it opens as a draft."""
    seen = _see_lock_down(request, reference, number)
    require(seen.actor, "request_action", seen.incident.pk)
    stage, form = _stage(seen.action, position), ReasonForm(request.POST)
    if not form.is_valid():
        return _show(request, seen, draft_form=form, at_stage=position, status=400)
    try:
        action = draft_stage(stage_id=stage.pk, reason=form.cleaned_data["reason"], actor=seen.actor, at=seen.at)
    except (NotFoundError, NotAllowedError):
        raise
    except DomainError as error:
        form.add_error(None, str(error))
        return _show(request, seen, draft_form=form, at_stage=position, status=error.status)
    messages.success(request, f"Stage {position} is drafted as action {action.number}. Look at it, then ask.")
    return redirect("action", reference, action.number)


@require_POST
def stop_rule(request: PortalRequest, reference: str, number: int, position: int) -> HttpResponse:
    seen = _see_lock_down(request, reference, number)
    require(seen.actor, "request_action", seen.incident.pk)
    stage, form = _stage(seen.action, position), StopForm(request.POST)
    if not form.is_valid():
        return _show(request, seen, stop_form=form, at_stage=position, status=400)
    try:
        change_stop_rule(stage_id=stage.pk, **form.cleaned_data, actor=seen.actor, at=seen.at)
    except (NotFoundError, NotAllowedError):
        raise
    except DomainError as error:
        form.add_error(None, str(error))
        return _show(request, seen, stop_form=form, at_stage=position, status=error.status)
    messages.success(request, f"The stop rule of stage {position} is changed. It is in the timeline.")
    return redirect("action_stages", reference, number)


def _see_lock_down(request: PortalRequest, reference: str, number: int) -> Seen:
    seen = see(request, reference, number)
    if not is_lock_down(seen.action):
        raise Http404
    return seen


def _stage(action: Action, position: int) -> RestorationStage:
    found = action.stages.filter(position=position).first() if position <= GREATEST else None
    if found is None:
        raise NotFoundError("There is no such stage.")
    return found


def _show(
    request: PortalRequest,
    seen: Seen,
    *,
    formset: "BaseFormSet[StageForm] | None" = None,
    problem: str = "",
    draft_form: ReasonForm | None = None,
    stop_form: StopForm | None = None,
    at_stage: int = 0,
    status: int = 200,
) -> HttpResponse:
    stages = stages_now(seen.action)
    may, hindrance = seen.may("request_action"), _hindrance(stages)
    rows = [_row(one, seen, may=may, hindrance=hindrance) for one in stages]
    is_open = seen.action.status not in (Action.Status.ROLLED_BACK,) and not (
        seen.action.status == Action.Status.CANCELLED and seen.action.started_at is None
    )
    context = {
        "incident": seen.incident,
        "actor": seen.actor,
        "now": seen.at,
        "tab": "actions",
        "action": seen.action,
        "rows": rows,
        "hindrance": hindrance,
        "is_idle": not any(row.may_draft for row in rows),
        "summary": _summary(stages, seen.action),
        "formset": formset or (_formset(seen, stages) if may and is_open and not has_stage_run(seen.action) else None),
        "may": may,
        "problem": problem,
        "draft_form": draft_form or ReasonForm(),
        "stop_form": stop_form or StopForm(),
        "at_stage": at_stage,
        "drafts_open": draft_form is not None,
        "stop_open": stop_form is not None,
        "stopped_after": _stopped_after(stages) if may else None,
    }
    return render(request, "actions/stages.html", context, status=status)


def _in_order(formset: "BaseFormSet[StageForm]") -> list[StagePlan]:
    """By the place that was typed; one without a place stays behind the one above it."""
    placed, place = [], 0
    for form in formset:
        if form.cleaned_data["place"] is not None:
            place = form.cleaned_data["place"]
        if form.cleaned_data["title"].strip():
            placed.append((place, form.plan()))
    return [plan for _, plan in sorted(placed, key=lambda one: one[0])]


def _formset(seen: Seen, stages: Sequence[StageNow]) -> "BaseFormSet[StageForm]":
    initial: list[dict[str, object]] = [
        {
            "place": one.stage.position,
            "title": one.stage.title,
            "selector": one.stage.selector,
            "names": "\n".join(one.stage.names),
            "size": one.stage.size,
            "planned_at": one.stage.planned_at,
            "stop_after": one.stage.stop_after,
        }
        for one in stages
    ]
    # A blank one stands before the last stage, which takes everybody left.
    last = max(len(initial) - 1, 0)
    initial[last:last] = [{"selector": Selector.NAMED, "stop_after": 0} for _ in range(BLANK)]
    return Stages(initial=initial, prefix="stage", form_kwargs={"zone": seen.incident.zone})


def _summary(stages: Sequence[StageNow], action: Action) -> str:
    total = sum(one.total for one in stages)
    if action.started_at is None:
        return f"The lock-down has not begun. {plural(total, 'account')} will come back by this plan."
    restored = sum(one.restored for one in stages)
    held = sum(len(one.held) for one in stages)
    said = f"{number(restored)} of {plural(total, 'account')} given back"
    return said + (f", {number(held)} held back by the gate." if held else ".")


def _hindrance(stages: Sequence[StageNow]) -> str:
    """What keeps every stage waiting alike, such as a gap in the plan; empty where each has a reason of its own."""
    said = {one.problem for one in stages}
    return said.pop() if len(said) == 1 and len(stages) > 1 and not any(one.has_run for one in stages) else ""


def _stopped_after(stages: Sequence[StageNow]) -> StageNow | None:
    """The stage whose stop rule keeps the next one waiting."""
    return next((before for before, one in pairwise(stages) if one.is_stopped), None)


def _row(one: StageNow, seen: Seen, *, may: bool, hindrance: str) -> Row:
    stage = one.stage
    icon, tone, state = ("lock", "", "Not open yet") if hindrance else _state(one)
    held: dict[str, int] = {}
    for why in one.held.values():
        held[why] = held.get(why, 0) + 1
    return Row(
        now=one,
        position=stage.position,
        title=stage.title,
        who=_who(stage),
        names=", ".join(stage.names[:3]) + (f" and {len(stage.names) - 3} more" if len(stage.names) > 3 else ""),
        size=f"at most {number(stage.size)}" if stage.size is not None else "",
        when=clock(stage.planned_at, seen.incident.zone, seen.at) if stage.planned_at else "no date",
        icon=icon,
        tone=tone,
        state=state,
        held=[(why, plural(count, "account")) for why, count in sorted(held.items())],
        may_draft=may and not one.problem,
        button=f"Draft stage {stage.position} for {plural(len(one.ready), 'account')}",
    )


def _who(stage: RestorationStage) -> str:
    if stage.selector == Selector.NAMED:
        return plural(len(stage.names), "named account") if stage.names else "nobody named yet"
    if stage.selector == Selector.DEPARTMENTS:
        return plural(len(stage.names), "department")
    if stage.selector == Selector.SECOND_FACTOR:
        return "two-step sign-in known" + (f", and {len(stage.names):,} named" if stage.names else "")
    return "everybody left"


def _state(one: StageNow) -> tuple[str, str, str]:
    if not one.problem:
        said = "Open, for those left over" if one.has_run else "Open"
        return "unlock", "good", said
    if one.has_run and not one.ready and not one.under_way:
        return (
            ("done", "good", "Done") if not one.held else ("doing", "wait", f"Done but for those held. {one.problem}")
        )
    if one.is_stopped:
        return "ban", "bad", one.problem
    return "lock", "", one.problem
