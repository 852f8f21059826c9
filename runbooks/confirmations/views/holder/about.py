"""The questions beside the password, and the page on which a holder checks all answers before they are kept."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from runbooks.confirmations.letters.contents import Language
from runbooks.confirmations.models import Confirmation
from runbooks.confirmations.questions import CHOICES, QUESTIONS, TEXT_MAX, Question
from runbooks.confirmations.views.holder.changed import CLAIMS, since
from runbooks.confirmations.views.holder.ending import confirm, stopped
from runbooks.confirmations.views.holder.frame import (
    TooMuchError,
    go,
    holder_page,
    keep,
    opened,
    read_draft,
    show,
)


@require_http_methods(["GET", "HEAD", "POST"])
@holder_page
def about(request: HttpRequest, language: Language) -> HttpResponse:
    draft = read_draft(request, language)
    if draft is None or opened(draft) is None:
        return stopped(request, language, draft)
    if draft.said not in CLAIMS:
        return go("changed", language)
    if request.method != "POST":
        return show(request, "about", language, _asked(draft.questions, {}))
    given = {question.key: _typed(request, question) for question in QUESTIONS}
    faults = _faults(given)
    if not faults:
        try:
            return keep(
                go("check", language), replace(draft, questions={key: said for key, said in given.items() if said})
            )
        except TooMuchError:
            faults = {"odd": _("Your answers together are too long. Shorten them, and tell us the rest by phone")}
    return show(request, "about", language, _asked(given, faults), status=400)


@require_http_methods(["GET", "HEAD", "POST"])
@holder_page
def check(request: HttpRequest, language: Language) -> HttpResponse:
    draft = read_draft(request, language)
    if request.method == "POST" and draft is not None and draft.said in CLAIMS:
        return confirm(request, language, draft)
    found = opened(draft)
    if draft is None or found is None:
        return stopped(request, language, draft)
    if draft.said not in CLAIMS:
        return go("changed", language)
    lines = [(question.key, question.label, _said(question, draft.questions)) for question in QUESTIONS]
    has_help = draft.said == Confirmation.Answer.WITH_HELP
    return show(request, "check", language, {"since": since(found, language), "has_help": has_help, "lines": lines})


def _typed(request: HttpRequest, question: Question) -> str:
    typed = " ".join(request.POST.get(question.key, "").replace("\0", "").split())
    return typed if not question.is_choice or typed in dict(CHOICES) else ""


def _faults(given: Mapping[str, str]) -> dict[str, str]:
    said = _("Your answer has %(count)s characters. Shorten it to %(most)s, and tell us the rest by phone")
    return {key: said % {"count": len(text), "most": TEXT_MAX} for key, text in given.items() if len(text) > TEXT_MAX}


def _asked(given: Mapping[str, str], faults: Mapping[str, str]) -> dict[str, Any]:
    asked = [(question, given.get(question.key, ""), faults.get(question.key, "")) for question in QUESTIONS]
    return {"asked": asked, "choices": CHOICES, "faults": faults, "most": TEXT_MAX}


def _said(question: Question, given: Mapping[str, str]) -> str | Promise:
    said = given.get(question.key, "")
    return dict(CHOICES)[said] if question.is_choice and said else said
