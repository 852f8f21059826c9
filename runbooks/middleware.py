"""The edges of every request: addresses that cannot be ours, refusals as pages, and who may keep an answer."""

import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from runbooks.access.models import Role, User
from runbooks.access.reading_log import Place, Reader, network_of, note_page
from runbooks.errors import DomainError, NotFoundError

# Systems that answer by call-back prove who they are by the body itself.
ANSWERS = re.compile(r"/connectors/[^/]+/answers/|/hooks/notices/mail/")
NOTHING_SHOWN = frozenset({401, 403, 404, 405})
# The live feed says a number, a style sheet nothing.
WORDLESS = ("text/event-stream", "text/css")
GetResponse = Callable[[HttpRequest], HttpResponse]


class PrivacyMiddleware:
    """No proxy and no browser keeps an answer: it may say whose mailbox was read, on a machine that others use next."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class SizeMiddleware:
    """A body larger than the person may send is refused before it is read."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        size = int(length) if length.isdecimal() and len(length) < 19 else 0
        limit = settings.STRANGER_REQUEST_MAX_BYTES
        if ANSWERS.fullmatch(request.path_info):
            limit = settings.ANSWER_MAX_BYTES
        if size > limit and request.user.is_authenticated:
            limit = settings.REQUEST_MAX_BYTES
        if size > limit:
            return render(request, "refused.html", {"error": "That is more than one may send. Send less."}, status=413)
        return self.get_response(request)


class AddressMiddleware:
    """An address with a NUL character, which the database would not take, is refused before anybody reads it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        query = request.META.get("QUERY_STRING", "")
        if "\0" in request.path_info or b"\0" in unquote_to_bytes(query):
            error = "The address holds a NUL character. Follow a link, or type it again."
            return render(request, "refused.html", {"error": error}, status=400)
        return self.get_response(request)


class DomainErrorMiddleware:
    """A refusal no page caught itself is shown as one: what is wrong, the mend, and the way back."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, NotFoundError):
            # The same page as for an address that never was: an outsider learns nothing.
            return render(request, "404.html", status=404)
        if isinstance(exception, DomainError):
            context = {"error": exception, "back": _way_back(request)}
            return render(request, "refused.html", context, status=exception.status)
        return None


class ReadingLogMiddleware:
    """What an auditor was shown is written down before it goes out, whatever the page. Others' pages cost nothing here.

    A refusal shows the form again, so it counts as well; what says only that there is nothing to see does not.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        match = request.resolver_match
        # Pages without sign-in are read as nobody; asking who it is would cost holders a query.
        if match is not None and getattr(match.func, "login_required", True) and _is_shown(request, response):
            user = request.user
            if isinstance(user, User) and user.role == Role.AUDITOR:
                place = Place(match.kwargs.get("incident_id"), match.kwargs.get("reference", ""))
                note_page(Reader(user, network_of(request)), place, subject=request.get_full_path(), at=timezone.now())
        return response


def _is_shown(request: HttpRequest, response: HttpResponse) -> bool:
    """Whether the answer holds something to read that was not noted already."""
    if request.method == "HEAD" or getattr(request, "is_reading_noted", False):
        return False
    status = response.status_code
    is_words = not response.headers.get("Content-Type", "").startswith(WORDLESS)
    return is_words and (status < 300 or (400 <= status < 500 and status not in NOTHING_SHOWN))


def _way_back(request: HttpRequest) -> str:
    """The page that led here, where it is one of ours."""
    page = request.META.get("HTTP_REFERER", "")
    is_ours = url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure())
    return page if is_ours else ""
