"""Where a system that was asked by a signed request says later what became of it. No person comes here."""

import logging
from typing import Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from runbooks.actions.operations import receive_answer
from runbooks.connectors.webhook import read_answer
from runbooks.errors import DomainError
from runbooks.timeline.operations import now

logger = logging.getLogger(__name__)
SAID_TO_STRANGERS: Final = frozenset({403, 404})


@csrf_exempt
@login_not_required
@require_POST
def page(request: HttpRequest, name: str) -> HttpResponse:
    """204 when it is taken, also a second time; 400, 403, 404 and 413 without a word of why."""
    body = request.read(settings.ANSWER_MAX_BYTES + 1)
    if len(body) > settings.ANSWER_MAX_BYTES:
        return HttpResponse(status=413)
    at = now()
    try:
        answer = read_answer(name, request.headers, body, at)
        receive_answer(connection=name, key=answer.key, results=answer.results, at=at)
    except DomainError as error:
        # The name is as somebody typed it in an address.
        logger.warning("An answer to the connection %r is refused: %s", name[:60], error)
        return HttpResponse(status=error.status if error.status in SAID_TO_STRANGERS else 400)
    return HttpResponse(status=204)
