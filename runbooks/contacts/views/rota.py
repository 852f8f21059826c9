"""One rota: who is on call and when, adding shifts and stand-ins, taking them back, and a file for calendars."""

from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import can, require
from runbooks.contacts.calendar import calendar
from runbooks.contacts.models import Rota, RotaShift
from runbooks.contacts.operations import add_shift, add_weeks, end_rota, take_shift_back
from runbooks.contacts.operations.rotas import CannotChangeRotaError
from runbooks.contacts.queries.schedule import Place, coming_shifts, may_be_on_call, rota_for, standing, turns
from runbooks.contacts.views.rota_forms import ShiftForm, WeeksForm
from runbooks.contacts.wording import gaps_in_words
from runbooks.presentation import clock, plural

PAST: Final = timedelta(days=31)
AHEAD: Final = timedelta(days=366)


@require_safe
def page(request: PortalRequest, rota_id: int) -> HttpResponse:
    return _show(request, rota_for(rota_id))


@require_http_methods(["GET", "HEAD", "POST"])
def shift_add(request: PortalRequest, rota_id: int) -> HttpResponse:
    require(actor_of(request), "manage_rotas")
    rota = rota_for(rota_id)
    if request.method != "POST":
        return redirect("rota", rota.pk)
    form = ShiftForm(request.POST, rota=rota, people=may_be_on_call())
    if form.is_valid():
        said = form.cleaned_data
        try:
            shift = add_shift(
                rota_id=rota.pk,
                user_id=said["user"],
                starts_at=said["starts_at"],
                ends_at=said["ends_at"],
                actor=actor_of(request),
                at=timezone.now(),
            )
        except CannotChangeRotaError as error:
            form.add_error(error.field, str(error))
        else:
            messages.success(request, f"{shift.user} is on call {_stretch(shift)}.")
            return redirect("rota", rota.pk)
    return _show(request, rota, shift_form=form, status=400)


@require_http_methods(["GET", "HEAD", "POST"])
def weeks_add(request: PortalRequest, rota_id: int) -> HttpResponse:
    require(actor_of(request), "manage_rotas")
    rota = rota_for(rota_id)
    if request.method != "POST":
        return redirect("rota", rota.pk)
    form = WeeksForm(request.POST, people=may_be_on_call())
    if form.is_valid():
        said = form.cleaned_data
        try:
            shifts = add_weeks(
                rota_id=rota.pk,
                user_ids=form.user_ids(),
                first_day=said["first_day"],
                hand_over=said["hand_over"],
                weeks=said["weeks"],
                actor=actor_of(request),
                at=timezone.now(),
            )
        except CannotChangeRotaError as error:
            form.add_error("turn_1" if error.field == "people" else error.field, str(error))
        else:
            messages.success(request, f"{plural(len(shifts), 'week')} added, the last until {_end(shifts[-1])}.")
            return redirect("rota", rota.pk)
    return _show(request, rota, weeks_form=form, status=400)


@require_POST
def shift_take_back(request: PortalRequest, rota_id: int, shift_id: int) -> HttpResponse:
    shift = take_shift_back(rota_id=rota_id, shift_id=shift_id, actor=actor_of(request), at=timezone.now())
    messages.success(request, f"The shift of {shift.user}, {_stretch(shift)}, does not count any more.")
    return redirect("rota", rota_id)


@require_POST
def end(request: PortalRequest, rota_id: int) -> HttpResponse:
    rota = end_rota(rota_id=rota_id, actor=actor_of(request), at=timezone.now())
    messages.success(request, f"{rota.name} has ended. Nobody is called by it any more.")
    return redirect("rotas")


@require_safe
def calendar_file(request: PortalRequest, rota_id: int) -> HttpResponse:
    rota, at = rota_for(rota_id), timezone.now()
    content = calendar(rota, turns(rota, at - PAST, at + AHEAD), at)
    headers = {"Content-Disposition": f'attachment; filename="rota-{rota.pk}.ics"'}
    return HttpResponse(content, content_type="text/calendar; charset=utf-8", headers=headers)


def _show(
    request: PortalRequest,
    rota: Rota,
    *,
    shift_form: ShiftForm | None = None,
    weeks_form: WeeksForm | None = None,
    status: int = 200,
) -> HttpResponse:
    actor, at, zone = actor_of(request), timezone.now(), ZoneInfo(rota.time_zone)
    stands = standing(rota, at)
    shifts, more = coming_shifts(rota, at, after=_place(request.GET.get("after", "")))
    may_manage = can(actor, "manage_rotas")
    context: dict[str, Any] = {
        "rota": rota,
        "zone": zone,
        "standing": stands,
        "gaps": gaps_in_words(stands, at),
        "shifts": [{"shift": shift, "runs": shift.starts_at <= at} for shift in shifts],
        "after": f"{more[0].timestamp():.6f}-{more[1]}" if more else "",
        "may_manage": may_manage,
        "now": at,
    }
    if may_manage:
        people = may_be_on_call()
        context["shift_form"] = shift_form or ShiftForm(rota=rota, people=people, initial=_stand_in(request, shifts))
        context["weeks_form"] = weeks_form or WeeksForm(people=people, initial=_next_weeks(at, zone))
    return render(request, "contacts/rota.html", context, status=status)


def _stand_in(request: PortalRequest, shifts: list[RotaShift]) -> dict[str, Any]:
    """The times of the shift that somebody is to stand in for."""
    wanted = whole_number(request.GET.get("instead"))
    found = next((shift for shift in shifts if shift.pk == wanted), None)
    return {"starts_at": found.starts_at, "ends_at": found.ends_at} if found else {}


def _next_weeks(at: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """From the next Monday on, 09:00."""
    today = at.astimezone(zone).date()
    return {"first_day": today + timedelta(days=7 - today.weekday()), "hand_over": "09:00"}


def _place(text: str) -> Place | None:
    """Where a page begins: the moment and number of the shift before it; nonsense in the address is the first page."""
    moment, _, number = text[:40].partition("-")
    shift_id = whole_number(number)
    whole, _, part = moment.partition(".")
    seconds, micros = whole_number(whole), whole_number(part)
    if shift_id is None or seconds is None or micros is None or len(part) != 6 or seconds > 4_000_000_000:
        return None
    return datetime.fromtimestamp(seconds, ZoneInfo("UTC")) + timedelta(microseconds=micros), shift_id


def _stretch(shift: RotaShift) -> str:
    zone, now = ZoneInfo(shift.rota.time_zone), timezone.now()
    return f"{clock(shift.starts_at, zone, now)} to {clock(shift.ends_at, zone, now)}"


def _end(shift: RotaShift) -> str:
    return clock(shift.ends_at, ZoneInfo(shift.rota.time_zone), timezone.now())
