"""One import: which column fills what, what applying it would do, and afterwards what it did."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.directory.columns import LABELS, problems
from runbooks.directory.models import DirectoryImport
from runbooks.directory.operations import (
    BadMappingError,
    NothingToImportError,
    PreviewOutdatedError,
    TooManyGoneError,
    apply_import,
    choose_columns,
    discard_import,
)
from runbooks.directory.queries import import_for, preview, samples
from runbooks.directory.staging import Counts
from runbooks.presentation import plural

TABS = (("rejected", "Rejected"), ("gone", "Gone"), ("changed", "Changed"), ("new", "New"))
EXPECTED = ("new", "changed", "gone", "unchanged", "rejected")


@dataclass(frozen=True, slots=True)
class Column:
    """One row of the mapping: a column, what it holds, and the field it fills."""

    position: int
    name: str
    samples: str
    field: str


@require_safe
def page(request: PortalRequest, import_id: int) -> HttpResponse:
    imported = import_for(actor=actor_of(request), import_id=import_id)
    context: dict[str, Any] = {
        "imported": imported,
        "size": filesizeformat(imported.size),
        "zone": ZoneInfo(settings.INSTITUTION_TIME_ZONE),
        "is_staged": imported.status == DirectoryImport.Status.STAGED,
    }
    if imported.status == DirectoryImport.Status.STAGED:
        context |= _preview(imported, request)
    elif imported.status == DirectoryImport.Status.APPLIED:
        context |= {"counts": Counts(**imported.counts)}
    return render(request, "directory/import.html", context)


def _preview(imported: DirectoryImport, request: PortalRequest) -> dict[str, Any]:
    wrong = problems(imported.columns)
    context: dict[str, Any] = {
        "problems": wrong,
        "fields": LABELS.items(),
        "columns": _columns(imported, samples(imported)),
        "filled": sum(1 for field in imported.columns.values() if field),
    }
    if wrong:
        return context
    shown = preview(imported, verdict=request.GET.get("show", ""), after=whole_number(request.GET.get("after")) or 0)
    return context | {
        "shown": shown,
        "counts": shown.counts,
        "tabs": [(key, label, getattr(shown.counts, key)) for key, label in TABS],
        "expected": [(name, getattr(shown.counts, name)) for name in EXPECTED],
        "apply_label": _apply_label(shown.counts),
    }


def _columns(imported: DirectoryImport, held: dict[str, list[str]]) -> list[Column]:
    """Those that fill something first, each in the order of the file. Their places are those of `imported.columns`."""
    places = {name: place for place, name in enumerate(imported.columns)}
    shown = [
        Column(places[name], name, " · ".join(values), imported.columns[name])
        for name, values in held.items()
        if name in places
    ]
    return sorted(shown, key=lambda column: not column.field)


def _apply_label(counts: Counts) -> str:
    """What the button will do, with its numbers."""
    parts = [
        (counts.new, f"Add {plural(counts.new, 'account')}"),
        (counts.changed, f"change {counts.changed:,}"),
        (counts.gone, f"mark {counts.gone:,} as gone"),
    ]
    said = ", ".join(text for number, text in parts if number)
    return said[:1].upper() + said[1:] if said else f"Confirm {plural(counts.unchanged, 'account')} unchanged"


@require_POST
def columns(request: PortalRequest, import_id: int) -> HttpResponse:
    actor = actor_of(request)
    imported = import_for(actor=actor, import_id=import_id)
    # Columns are named by their place: a header may hold anything, a field's name in a form may not.
    chosen = {
        name: request.POST.get(f"column-{position}", field)
        for position, (name, field) in enumerate(imported.columns.items())
    }
    try:
        choose_columns(actor=actor, import_id=import_id, columns=chosen, at=timezone.now())
    except BadMappingError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "These columns are used now, and for every later file with this header.")
    return redirect("directory_import", import_id)


@require_POST
def apply(request: PortalRequest, import_id: int) -> HttpResponse:
    given = {name: whole_number(request.POST.get(f"expected-{name}")) for name in EXPECTED}
    try:
        imported = apply_import(
            actor=actor_of(request),
            import_id=import_id,
            at=timezone.now(),
            allow_gone=request.POST.get("allow_gone") == "1",
            expected={name: number for name, number in given.items() if number is not None},
        )
    except (TooManyGoneError, PreviewOutdatedError, NothingToImportError) as error:
        messages.error(request, str(error))
    else:
        counts = Counts(**imported.counts)
        messages.success(request, f"Applied. The directory now holds {plural(counts.usable, 'account')} of this file.")
    return redirect("directory_import", import_id)


@require_POST
def discard(request: PortalRequest, import_id: int) -> HttpResponse:
    discard_import(actor=actor_of(request), import_id=import_id)
    messages.success(request, "The file was discarded. The directory is as it was.")
    return redirect("directory_imports")
