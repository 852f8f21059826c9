"""A new action: what, through which connection, and why. For whom was chosen before, or is everyone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import urlencode

from django import forms
from django.db.models import Count, Q
from django.forms.boundfield import BoundWidget
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import Actor, require
from runbooks.actions.models import Action
from runbooks.actions.operations import Draft, draft_action
from runbooks.actions.operations.drafting import REASON_MAX, STOP_AFTER
from runbooks.actions.verbs import MEANINGS, needs_two
from runbooks.actions.views.connections import Usable, usable_connections
from runbooks.affected_accounts.models import AffectedAccount
from runbooks.affected_accounts.views.change import read_selection
from runbooks.connectors.base import Action as Verb
from runbooks.connectors.base import words as verb_words
from runbooks.containment.models import Step
from runbooks.directory.models import Account
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.incidents.forms import LocalDateTimeField, Textarea
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import plural
from runbooks.timeline.operations import now

Kind = Action.Kind
REVIEW_AFTER = timedelta(hours=4)
NAMED_AT_MOST = 50
NO_HARM = "Write down what harm it will do: the decision is judged on it."
NO_REVIEW = "Set a time in the future at which the lock-down is looked at again."


class MovedError(DomainError):
    """The chosen accounts are not those that the page showed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """For whom: chosen accounts of the incident, or everyone in the directory. `back` leads to where it was chosen."""

    ids: Sequence[int]
    everyone: bool
    count: int
    privileged: int
    logins: Sequence[str]
    back: str

    @property
    def is_empty(self) -> bool:
        return not self.everyone and not self.count

    @property
    def who(self) -> str:
        return f"everyone, {plural(self.count, 'account')}" if self.everyone else plural(self.count, "account")


class NewActionForm(forms.Form):
    """What is fixed by the address (the kind, the one connection) travels in hidden fields."""

    kind = forms.ChoiceField(
        label="What to do", widget=forms.RadioSelect, error_messages={"required": "Choose what to do."}
    )
    connection = forms.ChoiceField(
        label="Through", widget=forms.RadioSelect, error_messages={"required": "Choose a connection."}
    )
    reason = forms.CharField(
        label="Why",
        max_length=REASON_MAX,
        help_text="The second person decides on it, and auditors read it.",
        error_messages={"required": "Say why: the second person decides on it, and auditors read it."},
        widget=Textarea(rows=4),
    )
    expected_harm = forms.CharField(
        label="Expected harm",
        required=False,
        error_messages={"required": NO_HARM},
        max_length=REASON_MAX,
        help_text="What stops for whom, and what you do about it. The decision is judged on it.",
        widget=Textarea(rows=3),
    )
    review_at = LocalDateTimeField(label="Looked at again", required=False, error_messages={"required": NO_REVIEW})
    stop_after_failures = forms.IntegerField(
        label="Stop after a batch with more failures than", min_value=0, max_value=100_000, initial=STOP_AFTER
    )
    batch_size = forms.IntegerField(
        label="Accounts in a batch",
        required=False,
        min_value=1,
        max_value=100_000,
        help_text="Empty takes what the connection bears.",
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        incident: Incident,
        usable: Sequence[Usable],
        wanted: Wanted,
        kind: str,
        at: datetime,
    ) -> None:
        super().__init__(data, auto_id="new-%s")
        self.incident, self.usable, self.wanted, self.at = incident, usable, wanted, at
        offered = [kind.value for kind in Kind if any(one.can(kind) for one in usable)]
        self.fixed_kind = kind if kind in offered else ""
        able = [one for one in usable if not self.fixed_kind or one.can(self.fixed_kind)]
        kinds = [self.fixed_kind] if self.fixed_kind else offered
        self._choices("kind", [(value, Kind(value).label) for value in kinds])
        self._choices("connection", [(one.name, one.name) for one in able])
        review = cast(LocalDateTimeField, self.fields["review_at"])
        review.zone, review.help_text = incident.zone, f"Local time, {incident.time_zone}."
        self.initial["kind"] = self.fixed_kind
        self.initial["connection"] = able[0].name if able else ""
        self.initial["review_at"] = at + REVIEW_AFTER
        for name, is_fixed in (("kind", bool(self.fixed_kind)), ("connection", len(able) == 1)):
            if is_fixed:
                self.fields[name].widget = forms.HiddenInput()
        if self.fixed_kind == Kind.RESTRICT_REMOTE_ACCESS:
            self.fields["expected_harm"].required = self.fields["review_at"].required = True
        if not self.may_lock_down:
            del self.fields["expected_harm"], self.fields["review_at"]

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        cast(forms.ChoiceField, self.fields[name]).choices = choices

    @property
    def may_lock_down(self) -> bool:
        """Whether it could become a lock-down, which needs its decision record."""
        return self.wanted.everyone and self.fixed_kind in {"", Kind.RESTRICT_REMOTE_ACCESS}

    @property
    def through(self) -> Usable:
        """The connection that is chosen, or would be."""
        chosen = self["connection"].value()
        return next((one for one in self.usable if one.name == chosen), self.usable[0])

    @property
    def kinds(self) -> list[tuple[BoundWidget, str]]:
        """Each choice with what it does."""
        return [(radio, MEANINGS[str(radio.data["value"])].effect_detail) for radio in self["kind"]]

    @property
    def connections(self) -> list[tuple[BoundWidget, str]]:
        says = {one.name: one.says for one in self.usable}
        return [(radio, says[str(radio.data["value"])]) for radio in self["connection"]]

    @property
    def more(self) -> list[forms.BoundField]:
        return [self["stop_after_failures"], self["batch_size"]]

    @property
    def has_error_in_more(self) -> bool:
        return any(field.errors for field in self.more)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        kind, name = given.get("kind", ""), given.get("connection", "")
        chosen = next((one for one in self.usable if one.name == name), None)
        if kind and chosen is not None and not chosen.can(kind):
            self.add_error(
                "connection", f"{name} cannot {verb_words(Verb(kind))}. Choose another connection, or people."
            )
        if self.wanted.everyone and kind == Kind.RESTRICT_REMOTE_ACCESS:
            if not given.get("expected_harm") and "expected_harm" not in self.errors:
                self.add_error("expected_harm", NO_HARM)
            review = given.get("review_at")
            if "review_at" not in self.errors and (review is None or review <= self.at):
                self.add_error("review_at", NO_REVIEW)
        return given

    def draft(self, step_key: str) -> Draft:
        given = self.cleaned_data
        is_lock_down = self.wanted.everyone and given["kind"] == Kind.RESTRICT_REMOTE_ACCESS
        return Draft(
            kind=given["kind"],
            connection=given["connection"],
            reason=given["reason"],
            affected_ids=() if self.wanted.everyone else self.wanted.ids,
            everyone=self.wanted.everyone,
            step_key=step_key,
            expected_harm=given["expected_harm"] if is_lock_down else "",
            review_at=given["review_at"] if is_lock_down else None,
            batch_size=given["batch_size"] or 0,
            stop_after_failures=given["stop_after_failures"],
        )


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: PortalRequest, reference: str) -> HttpResponse:
    """The address says for whom, so that going back and reloading keep it."""
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "request_action", incident.pk)
    wanted = _wanted(request, incident)
    usable = usable_connections(exercise=incident.is_exercise)
    step = _step(incident, request.GET.get("step", ""))
    given = request.POST if request.method == "POST" else None
    form = NewActionForm(given, incident=incident, usable=usable, wanted=wanted, kind=_kind(request, step), at=at)
    status, refusal = 200, ""
    if given is not None and usable and not wanted.is_empty:
        try:
            action = _draft(form, given, step, actor)
        except (NotFoundError, NotAllowedError):
            raise
        except DomainError as error:
            status, refusal = error.status, str(error)
        else:
            if action is not None:
                return redirect("action", incident.reference, action.number)
            status = 400
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "actions",
        "wanted": wanted,
        "usable": usable,
        "step": step,
        "form": form,
        "refusal": refusal,
        "everyone_link": _everyone_link(request),
        **_said(form, wanted),
    }
    return render(request, "actions/new.html", context, status=status)


