"""What all staff pages share: two languages by the address, no sign-in, and a cookie that holds the way so far."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final
from urllib.parse import urlsplit

from allauth.core.internal.httpkit import get_client_ip
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation

from runbooks.confirmations.letters.contents import Language
from runbooks.confirmations.operations import CodeDidNotWorkError, Opened, reopen
from runbooks.confirmations.throttle import Origin, origin

ENGLISH: Final[Language] = "en-gb"
WELSH: Final[Language] = "cy"
OTHER: Final[Mapping[Language, Language]] = {ENGLISH: WELSH, WELSH: ENGLISH}
SALT: Final = "runbooks.confirmations.holder"
# From one page to the next. The code outlives it: whoever takes longer types it again.
MINUTES: Final = 30
COOKIE_MAX_BYTES: Final = 3800
# Pages that stand at another's address, or at any: in the other language, these are shown.
SHOWN_AT: Final[Mapping[str, str]] = {"again": "start", "call_answer": "call", "later": "check"}
Page = Callable[..., HttpResponse]


class Compact:
    """JSON as UTF-8: what is typed in Welsh or Greek takes the bytes it has, and not six for each letter."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class TooMuchError(ValueError):
    """The answers do not fit into the cookie."""


@dataclass(frozen=True, slots=True)
class Draft:
    """How far a holder is: the code they opened, and what they have said. Kept by their browser, signed by us."""

    code_id: int
    said: str = ""
    questions: Mapping[str, str] = field(default_factory=dict)


def holder_page(view: Page) -> Page:
    """A page without sign-in, in the language of its address, for whose time alone the language is switched on."""

    @wraps(view)
    def page(request: HttpRequest, *, language: Language) -> HttpResponse:
        with translation.override(language):
            response = view(request, language)
        response["Content-Language"] = language
        return response

    return login_not_required(page)


def address(page: str, language: Language) -> str:
    """The address of a staff page: `start`, `changed`, `how`, `about`, `check`, `done`, `call`."""
    return reverse(f"holder_{page}" if language == ENGLISH else f"holder_{page}_cy")


def show(
    request: HttpRequest, page: str, language: Language, context: Mapping[str, object], *, status: int = 200
) -> HttpResponse:
    """The template confirmations/holder/<page>.html. The page is shown in the other language at its own address."""
    frame = {
        "page": page,
        "language": language,
        "other": OTHER[language],
        "other_address": address(SHOWN_AT.get(page, page), OTHER[language]),
        "to": {name: address(name, language) for name in ("start", "changed", "how", "about", "check", "done", "call")},
        "institution": settings.INSTITUTION_NAME,
        "host": urlsplit(settings.HOLDER_URL).netloc,
        "telephone": settings.DESK_TELEPHONE,
    }
    return render(request, f"confirmations/holder/{page}.html", {**context, **frame}, status=status)


def go(page: str, language: Language) -> HttpResponse:
    return redirect(address(page, language))


def again(request: HttpRequest, language: Language) -> HttpResponse:
    """For whoever took too long, or came here without a code: nothing is lost but what they had typed."""
    response = show(request, "again", language, {"minutes": MINUTES})
    for one in OTHER:
        response.delete_cookie(_cookie_name(one), path=address("start", one), samesite="Strict")
    return response


def read_draft(request: HttpRequest, language: Language) -> Draft | None:
    """The draft of this browser; None when there is none, it is too old, or it is not ours."""
    try:
        kept = signing.loads(
            request.COOKIES.get(_cookie_name(language), ""), salt=SALT, serializer=Compact, max_age=MINUTES * 60
        )
    except signing.BadSignature:
        return None
    return Draft(kept["c"], kept["s"], kept["q"])


def keep(response: HttpResponse, draft: Draft) -> HttpResponse:
    """Give the draft to the browser, for the pages of both languages. Raises TooMuchError."""
    kept = {"c": draft.code_id, "s": draft.said, "q": dict(draft.questions)}
    value = signing.dumps(kept, salt=SALT, serializer=Compact, compress=True)
    if len(value) > COOKIE_MAX_BYTES:
        raise TooMuchError
    for language in OTHER:
        response.set_cookie(
            _cookie_name(language),
            value,
            max_age=MINUTES * 60,
            path=address("start", language),
            secure=settings.HTTPS,
            httponly=True,
            samesite="Strict",
        )
    return response


def opened(draft: Draft | None) -> Opened | None:
    """What the draft's code opens; None once it was used, ran out, or was superseded."""
    if draft is None:
        return None
    try:
        return reopen(code_id=draft.code_id, at=timezone.now())
    except CodeDidNotWorkError:
        return None


def origin_of(request: HttpRequest, login: str) -> Origin:
    return origin(get_client_ip(request) or "", login)


def _cookie_name(language: Language) -> str:
    """One a language, since their pages have no path in common but the whole portal's."""
    name = "confirm" if language == ENGLISH else "cadarnhau"
    return f"__Secure-{name}" if settings.HTTPS else name
