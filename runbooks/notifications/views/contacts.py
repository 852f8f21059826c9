"""How one is reached: everybody's own page."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.errors import NotFoundError
from runbooks.notifications.channels import channel
from runbooks.notifications.operations import contacting
from runbooks.notifications.operations.contacting.codes import TooManyCodesError, WrongCodeError
from runbooks.notifications.operations.contacting.points import CannotAddPointError, TooLateError
from runbooks.notifications.operations.contacting.preferences import BadPreferenceError
from runbooks.notifications.operations.contacting.rules import LINES_MOST, BadRuleError
from runbooks.notifications.operations.contacting.testing import CannotTestError
from runbooks.notifications.own_contacts import OwnContacts, offered_channels, own_contacts
from runbooks.notifications.views.contact_forms import PointForm, PreferencesForm, changed, typed_lines

RULES: Final = {
    "important": ("Important notices", "A second person is needed, an incident was declared, nobody answers."),
    "default": ("All other notices", "What happened, and what is yours to do."),
}


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    return _show(request)


@require_http_methods(["GET", "HEAD", "POST"])
def add(request: PortalRequest) -> HttpResponse:
    """A page that a refused form left at this address may be fetched again."""
    if request.method != "POST":
        return redirect("contact_points")
    form = PointForm(request.POST, channels=offered_channels())
    if not form.is_valid():
        return _show(request, point_form=form, status=400)
    name, address = form.cleaned_data["channel"], form.cleaned_data["address"]
    try:
        added = contacting.add_point(channel_name=name, address=address, actor=actor_of(request), at=timezone.now())
    except CannotAddPointError as error:
        form.add_error(error.field, str(error))
        return _show(request, point_form=form, status=error.status)
    except TooManyCodesError as error:
        form.add_error(None, str(error))
        return _show(request, point_form=form, status=error.status)
    if added.secret:
        # Said in this answer alone: a redirect would have to keep it somewhere meanwhile.
        return render(request, "contacts/secret.html", {"point": added.point, "secret": added.secret})
    messages.success(request, "A code is on its way there. Type it in below: the contact point counts from then on.")
    return _to_point(added.point.pk)


@require_safe
def point(request: PortalRequest, point_id: UUID) -> HttpResponse:
    """One line of the list, asked for again while something is on its way."""
    if not request.headers.get("HX-Request"):
        return _to_point(point_id)
    now = timezone.now()
    found = next((line for line in own_contacts(request.user, now).points if line.id == point_id), None)
    if found is None:
        raise NotFoundError("There is no such contact point of yours.")
    return render(request, "contacts/_point.html", {"point": found, "now": now})


@require_http_methods(["GET", "HEAD", "POST"])
def code(request: PortalRequest, point_id: UUID) -> HttpResponse:
    """The code that arrived."""
    if request.method != "POST":
        return _to_point(point_id)
    typed = request.POST.get("code", "")
    try:
        found = contacting.enter_code(point_id=point_id, typed=typed, actor=actor_of(request), at=timezone.now())
    except WrongCodeError as error:
        return _show(request, wrong=(point_id, str(error)), status=error.status)
    by = channel(found.channel)
    messages.success(request, f"{by.LABEL} {by.shown(found.address)} counts from now on. Your other ways were told.")
    return _to_point(point_id)


@require_POST
def send_code(request: PortalRequest, point_id: UUID) -> HttpResponse:
    try:
        contacting.ask_for_code(point_id=point_id, actor=actor_of(request), at=timezone.now())
    except TooManyCodesError as error:
        messages.error(request, str(error))
    return _to_point(point_id)


@require_POST
def end(request: PortalRequest, point_id: UUID) -> HttpResponse:
    found = contacting.end_point(point_id=point_id, actor=actor_of(request), at=timezone.now())
    messages.success(request, f"Nothing goes to {channel(found.channel).shown(found.address)} any more.")
    return redirect("contact_points")


@require_POST
def restore(request: PortalRequest, point_id: UUID) -> HttpResponse:
    try:
        contacting.restore_point(point_id=point_id, actor=actor_of(request), at=timezone.now())
    except TooLateError as error:
        messages.error(request, str(error))
        return redirect("contact_points")
    return _to_point(point_id)


@require_POST
def test(request: PortalRequest, point_id: UUID) -> HttpResponse:
    try:
        contacting.send_test(point_id=point_id, actor=actor_of(request), at=timezone.now())
    except CannotTestError as error:
        messages.error(request, str(error))
    return _to_point(point_id)


@require_http_methods(["GET", "HEAD", "POST"])
def rule(request: PortalRequest, importance: str) -> HttpResponse:
    """Every button saves the whole rule as it is typed; the lines are moved without a script and by keyboard."""
    if request.method != "POST":
        return redirect("contact_points")
    actor, at = actor_of(request), timezone.now()
    try:
        lines, moved = changed(typed_lines(request.POST), request.POST.get("do", ""), request.POST)
        if lines and request.POST.get("do") != "standard":
            contacting.set_rule(importance=importance, lines=lines, actor=actor, at=at)
        else:
            contacting.drop_rule(importance=importance, actor=actor, at=at)
            messages.success(request, "The portal decides the order again.")
    except BadRuleError as error:
        return _show(request, refused=(importance, str(error)), status=error.status)
    # To the button that was pressed, where it is now: browsers give the focus to what an address ends with.
    place = f"{importance}-{moved}" if moved >= 0 else f"rule-{importance}"
    return redirect(f"{reverse('contact_points')}#{place}")


@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: PortalRequest) -> HttpResponse:
    if request.method != "POST":
        return redirect("contact_points")
    form = PreferencesForm(request.POST, kept=None)
    if form.is_valid():
        wanted = contacting.Preferences(**form.cleaned_data)
        try:
            contacting.set_preferences(wanted=wanted, actor=actor_of(request), at=timezone.now())
        except BadPreferenceError as error:
            form.add_error(error.field, str(error))
        else:
            messages.success(request, "Kept. What cannot wait does not wait for the end of quiet hours.")
            return redirect(f"{reverse('contact_points')}#preferences")
    return _show(request, preferences_form=form, status=400)


def _to_point(point_id: UUID) -> HttpResponse:
    return redirect(f"{reverse('contact_points')}#point-{point_id}")


def _show(
    request: PortalRequest,
    *,
    point_form: PointForm | None = None,
    preferences_form: PreferencesForm | None = None,
    wrong: tuple[UUID, str] | None = None,
    refused: tuple[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    now, names = timezone.now(), offered_channels()
    found = own_contacts(request.user, now)
    context: dict[str, Any] = {
        "found": found,
        "rules": [_rule(found, importance, refused) for importance in RULES],
        "point_form": point_form or PointForm(channels=names),
        "examples": [(channel(name).LABEL, channel(name).ADDRESS, channel(name).EXAMPLE) for name in names],
        "preferences_form": preferences_form or PreferencesForm(kept=found.preferences),
        "wrong_point": wrong[0] if wrong else None,
        "wrong_words": wrong[1] if wrong else "",
        "now": now,
    }
    return render(request, "contacts/points.html", context, status=status)


def _rule(found: OwnContacts, importance: str, refused: tuple[str, str] | None) -> dict[str, Any]:
    title, hint = RULES[importance]
    lines = found.rules[importance]
    return {
        "importance": importance,
        "title": title,
        "hint": hint,
        "lines": lines,
        "last": len(lines) - 1,
        "is_own": importance in found.has_own,
        "may_add": bool(found.usable) and len(lines) < LINES_MOST,
        "error": refused[1] if refused and refused[0] == importance else "",
    }
