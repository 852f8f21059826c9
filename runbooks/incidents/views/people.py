"""Who is in the incident, who holds which role, and who held it before."""

from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.models import Membership, User
from runbooks.access.permissions import can
from runbooks.incidents import operations
from runbooks.incidents.forms import TextInput
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.incidents.queries import incident_for
from runbooks.notifications.reachability import unreachable_members
from runbooks.timeline.operations import now


class MemberForm(forms.Form):
    """Who comes in."""

    user = forms.ModelChoiceField(queryset=User.objects.none(), label="Person", empty_label="Choose a person")

    def __init__(self, data: object = None, *, incident: Incident) -> None:
        super().__init__(data)  # type: ignore[arg-type]  # request.POST or nothing
        members = Membership.objects.filter(incident=incident, user=OuterRef("pk"), ended_at__isnull=True)
        _choose(self, "user", User.objects.filter(~Exists(members), is_active=True))
        self.fields["user"].widget.attrs["class"] = "select"


class RoleForm(forms.Form):
    """Who takes which role, and what was handed over."""

    kind = forms.ChoiceField(
        label="Role",
        choices=[("", "Choose a role"), *((k, v) for k, v in IncidentRole.Kind.choices if k != "holder")],
        widget=forms.Select(attrs={"class": "select"}),
    )
    user = forms.ModelChoiceField(queryset=User.objects.none(), label="Person", empty_label="Choose a person")
    note = forms.CharField(label="What is handed over", required=False, max_length=400, widget=TextInput())

    def __init__(self, data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]  # request.POST or nothing
        _choose(self, "user", User.objects.filter(is_active=True))
        self.fields["user"].widget.attrs["class"] = "select"


def _choose(form: forms.Form, name: str, people: QuerySet[User]) -> None:
    field = form.fields[name]
    if isinstance(field, forms.ModelChoiceField):
        field.queryset = people


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    return _render(request, incident_for(actor_of(request), reference))


def _render(
    request: PortalRequest,
    incident: Incident,
    *,
    member_form: MemberForm | None = None,
    role_form: RoleForm | None = None,
    error: str = "",
) -> HttpResponse:
    actor = actor_of(request)
    roles = IncidentRole.objects.filter(incident=incident).select_related("user").order_by("-since")
    context = {
        "incident": incident,
        "actor": actor,
        "now": now(),
        "tab": "people",
        "members": _members(incident, with_ways=can(actor, "manage_people")),
        "current_roles": sorted((role for role in roles if role.until is None), key=_place),
        "past_roles": [role for role in roles if role.until is not None],
        "may_manage": can(actor, "manage_people"),
        "member_form": member_form or MemberForm(incident=incident),
        "role_form": role_form or RoleForm(),
        "error": error,
    }
    return render(request, "incidents/people.html", context, status=409 if error else 200)


def _members(incident: Incident, *, with_ways: bool) -> list[tuple[Membership, str]]:
    """Who is in it, and why nothing surely reaches them; those who cannot mend that are not told."""
    current = Membership.objects.filter(incident=incident, ended_at__isnull=True).select_related("user")
    whys = {one.user_id: one.why for one in unreachable_members(incident)} if with_ways else {}
    return [(one, whys.get(one.user_id, "")) for one in current.order_by("user__role", "user__name")[:500]]


def _place(role: IncidentRole) -> tuple[int, str]:
    """The lead first, then as the roles stand in their list."""
    return IncidentRole.Kind.values.index(role.kind), str(role.user)


@require_POST
def add(request: PortalRequest, reference: str) -> HttpResponse:
    incident = incident_for(actor_of(request), reference)
    form = MemberForm(request.POST, incident=incident)
    if not form.is_valid():
        return _render(request, incident, member_form=form, error="Choose a person who is not in the incident yet.")
    user = form.cleaned_data["user"]
    return _do(
        request,
        incident,
        lambda: operations.add_member(incident_id=incident.pk, user_id=user.pk, actor=actor_of(request), at=now()),
        f"{user} is in the incident now.",
    )


@require_POST
def end(request: PortalRequest, reference: str, user_id: int) -> HttpResponse:
    incident = incident_for(actor_of(request), reference)
    return _do(
        request,
        incident,
        lambda: operations.end_membership(incident_id=incident.pk, user_id=user_id, actor=actor_of(request), at=now()),
        "They are no longer in the incident. You can add them again below.",
    )


@require_POST
def give_role(request: PortalRequest, reference: str) -> HttpResponse:
    incident = incident_for(actor_of(request), reference)
    form = RoleForm(request.POST)
    if not form.is_valid():
        return _render(request, incident, role_form=form, error="Choose a role and a person.")
    answers = form.cleaned_data
    return _do(
        request,
        incident,
        lambda: operations.give_role(
            incident_id=incident.pk,
            kind=answers["kind"],
            user_id=answers["user"].pk,
            note=answers["note"],
            actor=actor_of(request),
            at=now(),
        ),
        f"{answers['user']} is {IncidentRole.Kind(answers['kind']).label.lower()} now.",
    )


@require_POST
def end_role(request: PortalRequest, reference: str, role_id: int) -> HttpResponse:
    incident = incident_for(actor_of(request), reference)
    return _do(
        request,
        incident,
        lambda: operations.end_role(incident_id=incident.pk, role_id=role_id, actor=actor_of(request), at=now()),
        "The role is free now.",
    )


def _do(request: PortalRequest, incident: Incident, operation: Callable[[], object], said: str) -> HttpResponse:
    try:
        operation()
    except operations.CannotChangePeopleError as error:
        return _render(request, incident, error=str(error))
    messages.success(request, said)
    return redirect("incident_people", incident.reference)
