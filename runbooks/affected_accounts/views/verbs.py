"""What can be done with chosen accounts: one form a verb, used for one account on its page and for many at once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.db.models import TextChoices

from runbooks.access.models import User
from runbooks.access.permissions import Actor, can
from runbooks.affected_accounts import operations
from runbooks.affected_accounts.models import ContactAttempt, FactKind, State, Tier
from runbooks.affected_accounts.operations import Attempt, Finding, Outcome
from runbooks.affected_accounts.transitions import Transition, following
from runbooks.incidents.models import Incident
from runbooks.timeline.moments import UnreadableMomentError, parse

EMPTY = ("", "Choose")


@dataclass(frozen=True, slots=True)
class Work:
    """On what, by whom and when a form acts. `version` guards a single account against a stale page."""

    incident: Incident
    account_ids: Collection[int]
    actor: Actor
    at: datetime
    version: int | None = None

    def arguments(self) -> dict[str, Any]:
        return {
            "incident_id": self.incident.pk,
            "account_ids": self.account_ids,
            "actor": self.actor,
            "at": self.at,
            "version": self.version,
        }


class VerbForm(forms.Form):
    """A form that ends in one operation. `states` are those the chosen accounts are in."""

    verb: ClassVar[str]
    permission: ClassVar[str]
    title: ClassVar[str]
    button: ClassVar[str]
    hint: ClassVar[str] = ""

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, incident: Incident, states: Collection[str], now: datetime
    ) -> None:
        super().__init__(data, auto_id=f"{self.verb}-%s")
        self.incident, self.states, self.now = incident, states, now
        self.prepare()

    def prepare(self) -> None:
        """Fill in what depends on the incident and the chosen accounts."""

    def perform(self, work: Work) -> Outcome:
        raise NotImplementedError

    def moment(self) -> datetime:
        """The `when` field read in the incident's zone; empty means now."""
        text = self.cleaned_data.get("when", "").strip()
        return parse(text, self.incident.zone, self.now).at if text else self.now

    def clean_when(self) -> str:
        text: str = self.cleaned_data["when"]
        try:
            if text.strip():
                parse(text, self.incident.zone, self.now)
        except UnreadableMomentError as error:
            raise forms.ValidationError(str(error)) from error
        return text


def _reason(label: str) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": 2})
    return forms.CharField(label=label, max_length=400, required=False, widget=widget)


