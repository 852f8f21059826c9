"""The seal of an incident: how far it was verified, what was signed, who keeps it, and how to check it elsewhere."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from runbooks.access.http import PortalRequest, actor_of, whole_number
from runbooks.access.permissions import Actor, can, require
from runbooks.exports import keys
from runbooks.exports.models import Checkpoint, SigningKey, Verification
from runbooks.exports.operations.stamping import stamp_fault
from runbooks.exports.operations.verifying import ask_verification, is_well_signed
from runbooks.exports.progress import Progress
from runbooks.exports.queries import seal
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.presentation import clock, full_clock, in_groups, number, plural, span
from runbooks.timeline.operations import now

STRIP: Final = 4
# A worker that has not begun by now is either not there or has much to do.
SLOW: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Signed:
    """One checkpoint in words. `trouble` is what is wrong with its signature or its stamp.

    `breaks`: the chain was found broken among the entries it covers.
    """

    sequence: int
    range: str
    hash: str
    rest: str
    when: str
    full: str
    reason: str
    key: str
    trouble: str
    stamp: str
    witnesses: str
    is_kept: bool
    breaks: bool


@dataclass(frozen=True, slots=True)
class Walked:
    """One verification in words."""

    tone: str
    icon: str
    when: str
    what: str
    finding: str
    by: str


@require_safe
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "view_seal", incident.pk)
    place = whole_number(request.GET.get("before"))
    found = seal.checkpoints_of(incident.pk, before=place)
    shown = [_signed(one, older, incident, at) for one, older in zip(found, [*found[1:], None], strict=False)]
    context = {
        "incident": incident,
        "actor": actor,
        "now": at,
        "tab": "exports",
        "figures": seal.figures(incident.pk),
        "checkpoints": shown[: seal.PAGE],
        "strip": [] if place is not None else shown[:STRIP][::-1],
        "unsigned": 0 if place is not None else incident.head_sequence - (found[0].sequence if found else 0),
        "next": found[seal.PAGE - 1].sequence if len(found) > seal.PAGE else "",
        "is_paged": place is not None,
        "head_first": incident.head_hash[:8],
        "head_rest": " ".join(in_groups(incident.head_hash[8:])),
        "head_words": seal.head_words(incident),
        "head_code": seal.head_code(incident),
        "signers": f"{settings.PORTAL_URL.rstrip('/')}{reverse('signers')}",
        "witnesses": [one for one in seal.witnesses(incident.pk) if one.witness.ended_at is None or one.sent],
        "may_manage": can(actor, "manage_witnesses"),
        "has_authority": bool(settings.TSA_URL),
        **key_box(actor, incident),
        **_standing(incident, at),
    }
    return render(request, "exports/seal.html", context)


@require_safe
def progress(request: PortalRequest, reference: str) -> HttpResponse:
    """The part of the page that changes while a worker walks; it holds nothing that the page did not."""
    request.is_reading_noted = True
    actor, at = actor_of(request), now()
    incident = incident_for(actor, reference)
    require(actor, "view_seal", incident.pk)
    return render(request, "exports/_verification.html", {"incident": incident, **_standing(incident, at)})


@require_POST
def verify(request: PortalRequest, reference: str) -> HttpResponse:
    """Asked of a worker: whoever presses it writes nothing to the database, in the session neither, and so may be an
    auditor. Where one is under way already, the page shows whose."""
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    ask_verification(incident_id=incident.pk, actor=actor, at=now())
    return redirect("seal", incident.reference)


def _standing(incident: Incident, at: datetime) -> dict[str, Any]:
    stand = Progress(incident.pk).stand()
    return {
        "badge": seal.badge(incident, at),
        "walked": [_walked(one, incident, at) for one in seal.verifications_of(incident.pk)],
        "stand": stand,
        "is_slow": stand is not None and stand.done is None and at - stand.asked_at > SLOW,
        "of": max(incident.head_sequence, 1),
    }


def key_box(actor: Actor, incident: Incident) -> dict[str, Any]:
    """The key at hand; or why there is none, with paths only for those who can mend it. For exports/_key.html."""
    try:
        key = keys.held().key
    except keys.NoKeyError as error:
        return {"key": None, "key_trouble": error if can(actor, "manage_witnesses") else None}
    older = SigningKey.objects.filter(retired_at__isnull=False).count()
    return {
        "key": key,
        "key_first": key.fingerprint[:15],
        "key_rest": key.fingerprint[15:],
        "key_made": full_clock(key.made_at, incident.zone),
        "key_uses": seal.uses_of(key, incident.pk),
        "key_held": "The environment" if keys.is_from_environment() else "A file outside the database",
        "older_keys": older,
    }


def _signed(one: Checkpoint, older: Checkpoint | None, incident: Incident, at: datetime) -> Signed:
    first = older.sequence + 1 if older is not None else 1
    said = f"#{number(first)} to #{number(one.sequence)}" if first < one.sequence else f"#{number(one.sequence)}"
    handed, kept = vars(one)["handed"], vars(one)["kept"]
    return Signed(
        sequence=one.sequence,
        range=said,
        hash=one.hash[:8],
        rest=" ".join(in_groups(one.hash[8:16], 4)),
        when=clock(one.signed_at, incident.zone, at),
        full=full_clock(one.signed_at, incident.zone),
        reason=one.get_reason_display(),
        key=one.key.fingerprint[7:15],
        trouble=_trouble(one),
        stamp=_stamp(one, incident, at),
        witnesses=f"{kept} of {plural(handed, 'witness', 'witnesses')}" if handed else "none",
        is_kept=handed > 0 and kept == handed,
        breaks=incident.chain_broken_at is not None and first <= incident.chain_broken_at <= one.sequence,
    )


def _trouble(one: Checkpoint) -> str:
    if not is_well_signed(one):
        return "The signature is not good"
    has_stamp = one.token is not None and bool(settings.TSA_CA_FILE)
    return stamp_fault(one) if has_stamp else ""


def _stamp(one: Checkpoint, incident: Incident, at: datetime) -> str:
    if one.token_at is not None:
        return clock(one.token_at, incident.zone, at)
    if one.token_due_at is not None:
        return one.token_trouble or "asked for"
    return one.token_trouble


def _walked(one: Verification, incident: Incident, at: datetime) -> Walked:
    is_sound = one.broken_at is None
    entries = plural(one.entries, "entry", "entries")
    began = "from the beginning" if one.after_sequence == 0 else f"from #{number(one.after_sequence + 1)} on"
    said = f"{entries} {began}, to #{number(one.head_sequence)}, in {span(one.ended_at - one.began_at)}"
    return Walked(
        tone="good" if is_sound else "bad",
        icon="check" if is_sound else "fail",
        when=clock(one.ended_at, incident.zone, at),
        what=f"Sound: {said}" if is_sound else f"Broken at #{number(one.broken_at or 0)}",
        finding=one.finding,
        by=one.asked_by,
    )
