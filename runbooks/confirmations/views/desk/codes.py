"""Codes for chosen holders: who gets what is chosen row by row, the best of what is on file beforehand."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import require
from runbooks.affected_accounts.views.change import Selection, read_selection
from runbooks.confirmations.letters.contents import LANGUAGES, Language, language_of
from runbooks.confirmations.models import Code, LetterRun
from runbooks.confirmations.operations.ordering import TextTo, order_texts
from runbooks.confirmations.operations.printing import LETTERS_AT_MOST, Printed, envelope_list, print_letters
from runbooks.confirmations.queries.planning import Plan, plan_codes
from runbooks.errors import DomainError, NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.notifications.channels.telephones import written
from runbooks.notifications.channels.text_gateway import is_configured
from runbooks.presentation import plural
from runbooks.timeline.operations import now

Channel = Code.Channel
MOVED = "What is on file changed while you looked, or somebody else sent codes. Look again, then send them."
OWN: Final = "own"
# The name of a row's choice in the form, and what stands for "Nothing now" in it.
FIELD: Final = "way-{}"
NOTHING: Final = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is chosen: {holder: channel or NOTHING}, and the language of all (OWN: each holder's)."""

    ways: Mapping[int, str]
    language: str = OWN


class MovedError(DomainError):
    """The plan is not the one that was looked at."""


class NotOfferedError(DomainError):
    """Something was chosen that the row does not offer."""

    status = 400


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: PortalRequest, reference: str) -> HttpResponse:
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    require(actor, "issue_code", incident.pk)
    selection = read_selection(request, incident)
    if why := _why_not(incident, selection):
        messages.warning(request, why)
        return redirect(selection.back)
    plans = _plans(request, incident, selection)
    if not plans:
        raise NotFoundError("There are no such accounts in this incident.")
    if request.method != "POST":
        return _show(request, incident, selection, plans, _preselected(plans))
    choice = _posted(request, plans)
    try:
        return _send(request, incident, selection, plans, choice)
    except (NotFoundError, NotAllowedError):
        raise
    except DomainError as error:
        return _show(request, incident, selection, plans, _offered(plans, choice), refusal=error)


def _why_not(incident: Incident, selection: Selection) -> str:
    if incident.is_over:
        return f"The incident is {incident.get_status_display().lower()}: no codes are sent in it any more."
    if not selection.ids:
        return "No accounts are chosen. Tick some first."
    if len(selection.ids) > LETTERS_AT_MOST:
        return f"{plural(len(selection.ids), 'account')} are chosen. Send codes to {LETTERS_AT_MOST} at most at once."
    return ""


def _plans(request: PortalRequest, incident: Incident, selection: Selection) -> list[Plan]:
    return plan_codes(
        incident_id=incident.pk, affected_ids=selection.ids, at=now(), letters_only=request.GET.get("by") == "letter"
    )


def _preselected(plans: Sequence[Plan]) -> Choice:
    """The best of each; nothing where a number or address is fresh, until somebody has looked at it twice."""
    return Choice({plan.affected_id: NOTHING if plan.is_fresh else plan.channel for plan in plans})


def _posted(request: PortalRequest, plans: Sequence[Plan]) -> Choice:
    ways = {plan.affected_id: request.POST.get(FIELD.format(plan.affected_id), NOTHING) for plan in plans}
    return Choice(ways, request.POST.get("language", OWN))


def _offered(plans: Sequence[Plan], choice: Choice) -> Choice:
    """The choice as far as the rows offer it now."""
    ways = {}
    for plan in plans:
        way = plan.way(choice.ways.get(plan.affected_id, NOTHING))
        ways[plan.affected_id] = way.channel if way else NOTHING
    return Choice(ways, choice.language if choice.language in (OWN, *LANGUAGES) else OWN)


def _send(
    request: PortalRequest, incident: Incident, selection: Selection, plans: Sequence[Plan], choice: Choice
) -> HttpResponse:
    if request.POST.get("seen") != digest_of(plans):
        raise MovedError(MOVED)
    _check(plans, choice)
    wanted = Channel.LETTER if request.POST.get("do") == "letters" else Channel.TEXT
    chosen = [plan for plan in plans if choice.ways[plan.affected_id] == wanted]
    if not chosen:
        what = "letter" if wanted == Channel.LETTER else "text message"
        raise NotOfferedError(f"No holder is down for a {what}. Choose it in the rows of those who shall get one.")
    language = language_of(choice.language)
    if wanted == Channel.LETTER:
        return _print(request, incident, chosen, language)
    _order(request, incident, chosen, language)
    said = f"{plural(len(chosen), 'text message')} ordered. Each code is made when it leaves."
    plans = _plans(request, incident, selection)
    left = _letters_left(plans, choice)
    letters = sum(way != NOTHING for way in left.ways.values())
    if not letters:
        messages.success(request, said)
        return redirect(selection.back)
    # The page itself, and no way round: what was chosen by hand stands nowhere but in this request.
    messages.success(request, f"{said} {plural(letters, 'letter')} you chose can be printed now.")
    return _show(request, incident, selection, plans, left)


