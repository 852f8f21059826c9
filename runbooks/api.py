"""Switchboard: what the API answers at, and how it says no (RFC 9457)."""

from typing import Any

from django.urls import path
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler

from runbooks.actions.api import ActionDecisions, ActionDetail, ActionList
from runbooks.errors import DomainError

ACTIONS = "incidents/<str:reference>/actions/"

urlpatterns = [
    path(ACTIONS, ActionList.as_view(), name="api_actions"),
    path(f"{ACTIONS}<int:number>/", ActionDetail.as_view(), name="api_action"),
    path(f"{ACTIONS}<int:number>/decisions/", ActionDecisions.as_view(), name="api_action_decisions"),
]


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """A refusal as a problem document; None for what is no refusal, which stays an error of ours."""
    if isinstance(error, DomainError):
        return _document(error.status, str(error))
    answered = exception_handler(error, context)
    if answered is None:
        return None
    if isinstance(error, ValidationError):
        return _document(answered.status_code, "Some of what you sent cannot be taken.", errors=answered.data)
    said = str(error.detail) if isinstance(error, APIException) else "There is nothing here, or not for you."
    headers = {name: value for name, value in answered.headers.items() if name in {"WWW-Authenticate", "Allow"}}
    return _document(answered.status_code, said, headers=headers)


def _document(status: int, detail: str, *, headers: dict[str, str] | None = None, **more: object) -> Response:
    body = {"type": "about:blank", "status": status, "detail": detail, **more}
    return Response(body, status=status, headers=headers, content_type="application/problem+json")
