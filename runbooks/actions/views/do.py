"""What the forms about an action post to: one verb, one operation, then back to the action."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from runbooks.access.confirming import Confirmation, NotConfirmedError, confirm
from runbooks.access.http import PortalRequest
from runbooks.access.permissions import require
from runbooks.actions import operations
from runbooks.actions.models import Action, ActionAccount, ActionDecision
from runbooks.actions.views import action as action_page
from runbooks.actions.views.forms import BreakGlassForm, DecideForm, ExcludeForm, TakeInForm, VersionForm, chosen
from runbooks.actions.views.run_forms import PauseForm, ReviewForm, RollbackForm, RunForm, SettleForm
from runbooks.actions.views.seen import Refused, Seen, see
from runbooks.errors import DomainError, NotFoundError
from runbooks.presentation import number, plural

Decided = ActionDecision.Kind


@dataclass(frozen=True, slots=True)
class Work:
    """A verb, its form with valid answers, and who does it. What was typed is in no report of an error."""

    request: PortalRequest
    seen: Seen
    given: Mapping[str, Any] = field(repr=False)

    @property
    def where(self) -> dict[str, Any]:
        return {"action_id": self.seen.action.pk, "actor": self.seen.actor, "at": self.seen.at}

    def confirmed(self) -> Confirmation:
        """Raises NotConfirmedError, TooManyTriesError."""
        return confirm(self.request, self.request.user, self.given["password"], at=self.seen.at)


class Done(NamedTuple):
    """`action` is where to go on; `is_good` is False for what was meant otherwise."""

    said: str
    action: Action
    is_good: bool = True


class Verb(NamedTuple):
    permission: str
    form: type[RunForm]
    perform: Callable[[Work], Done]


def _request(work: Work) -> Done:
    action = operations.request_approval(**work.where, version=work.given["version"])
    return Done(f"A second person is asked. The request stands for {settings.APPROVAL_MINUTES} minutes.", action)


def _begin(work: Work) -> Done:
    action = operations.begin(**work.where, version=work.given["version"])
    return Done(f"Action {action.number} has begun.", action)


def _withdraw(work: Work) -> Done:
    action = operations.withdraw(**work.where)
    return Done(f"Action {action.number} is withdrawn. It stays to be seen.", action)


def _exclude(work: Work) -> Done:
    given = work.given
    logins = given["logins"].split()
    action = operations.exclude(**work.where, logins=logins, reason=given["reason"], version=given["version"])
    return Done(f"{plural(len(set(logins)), 'account')} left alone. The preview is read again.", action)


def _take_in(work: Work) -> Done:
    given = work.given
    action = operations.take_in(**work.where, login=given["login"], reason=given["reason"], version=given["version"])
    return Done(f"{given['login']} is taken in. The preview is read again.", action)


def _resolve(work: Work) -> Done:
    action = operations.resolve_anew(**work.where)
    return Done("The list is made again from the directory as it is now. The preview is read again.", action)


def _decide(work: Work) -> Done:
    choice = chosen(work.given)
    confirmed = work.confirmed() if choice.kind == Decided.APPROVED else None
    action = operations.decide(**work.where, choice=choice, confirmed=confirmed)
    if action.status == Action.Status.DRAFT and choice.kind != Decided.CHANGE_ASKED:
        return Done("Nothing was approved: the request was no longer what you saw. It is void.", action, is_good=False)
    said = {
        Decided.APPROVED: f"You approved action {action.number}. It begins now.",
        Decided.CHANGE_ASKED: "Your question went back to those who asked.",
        Decided.REFUSED: f"You refused action {action.number}. Those who asked are told why.",
    }
    return Done(said[choice.kind], action)


def _break_glass(work: Work) -> Done:
    action = operations.break_glass(**work.where, reason=work.given["reason"], confirmed=work.confirmed())
    return Done(
        f"Action {action.number} begins without a second person. Everybody is told, and a review is now a step.", action
    )


def _pause(work: Work) -> Done:
    action = operations.pause(**work.where, reason=work.given["reason"])
    return Done(f"Action {action.number} pauses after what is being sent at this moment.", action)


def _resume(work: Work) -> Done:
    action = operations.resume(**work.where)
    return Done(f"Action {action.number} goes on.", action)


def _retry(work: Work) -> Done:
    action = operations.retry_failed(**work.where)
    return Done("Those that failed are tried again, and no others.", action)


def _cancel(work: Work) -> Done:
    action = operations.cancel_rest(**work.where)
    return Done("Whoever was not sent yet is left alone. What was done stays done.", action)


def _rollback(work: Work) -> Done:
    action = operations.draft_rollback(**work.where, reason=work.given["reason"], row_ids=work.given["row_ids"])
    return Done(
        f"Action {action.number} is drafted to put them back. Look at it, then ask for a second person.", action
    )


def _settle(work: Work) -> Done:
    given = work.given
    action = operations.settle(
        **work.where,
        row_ids=given["row_ids"],
        status=given["status"],
        evidence=given["evidence"],
        happened_at=given["happened_at"],
    )
    label = ActionAccount.Status(given["status"]).label.lower()
    return Done(f"{plural(len(given['row_ids']), 'account')} settled: {label}.", action)


def _review(work: Work) -> Done:
    action = operations.review_break_glass(**work.where, comment=work.given["comment"], confirmed=work.confirmed())
    return Done("Your review is recorded.", action)


VERBS: Mapping[str, Verb] = {
    "request": Verb("request_action", VersionForm, _request),
    "begin": Verb("request_action", VersionForm, _begin),
    "withdraw": Verb("request_action", RunForm, _withdraw),
    "exclude": Verb("request_action", ExcludeForm, _exclude),
    "take-in": Verb("request_action", TakeInForm, _take_in),
    "resolve": Verb("request_action", RunForm, _resolve),
    "decide": Verb("approve_action", DecideForm, _decide),
    "break-glass": Verb("break_glass", BreakGlassForm, _break_glass),
    "pause": Verb("control_action", PauseForm, _pause),
    "resume": Verb("control_action", RunForm, _resume),
    "retry": Verb("control_action", RunForm, _retry),
    "cancel": Verb("control_action", RunForm, _cancel),
    "rollback": Verb("request_action", RollbackForm, _rollback),
    "settle": Verb("settle_action", SettleForm, _settle),
    "review": Verb("approve_action", ReviewForm, _review),
}


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
def act(request: PortalRequest, reference: str, number: int, verb: str) -> HttpResponse:
    """A refusal shows the action's page again, with what was typed; a page that is fetched again is the action's."""
    seen = see(request, reference, number)
    if verb not in VERBS:
        raise Http404
    if request.method != "POST":
        return redirect("action", seen.incident.reference, seen.action.number)
    wanted = VERBS[verb]
    require(seen.actor, wanted.permission, seen.incident.pk)
    form = wanted.form(request.POST, seen=seen)
    if not form.is_valid():
        return action_page.show(request, replace(seen, refused=Refused(verb, "", form)), status=400)
    try:
        done = wanted.perform(Work(request, seen, form.cleaned_data))
    except NotFoundError:
        raise
    except DomainError as error:
        return _refuse(request, seen, verb, form, error)
    (messages.success if done.is_good else messages.warning)(request, done.said)
    return redirect("action", seen.incident.reference, done.action.number)


def _refuse(request: PortalRequest, seen: Seen, verb: str, form: RunForm, error: DomainError) -> HttpResponse:
    """The page as it stands now, with the refusal at the field it is about, where there is one."""
    now = see(request, seen.incident.reference, seen.action.number)
    field = _field_of(form, error)
    if field:
        form.add_error(field, _said(seen, form, error))
    refused = Refused(verb, "" if field else str(error), form)
    return action_page.show(request, replace(now, refused=refused), status=error.status)


def _field_of(form: forms.Form, error: DomainError) -> str:
    if isinstance(error, NotConfirmedError) and "password" in form.fields:
        return "password"
    if isinstance(error, operations.WrongCountError) and "number" in form.fields:
        return "number"
    return ""


def _said(seen: Seen, form: forms.Form, error: DomainError) -> str:
    """Who typed the number in scope reads which one is meant."""
    typed = form.cleaned_data.get("number")
    if isinstance(error, operations.WrongCountError) and typed is not None:
        rows = seen.action.accounts.count()
        excluded = seen.action.exclusions.filter(taken_in_at__isnull=True).count()
        if excluded and typed == rows + excluded:
            return f"{number(typed)} are in scope. Type how many will change after exclusions."
    return str(error)
