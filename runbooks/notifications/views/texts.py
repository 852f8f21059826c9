"""What notices say: the list of events, and one of them in each language, with form, preview and history."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import can, require
from runbooks.notifications.events import Event
from runbooks.notifications.operations.editing import (
    BadNoticeTextError,
    StaleTextError,
    back_to_shipped,
    edit_text,
    restore_text,
)
from runbooks.notifications.shipped_texts import FOLDERS, Wording
from runbooks.notifications.text_preview import Leaving, preview, said_by_channel
from runbooks.notifications.text_rules import BadTextError
from runbooks.notifications.text_versions import (
    Standing,
    Version,
    calling,
    event_named,
    history,
    standing,
    standings,
    words_of,
)
from runbooks.notifications.views.text_forms import TextForm, VersionForm, typed_in
from runbooks.presentation import plural

FIELDS: Final = ("version", "subject", "body", "note")
VERSION_MOST: Final = 10**9
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Shown:
    """A preview, or why there is none."""

    leaving: list[Leaving]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Pane:
    """One language of an event: how it stands, the form where it may be changed, how it reads, what it said before."""

    now: Standing
    form: TextForm | None
    shown: Shown
    is_unsaved: bool
    versions: list[Version]
    older: int | None
    undo: int | None


@require_safe
def page(request: PortalRequest) -> HttpResponse:
    actor = actor_of(request)
    require(actor, "view_notice_texts")
    edited = request.GET.get("show") == "edited"
    calls = calling()
    found = [(event, texts, _treatment(event, calls)) for event, texts in standings()]
    if edited:
        found = [line for line in found if not all(text.is_shipped for text in line[1])]
    context = {
        "lines": found,
        "edited": edited,
        "may_edit": can(actor, "edit_notices"),
        "now": timezone.now(),
    }
    return render(request, "notice_texts/list.html", context)


@require_safe
def one(request: PortalRequest, event: str) -> HttpResponse:
    require(actor_of(request), "view_notice_texts")
    return _show(request, event_named(event))


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: PortalRequest, event: str, language: str) -> HttpResponse:
    """Save it, or look how it would read. A page that a refused form left here may be fetched again."""
    actor = actor_of(request)
    require(actor, "edit_notices")
    now = standing(event, language)
    if request.method != "POST":
        return redirect("notice_text", event)
    if request.POST.get("do") == "look":
        return _look(request, now)
    form = TextForm(now, request.POST)
    if not form.is_valid():
        return _show(request, now.event, form=form, language=language, status=400)
    given = form.cleaned_data
    try:
        kept = edit_text(event=event, language=language, **given, actor=actor, at=timezone.now())
    except BadNoticeTextError as error:
        form.add_error(error.field, str(error))
        return _show(request, now.event, form=form, language=language, status=error.status)
    except StaleTextError as error:
        return _compare(request, standing(event, language), str(error))
    messages.success(
        request, f"{now.label}: version {kept.version} counts from now on. What was announced before keeps its words."
    )
    return redirect("notice_text", event)


@require_http_methods(["GET", "HEAD", "POST"])
def restore(request: PortalRequest, event: str, language: str) -> HttpResponse:
    """An older version again."""
    actor = actor_of(request)
    require(actor, "edit_notices")
    now = standing(event, language)
    if request.method != "POST":
        return redirect("notice_text", event)
    form = VersionForm(request.POST)
    if not form.is_valid() or form.cleaned_data["number"] is None:
        return _refused(request, now, "The form was cut short. Choose the version again.", 400)
    try:
        kept = restore_text(event=event, language=language, **form.cleaned_data, actor=actor, at=timezone.now())
    except (BadNoticeTextError, StaleTextError) as error:
        return _refused(request, now, str(error), error.status)
    messages.success(request, f"{now.label}: {kept.note.lower()}, as version {kept.version}.")
    return redirect("notice_text", event)


@require_http_methods(["GET", "HEAD", "POST"])
def ship(request: PortalRequest, event: str, language: str) -> HttpResponse:
    """Back to the shipped words."""
    actor = actor_of(request)
    require(actor, "edit_notices")
    now = standing(event, language)
    if request.method != "POST":
        return redirect("notice_text", event)
    form = VersionForm(request.POST)
    if not form.is_valid():
        return _refused(request, now, "The form was cut short. Press the button again.", 400)
    version = form.cleaned_data["version"]
    try:
        back_to_shipped(event=event, language=language, version=version, actor=actor, at=timezone.now())
    except (BadNoticeTextError, StaleTextError) as error:
        return _refused(request, now, str(error), error.status)
    messages.success(request, f"{now.label}: as shipped from now on. Below it can be undone.")
    return redirect("notice_text", event)


def _look(request: PortalRequest, now: Standing) -> HttpResponse:
    """The preview alone for a script that asks as somebody types, the whole page for a button."""
    prefix = f"text-{now.language}"
    if request.headers.get("HX-Request"):
        shown = _shown(now, typed_in(request.POST, prefix))
        return render(request, "notice_texts/_preview.html", {"shown": shown, "language": now.language})
    given = {name: request.POST[f"{prefix}-{name}"] for name in FIELDS if f"{prefix}-{name}" in request.POST}
    form = TextForm(now, typed=given)
    return _show(request, now.event, form=form, language=now.language, typed=typed_in(request.POST, prefix))


def _compare(request: PortalRequest, now: Standing, why: str) -> HttpResponse:
    """Somebody was quicker: what was typed stays in the form, which is made from the newest version now."""
    data = request.POST.copy()
    data[f"text-{now.language}-version"] = str(now.version)
    form = TextForm(now, data)
    form.add_error(None, why)
    return _show(request, now.event, form=form, language=now.language, is_stale=True, status=409)


def _refused(request: PortalRequest, now: Standing, why: str, status: int) -> HttpResponse:
    messages.error(request, f"{now.label}: {why} Nothing was changed.")
    return _show(request, now.event, status=status)


def _show(
    request: PortalRequest,
    event: Event,
    *,
    form: TextForm | None = None,
    language: str = "",
    typed: Wording | None = None,
    is_stale: bool = False,
    status: int = 200,
) -> HttpResponse:
    """`form` and `typed` are of `language`; the other language stands beside it as it is."""
    may_edit = can(actor_of(request), "edit_notices") and event.is_editable
    panes = [
        _pane(
            request, event.name, code, form if code == language else None, typed if code == language else None, may_edit
        )
        for code in FOLDERS
    ]
    context: dict[str, Any] = {
        "event": event,
        "treatment": _treatment(event, calling()),
        "panes": panes,
        "words": words_of(event).items(),
        "said": said_by_channel(event.name),
        "may_edit": may_edit,
        "stale": language if is_stale else "",
        "now": timezone.now(),
    }
    return render(request, "notice_texts/one.html", context, status=status)


def _pane(
    request: PortalRequest, event: str, language: str, form: TextForm | None, typed: Wording | None, may_edit: bool
) -> Pane:
    now = standing(event, language)
    if form is not None and form.is_bound and typed is None:
        typed = form.typed()
    before = whole_number(request.GET.get(f"older-{language}"))
    versions, older = history(event, language, before=min(before, VERSION_MOST) if before is not None else None)
    return Pane(
        now=now,
        form=(form or TextForm(now)) if may_edit else None,
        shown=_shown(now, typed or now.wording),
        is_unsaved=typed is not None,
        versions=versions,
        older=older,
        undo=_undo(now, versions),
    )


def _undo(now: Standing, versions: list[Version]) -> int | None:
    """The version that going back to shipped took the place of."""
    if now.newest is None or now.newest.body:
        return None
    return next((one.row.version for one in versions if not one.is_shipped), None)


def _shown(now: Standing, wording: Wording) -> Shown:
    try:
        return Shown(preview(now.event.name, now.language, wording))
    except BadTextError as error:
        return Shown([], f"{error.field.capitalize().replace('Body', 'Text')}: {error}")


def _treatment(event: Event, calls: frozenset[str]) -> dict[str, Any]:
    """How such a notice is treated, in words."""
    return {
        "life": _life(event.lifetime),
        "gathers": f"{int(event.bundled_for.total_seconds())} s" if event.bundled_for else "",
        "calls": event.name in calls,
        "has_chain": event.chain is not None,
    }


def _life(lifetime: timedelta) -> str:
    """24 hours, 3 days"""
    hours = int(lifetime / HOUR)
    return plural(hours, "hour") if hours < 48 or hours % 24 else plural(hours // 24, "day")