def _check(plans: Sequence[Plan], choice: Choice) -> None:
    for plan in plans:
        way = choice.ways[plan.affected_id]
        if way != NOTHING and plan.way(way) is None:
            raise NotOfferedError(f"That is not open to the holder of {plan.login}. Choose one that the row offers.")
    if choice.language not in (OWN, *LANGUAGES):
        raise NotOfferedError("Letters and messages can be in each holder’s own language, in English or in Welsh.")


def _print(
    request: PortalRequest, incident: Incident, chosen: Sequence[Plan], language: Language | None
) -> HttpResponse:
    ids = [plan.affected_id for plan in chosen]
    printed = print_letters(
        incident_id=incident.pk,
        affected_ids=ids,
        fresh_ids=ids,
        language=language,
        actor=actor_of(request),
        at=now(),
    )
    return _file(incident, printed, "letters")


def _order(request: PortalRequest, incident: Incident, chosen: Sequence[Plan], language: Language | None) -> None:
    texts = [
        TextTo(plan.affected_id, way.address, plan.source, language or plan.language)
        for plan in chosen
        if (way := plan.way(Channel.TEXT))
    ]
    order_texts(incident_id=incident.pk, texts=texts, actor=actor_of(request), at=now())


def _letters_left(plans: Sequence[Plan], choice: Choice) -> Choice:
    """The letters that were chosen too, but for those printed meanwhile: a second would end the first one's code."""
    kept = {
        plan.affected_id: Channel.LETTER.value
        for plan in plans
        if choice.ways.get(plan.affected_id) == Channel.LETTER and plan.held != Channel.LETTER
    }
    return _offered(plans, Choice(kept, choice.language))


def digest_of(plans: Sequence[Plan]) -> str:
    """By which is seen whether what is sent is what was looked at."""
    said = "\n".join(f"{plan.affected_id} {plan.ways} {plan.is_fresh} {plan.language}" for plan in plans)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _show(
    request: PortalRequest,
    incident: Incident,
    selection: Selection,
    plans: Sequence[Plan],
    choice: Choice,
    refusal: DomainError | None = None,
) -> HttpResponse:
    context = {
        "incident": incident,
        "actor": actor_of(request),
        "now": now(),
        "tab": "accounts",
        "selection": selection,
        "letters_only": request.GET.get("by") == "letter",
        "refusal": str(refusal or ""),
        "runs": LetterRun.objects.filter(incident=incident).order_by("-number")[:5],
        "has_gateway": is_configured(),
        "seen": digest_of(plans),
        "chosen": choice,
        **_said(plans, choice),
    }
    return render(request, "confirmations/codes.html", context, status=refusal.status if refusal else 200)


def _said(plans: Sequence[Plan], choice: Choice) -> dict[str, Any]:
    open_plans = [plan for plan in plans if plan.ways]
    by = Counter(choice.ways[plan.affected_id] for plan in open_plans)
    return {
        "rows": [_row(plan, choice.ways[plan.affected_id]) for plan in open_plans],
        "without": [plan for plan in plans if not plan.ways],
        "total": len(plans),
        "by_text": by[Channel.TEXT],
        "by_letter": by[Channel.LETTER],
        "by_nothing": by[NOTHING],
        "by_desk": sum(plan.wants_code and not plan.ways for plan in plans),
        "settled": sum(not plan.wants_code for plan in plans),
        "has_texts": any(plan.way(Channel.TEXT) for plan in plans),
        "has_letters": any(plan.way(Channel.LETTER) for plan in plans),
        "fresh": sum(plan.is_fresh for plan in plans),
        "in_welsh": sum(plan.language == "cy" for plan in open_plans),
    }


def _row(plan: Plan, chosen: str) -> dict[str, Any]:
    text, letter = plan.way(Channel.TEXT), plan.way(Channel.LETTER)
    return {
        "plan": plan,
        "field": FIELD.format(plan.affected_id),
        "chosen": chosen,
        "text": written(text.address) if text else "",
        "letter": letter.address if letter else "",
        "is_welsh": plan.language == "cy",
    }


@require_safe
def envelopes(request: PortalRequest, reference: str, number: int) -> HttpResponse:
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    return _file(incident, envelope_list(incident_id=incident.pk, run_number=number, actor=actor), "envelopes")


def _file(incident: Incident, printed: Printed, what: str) -> HttpResponse:
    name = f"{incident.reference}-{what}-run-{printed.run.number}.pdf"
    response = HttpResponse(printed.pdf, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