def _draft(form: NewActionForm, given: Mapping[str, Any], step: Step | None, actor: Actor) -> Action | None:
    """None where an answer is missing or wrong."""
    if given.get("expected") != str(form.wanted.count):
        raise MovedError(
            f"This is for {plural(form.wanted.count, 'account')} now: others changed some while you wrote. "
            "Check the number, then draft it again."
        )
    if not form.is_valid():
        return None
    draft = form.draft(step.key if step else "")
    return draft_action(incident_id=form.incident.pk, draft=draft, actor=actor, at=form.at)


def _kind(request: PortalRequest, step: Step | None) -> str:
    return request.GET.get("kind") or (step.automation if step is not None else "")


def _step(incident: Incident, key: str) -> Step | None:
    return Step.objects.filter(incident=incident, key=key[:200]).first() if key else None


def _wanted(request: PortalRequest, incident: Incident) -> Wanted:
    """For everyone one query, for chosen accounts two."""
    if request.GET.get("everyone"):
        found = Account.objects.filter(gone_at__isnull=True).aggregate(
            count=Count("id"), privileged=Count("id", filter=Q(is_privileged=True))
        )
        back = reverse("actions", args=[incident.reference])
        return Wanted((), True, found["count"], found["privileged"], (), back)
    selection = read_selection(request, incident)
    rows = list(
        AffectedAccount.objects.filter(incident=incident, pk__in=selection.ids)
        .order_by("rank", "login")
        .values_list("id", "login", "account__is_privileged")
    )
    privileged = sum(is_privileged for *_, is_privileged in rows)
    logins = [login for _, login, _ in rows]
    return Wanted([pk for pk, *_ in rows], False, len(rows), privileged, logins[:NAMED_AT_MOST], selection.back)


def _everyone_link(request: PortalRequest) -> str:
    kept = {name: request.GET[name] for name in ("kind", "step") if request.GET.get(name)}
    return f"?{urlencode({**kept, 'everyone': '1'})}"


def _said(form: NewActionForm, wanted: Wanted) -> dict[str, object]:
    kind = form.fixed_kind
    label = Kind(kind).label if kind else "New action"
    return {
        "heading": f"{label} for {wanted.who}" if not wanted.is_empty else label,
        "meaning": MEANINGS[kind] if kind else None,
        "needs_two": not kind or needs_two(kind, wanted.count, everyone=wanted.everyone),
        "more_names": max(wanted.count - len(wanted.logins), 0) if not wanted.everyone else 0,
        "button": f"Draft it for {plural(wanted.count, 'account')}",
    }
