"""A draft: what it would change, who is left alone, and asking for it."""

from typing import Any, NamedTuple

from django.http import HttpResponse
from django.shortcuts import render

from runbooks.access.http import PortalRequest, whole_number
from runbooks.actions.models import Action, ActionDecision
from runbooks.actions.views.brief import Brief, brief_of
from runbooks.actions.views.forms import BreakGlassForm, ExcludeForm, TakeInForm, VersionForm
from runbooks.actions.views.run_forms import RunForm
from runbooks.actions.views.seen import Seen
from runbooks.presentation import plural

Decided = ActionDecision.Kind
POSITION_MAX = 10**9


class News(NamedTuple):
    """What became of the last request, where there was one."""

    tone: str
    icon: str
    head: str
    text: str


def show(request: PortalRequest, seen: Seen, *, status: int = 200) -> HttpResponse:
    context = frame(seen, position(request))
    brief: Brief = context["brief"]
    context |= {
        "news": _news(seen.action, brief),
        "button": _button(seen.action, brief),
    }
    return render(request, "actions/draft.html", context, status=status)


def position(request: PortalRequest) -> int:
    """From which account of the list names are shown."""
    return min(whole_number(request.GET.get("after")) or 0, POSITION_MAX)


def frame(seen: Seen, after: int) -> dict[str, Any]:
    """What the draft and the request have in common. The forms stay in the page where one was refused."""
    return {
        "incident": seen.incident,
        "actor": seen.actor,
        "now": seen.at,
        "tab": "actions",
        "action": seen.action,
        "seen": seen,
        "refused": seen.refused,
        "brief": brief_of(seen, after),
        "forms": forms_of(seen),
        "may_change": seen.may("request_action"),
    }


def forms_of(seen: Seen) -> dict[str, RunForm]:
    """{name in templates: form}, for what this person may do."""
    forms: dict[str, RunForm] = {}
    if seen.may("request_action"):
        forms["ask"] = VersionForm(seen=seen)
        for name, form in (("exclude", ExcludeForm), ("take_in", TakeInForm)):
            forms[name] = _typed(seen, form) or form(seen=seen)
    # Who may decide on a request has no need to begin it alone.
    is_alone = seen.is_author or seen.action.status == Action.Status.DRAFT
    if seen.may("break_glass") and seen.action.needs_approval and is_alone:
        forms["break_glass"] = _typed(seen, BreakGlassForm) or BreakGlassForm(seen=seen)
    return forms


def _typed(seen: Seen, form: type[RunForm]) -> RunForm | None:
    typed = seen.form(form.verb)
    return typed if isinstance(typed, RunForm) else None


def _button(action: Action, brief: Brief) -> str:
    if action.needs_approval:
        return "Ask for a second person"
    return f"Run now for {plural(brief.counts.accounts, 'account')}"


def _news(action: Action, brief: Brief) -> News | None:
    if action.status == Action.Status.CANCELLED and (
        not brief.decisions or brief.decisions[-1].kind != Decided.REFUSED
    ):
        return News("", "ban", "This action was withdrawn before it began.", "Nothing was changed.")
    if not brief.decisions:
        return None
    last = brief.decisions[-1]
    if last.kind == Decided.VOID:
        text = f"{last.comment[:1].upper()}{last.comment[1:]}. Look at what stands now, then ask again."
        return News("bad", "warn", "The request is void, nothing was approved.", text)
    if last.kind == Decided.CHANGE_ASKED:
        return News("wait", "amend", f"{last.decided_by_name} asked for a change.", last.comment)
    if last.kind == Decided.REFUSED:
        return News("bad", "ban", f"{last.decided_by_name} refused.", last.comment)
    return None
