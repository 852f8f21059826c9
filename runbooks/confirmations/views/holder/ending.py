"""The last page, and the ways to it: an answer that is kept, one that was kept already, and a code that went."""

from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from runbooks.confirmations.letters.contents import Language
from runbooks.confirmations.models import Confirmation
from runbooks.confirmations.operations import CodeDidNotWorkError, NotKeptError, answer
from runbooks.confirmations.queries.holders import confirmation_of
from runbooks.confirmations.views.holder.frame import (
    Draft,
    address,
    again,
    go,
    holder_page,
    keep,
    read_draft,
    show,
)

# After so many seconds those who came before are likely to be through.
RETRY_AFTER: Final = 15


def confirm(request: HttpRequest, language: Language, draft: Draft) -> HttpResponse:
    """Keep the answer and lead to its receipt. Pressed twice, the same receipt; too late, the way to begin again."""
    try:
        answer(code_id=draft.code_id, said=draft.said, questions=draft.questions, language=language, at=timezone.now())
    except CodeDidNotWorkError:
        return stopped(request, language, draft)
    except NotKeptError:
        return later(request, language, draft)
    return keep(go("done", language), Draft(draft.code_id))


def later(request: HttpRequest, language: Language, draft: Draft) -> HttpResponse:
    """For whoever stood in line too long: one press sends the same answer again, from what the browser keeps."""
    is_claim = draft.said in Confirmation.CLAIMS
    to_again = address("check" if is_claim else "changed", language)
    context = {"to_again": to_again, "said": "" if is_claim else draft.said}
    response = show(request, "later", language, context, status=HTTPStatus.SERVICE_UNAVAILABLE)
    response["Retry-After"] = str(RETRY_AFTER)
    # A claim begins its half an hour anew; a doubt stands in the form itself.
    return keep(response, draft) if is_claim else response


def stopped(request: HttpRequest, language: Language, draft: Draft | None) -> HttpResponse:
    """Where a page is asked for whose code is no longer open: to the receipt, or to the beginning."""
    if draft is not None and confirmation_of(draft.code_id) is not None:
        return keep(go("done", language), Draft(draft.code_id))
    return again(request, language)


@require_safe
@holder_page
def done(request: HttpRequest, language: Language) -> HttpResponse:
    draft = read_draft(request, language)
    kept = confirmation_of(draft.code_id) if draft is not None else None
    if kept is None:
        return again(request, language)
    return show(request, "done", language, {"receipt": kept.receipt, "said": kept.answer})
