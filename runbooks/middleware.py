"""The edge where the domain's refusals become pages."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from runbooks.errors import DomainError, NotFoundError


class DomainErrorMiddleware:
    """A refusal no page caught itself is shown as one: what is wrong, the mend, and the way back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, NotFoundError):
            # The same page as for an address that never was: an outsider learns nothing.
            return render(request, "404.html", status=404)
        if isinstance(exception, DomainError):
            context = {"error": exception, "back": request.META.get("HTTP_REFERER", "")}
            return render(request, "refused.html", context, status=exception.status)
        return None
