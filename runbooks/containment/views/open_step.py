"""The step that is open on the page: what to do, what shows that it is done, and the forms its reader may use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django import forms
from django.http import QueryDict
from django.urls import reverse

from runbooks.access.permissions import can
from runbooks.affected_accounts.models import FactKind
from runbooks.attachments.names import size_in_words
from runbooks.containment.blocking import held_up_by
from runbooks.containment.models import Evidence, Step
from runbooks.containment.queries import StepState, entry_count, evidence_of, possible_owners, step_for
from runbooks.containment.views.forms import AssignForm, CompleteForm, EvidenceForm, ReasonForm
from runbooks.containment.views.markup import Mark
from runbooks.containment.views.rows import Wording, mark, queue_address
from runbooks.presentation import clock, full_clock, plural

JUST_NOW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Refused:
    """An operation said no: to which verb, why, the form with what was typed, and what stands now."""

    verb: str
    message: str
    form: forms.Form | None = None
    current: Mapping[str, object] | None = None
    evidence_id: int | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """One line of "Done when"."""

    is_met: bool
    text: str
    more: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """One piece of evidence in words; `withdraw` is where to post a withdrawal, empty when it cannot be.

    `file` and `file_address` are the page of a file, with who had it in hand; `address` takes it away.
    """

    icon: str
    text: str
    address: str
    file: str
    file_address: str
    note: str
    shows: str
    added: str
    sha256: str
    withdrawn: str
    withdraw: str
    form: forms.Form | None


@dataclass(frozen=True, slots=True)
class StepLink:
    mark: Mark
    text: str
    address: str


@dataclass(frozen=True, slots=True)
class OpenStep:
    step: Step
    refused: Refused | None
    requirements: Sequence[Requirement]
    evidence: Sequence[EvidenceLine]
    evidence_head: str
    forms: Mapping[str, forms.Form]
    addresses: Mapping[str, str]
    """Of the forms, by verb; only of what this reader may do now."""
    cannot_complete: str
    """Why the step cannot be completed yet; empty when it can."""
    asks_reason: str
    """That accounts are left, and how many; empty when none are."""
    left: int
    said: Sequence[str]
    """Why something is not offered, in words."""
    depends_on: Sequence[StepLink]
    holds_up: Sequence[StepLink]
    undone_by: StepLink | None
    facts: Sequence[tuple[str, str]]
    entries: int
    timeline: str
    was_just_closed: str


def open_step(states: Sequence[StepState], wording: Wording, refused: Refused | None) -> OpenStep | None:
    """The open step, or None when the address names none. Four queries more than the list."""
    state = next((state for state in states if state.line.key == wording.wanted.opened), None)
    if state is None:
        return None
    step = step_for(wording.incident.pk, state.line.key)
    pieces = evidence_of(step.pk)
    by_key = {other.line.key: other for other in states}
    addresses = _addresses(step, state, wording)
    return OpenStep(
        step=step,
        refused=refused,
        requirements=_requirements(step, state, pieces, wording),
        evidence=[_evidence_line(step, piece, wording, refused) for piece in pieces],
        evidence_head=_evidence_head(state),
        forms=_forms(step, pieces, addresses, refused),
        addresses=addresses,
        cannot_complete=_cannot_complete(step, state, pieces),
        asks_reason=_asks_reason(state),
        left=(state.progress.left or 0) if state.progress else 0,
        said=_said(step, wording),
        depends_on=[_link(by_key[key], wording) for key in step.depends_on if key in by_key],
        holds_up=[_link(by_key[other.key], wording) for other in held_up_by(state.line, [one.line for one in states])],
        undone_by=_link(by_key[step.reversible_by], wording) if step.reversible_by in by_key else None,
        facts=_facts(step, wording),
        entries=entry_count(step.pk),
        timeline=f"{reverse('timeline', args=[wording.incident.reference])}?step={step.number}",
        was_just_closed=_was_just_closed(step, wording),
    )


def _addresses(step: Step, state: StepState, wording: Wording) -> dict[str, str]:
    if not wording.may_work:
        return {}
    verbs = ["evidence"]
    if step.is_closed:
        verbs += ["reopen"] if can(wording.actor, "reopen_step") else []
    else:
        is_own = step.owner_id == wording.actor.user_id
        may_act = is_own or step.owner_id is None or can(wording.actor, "waive_step")
        verbs += ["claim"] if step.owner_id is None else []
        verbs += ["start"] if may_act and step.status == Step.Status.PENDING and not state.is_blocked else []
        verbs += ["complete"] if may_act else []
        verbs += ["assign"] if can(wording.actor, "assign_step") else []
        verbs += ["waive"] if can(wording.actor, "waive_step") else []
    return {verb: wording.verb_address(step.key, verb) for verb in verbs}


def _forms(
    step: Step,
    pieces: Sequence[Evidence],
    addresses: Mapping[str, str],
    refused: Refused | None,
) -> dict[str, forms.Form]:
    """A fresh form for each verb that asks something; the refused one as it was typed."""
    made: dict[str, forms.Form] = {}
    if "evidence" in addresses:
        missing = [rule["key"] for rule in _missing(step, pieces)]
        made["evidence"] = EvidenceForm(step=step, missing=missing)
    if "complete" in addresses:
        made["complete"] = CompleteForm(step=step, verb="complete")
    if "assign" in addresses:
        made["assign"] = AssignForm(step=step, verb="assign", people=possible_owners(step.incident_id))
    if "waive" in addresses:
        made["waive"] = ReasonForm(step=step, verb="waive", label="Why the step is not needed here")
    if "reopen" in addresses:
        made["reopen"] = ReasonForm(step=step, verb="reopen", label="Why the step is reopened")
    if refused and refused.form and refused.verb in made:
        made[refused.verb] = _seen(refused.form, step)
    return made


def _seen(form: forms.Form, step: Step) -> forms.Form:
    """The refused form beside the step as it stands now: sent again, it is from somebody who has seen that."""
    data = QueryDict(mutable=True)
    data.update({name: form.data.get(name) or "" for name in form.fields if name != "upload"})
    data["version"] = str(step.version)
    form.data = data
    return form


def _missing(step: Step, pieces: Sequence[Evidence]) -> list[dict[str, str]]:
    there = {piece.requirement for piece in pieces if piece.withdrawn_at is None}
    return [rule for rule in step.evidence_required if rule["key"] not in there]


def _requirements(step: Step, state: StepState, pieces: Sequence[Evidence], wording: Wording) -> list[Requirement]:
    line, progress = state.line, state.progress
    found = []
    if progress and progress.done is not None:
        label = FactKind(line.fact).label
        found.append(
            Requirement(
                progress.left == 0 and progress.total > 0,
                f"“{label}” is recorded for {progress.done:,} of {plural(progress.total, 'account')}",
                f"show the {progress.left:,} left" if progress.left else "",
                queue_address(wording.incident, line) if progress.left else "",
            )
        )
    for rule in step.evidence_required:
        piece = next((one for one in pieces if one.requirement == rule["key"] and one.withdrawn_at is None), None)
        more = f"{clock(piece.added_at, wording.zone, wording.now)} by {piece.added_by}" if piece else ""
        found.append(Requirement(piece is not None, rule["label"], more))
    return found


def _evidence_head(state: StepState) -> str:
    there, asked = state.line.evidence_there, state.line.evidence_asked
    return f"Evidence, {there} of {asked} required" if asked else "Evidence, none required"


def _evidence_line(step: Step, piece: Evidence, wording: Wording, refused: Refused | None) -> EvidenceLine:
    labels = {rule["key"]: rule["label"] for rule in step.evidence_required}
    text, address, icon = piece.note, "", "note"
    reference, file = wording.incident.reference, piece.attachment
    if piece.kind == Evidence.Kind.LINK:
        text, address, icon = piece.url, piece.url, "right"
    elif piece.kind == Evidence.Kind.FILE:
        address = reverse("step_evidence_file", args=[reference, step.key, piece.pk])
        text, icon = f"{piece.file_name} ({size_in_words(piece.size or 0)})", "file"
    withdraw, form = "", None
    if wording.may_work and piece.withdrawn_at is None:
        withdraw = _withdraw_address(step, piece, wording)
        is_refused = refused is not None and refused.evidence_id == piece.pk
        form = refused.form if refused and is_refused else _withdraw_form(step, piece)
    return EvidenceLine(
        icon=icon,
        text=text,
        address=address,
        file=f"File {file.number}" if file else "",
        file_address=reverse("attachment", args=[reference, file.number]) if file else "",
        note="" if piece.kind == Evidence.Kind.NOTE else piece.note,
        shows=labels.get(piece.requirement, ""),
        added=f"added {clock(piece.added_at, wording.zone, wording.now)} by {piece.added_by}",
        sha256=piece.sha256,
        withdrawn=_withdrawn(piece, wording),
        withdraw=withdraw,
        form=form,
    )


def _withdraw_form(step: Step, piece: Evidence) -> ReasonForm:
    return ReasonForm(step=step, verb=f"withdraw-{piece.pk}", label="Why it does not count")


def _withdraw_address(step: Step, piece: Evidence, wording: Wording) -> str:
    return wording.verb_address(step.key, f"evidence/{piece.pk}/withdraw")


def _withdrawn(piece: Evidence, wording: Wording) -> str:
    if piece.withdrawn_at is None:
        return ""
    at = clock(piece.withdrawn_at, wording.zone, wording.now)
    return f"Withdrawn {at} by {piece.withdrawn_by}: {piece.withdrawn_reason}"


def _cannot_complete(step: Step, state: StepState, pieces: Sequence[Evidence]) -> str:
    if state.waits_for:
        named = " and ".join(f"{other.number} {other.title}" for other in state.waits_for)
        return f"It can be completed after {named}."
    if missing := _missing(step, pieces):
        return f"It can be completed once its evidence is there: {plural(len(missing), 'piece')} missing."
    return ""


def _asks_reason(state: StepState) -> str:
    progress = state.progress
    if progress is None or not progress.left:
        return ""
    return f"{progress.left:,} of {plural(progress.total, 'account')} left"


def _said(step: Step, wording: Wording) -> list[str]:
    """Actions this reader nearly has, and who has them."""
    actor, incident = wording.actor, wording.incident
    if incident.is_over:
        return [f"{incident.reference} is {incident.get_status_display().lower()}. Reopen it to work on its steps."]
    if not can(actor, "work_steps"):
        role = actor.role.label if actor.role else "You"
        return [f"{role}: you read everything here and change nothing."]
    said = []
    if step.is_closed:
        if not can(actor, "reopen_step"):
            said.append("Coordinators and responders reopen a step.")
        return said
    if step.owner_id not in {None, actor.user_id} and not can(actor, "waive_step"):
        said.append(f"{step.owner} has this step. Ask them, or have it reassigned to you.")
    if not can(actor, "assign_step"):
        said.append("Coordinators and responders reassign a step.")
    if not can(actor, "waive_step"):
        said.append("Coordinators waive a step.")
    return said


def _link(state: StepState, wording: Wording) -> StepLink:
    return StepLink(mark(state), f"{state.line.number} {state.line.title}", wording.step_address(state.line.key))


def _facts(step: Step, wording: Wording) -> list[tuple[str, str]]:
    found = [("Due", full_clock(step.due_at, wording.zone) if step.due_at else "No set time")]
    if step.deadline_label:
        found.append(("Deadline", step.deadline_label))
    if step.started_at:
        found.append(("Started", clock(step.started_at, wording.zone, wording.now)))
    if step.closed_at:
        found.append(
            (step.get_status_display(), f"{clock(step.closed_at, wording.zone, wording.now)} by {step.closed_by}")
        )
    return found


def _was_just_closed(step: Step, wording: Wording) -> str:
    """Whoever closed a step a moment ago is shown the way back at once."""
    is_recent = step.closed_at is not None and wording.now - step.closed_at < JUST_NOW
    if not is_recent or step.closed_by != wording.actor.name:
        return ""
    word = "waived" if step.status == Step.Status.SKIPPED else "completed"
    return f"You {word} this step. If that was a mistake, reopen it with a reason."