def _when() -> forms.CharField:
    return forms.CharField(
        label="When",
        max_length=40,
        required=False,
        help_text="11:42, Fri 17:05 or 2017-06-23 17:05. Empty means now.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


def _choices(kinds: type[TextChoices]) -> list[tuple[str, str]]:
    return [EMPTY, *kinds.choices]


class TierForm(VerbForm):
    verb, permission, title, button = "tier", "assess_account", "Set tier", "Set tier"
    hint = "While an account is being assessed its state follows: A and B confirm it, C marks it targeted, D suspected."
    tier = forms.ChoiceField(label="Tier", choices=Tier.choices, widget=forms.RadioSelect)
    reason = _reason("Why, where this is lower than before")

    def perform(self, work: Work) -> Outcome:
        return operations.set_tier(
            tier=self.cleaned_data["tier"], reason=self.cleaned_data["reason"], **work.arguments()
        )


class StateForm(VerbForm):
    verb, permission, title, button = "state", "assess_account", "Change state", "Change state"
    hint = (
        "An account moves only when the facts its next state needs are recorded. Those that lack one stay as they are."
    )
    after = forms.ChoiceField(label="New state")
    reason = _reason("Why, where this takes something back")

    def prepare(self) -> None:
        steps = [step for state in self.states for step in following(state)]
        self.fields["after"].choices = [EMPTY, *state_choices(steps)]  # type: ignore[attr-defined]  # a ChoiceField

    def perform(self, work: Work) -> Outcome:
        return operations.change_state(
            after=self.cleaned_data["after"], reason=self.cleaned_data["reason"], **work.arguments()
        )


def state_choices(steps: Collection[Transition]) -> list[tuple[str, str]]:
    """The states that may follow: those along the way first, the others in the order of the lifecycle."""
    forward = {step.after for step in steps if step.is_forward}
    wanted = {step.after for step in steps}
    return [(state.value, state.label) for state in sorted(wanted, key=lambda one: (one not in forward, _place(one)))]


def _place(state: State) -> int:
    return list(State).index(state)


class FactForm(VerbForm):
    verb, permission, title, button = "fact", "record_fact", "Record a fact", "Record fact"
    hint = "Record what was seen, not what was asked for: an order that went through is not yet a sign-in disabled."
    kind = forms.ChoiceField(label="Fact", choices=_choices(FactKind))
    holds = forms.ChoiceField(
        label="Is it so?",
        choices=[("yes", "Yes, it holds"), ("no", "No, it holds no longer")],
        initial="yes",
        widget=forms.RadioSelect,
    )
    source = forms.CharField(
        label="Who or what says so", max_length=200, help_text="Such as: directory read-back, mail platform team."
    )
    when = _when()
    note = forms.CharField(label="Note", max_length=400, required=False)

    def perform(self, work: Work) -> Outcome:
        given = self.cleaned_data
        finding = Finding(
            kind=FactKind(given["kind"]),
            happened_at=self.moment(),
            source=given["source"],
            holds=given["holds"] == "yes",
            note=given["note"],
        )
        return operations.record_fact(finding=finding, **work.arguments())


class ContactForm(VerbForm):
    verb, permission, title, button = "contact", "log_contact", "Log a contact attempt", "Log attempt"
    hint = "Never use the affected mailbox: whoever broke in reads it. Never ask for a password or a code."
    channel = forms.ChoiceField(label="Channel", choices=_choices(ContactAttempt.Channel))
    outcome = forms.ChoiceField(label="What came of it", choices=_choices(ContactAttempt.Outcome))
    identity_check = forms.CharField(
        label="How the holder was recognised",
        max_length=200,
        required=False,
        help_text="Needed when the holder was reached: called back on the number of record, staff number given.",
    )
    address = forms.CharField(label="Number or address used", max_length=200, required=False)
    address_source = forms.CharField(
        label="Where it came from", max_length=120, required=False, help_text="Such as the HR file."
    )
    when = _when()
    note = forms.CharField(label="Note", max_length=1000, required=False, widget=forms.Textarea(attrs={"rows": 2}))

    def perform(self, work: Work) -> Outcome:
        given = self.cleaned_data
        attempt = Attempt(
            channel=ContactAttempt.Channel(given["channel"]),
            outcome=ContactAttempt.Outcome(given["outcome"]),
            happened_at=self.moment(),
            address=given["address"],
            address_source=given["address_source"],
            identity_check=given["identity_check"],
            note=given["note"],
        )
        return operations.log_contact(attempt=attempt, **work.arguments())


class OwnerForm(VerbForm):
    verb, permission, title, button = "owner", "assign_account", "Assign owner", "Assign"
    hint = "Who takes the next step with the account."
    owner = forms.ChoiceField(label="Owner")

    def prepare(self) -> None:
        people = [(str(pk), name) for pk, name in members(self.incident)]
        self.fields["owner"].choices = [EMPTY, *people, ("nobody", "Nobody")]  # type: ignore[attr-defined]

    def perform(self, work: Work) -> Outcome:
        owner = self.cleaned_data["owner"]
        return operations.assign_owner(owner_id=None if owner == "nobody" else int(owner), **work.arguments())


FORMS: Mapping[str, type[VerbForm]] = {
    form.verb: form for form in (TierForm, StateForm, FactForm, ContactForm, OwnerForm)
}


def allowed_verbs(actor: Actor) -> list[type[VerbForm]]:
    return [form for form in FORMS.values() if can(actor, form.permission)]


def members(incident: Incident) -> list[tuple[int, str]]:
    """Who is in the incident and may sign in, by name."""
    people = User.objects.filter(
        is_active=True, memberships__incident=incident, memberships__ended_at__isnull=True
    ).order_by("name")
    return list(people.values_list("pk", "name"))
