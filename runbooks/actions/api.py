"""Actions over the API: to be seen, and decided on by the same rules as on the page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from rest_framework import serializers, status
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from runbooks.access.confirming import confirm
from runbooks.access.http import whole_number
from runbooks.access.models import User
from runbooks.access.permissions import Actor, actor_for, require
from runbooks.actions.models import Action, ActionAccount, ActionDecision
from runbooks.actions.operations import Choice, decide
from runbooks.actions.queries.found import GREATEST, action_for
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.timeline.operations import now

PAGE = 50


class ActionSerializer(serializers.ModelSerializer[Action]):
    """What was asked for and how far it is; `accounts` counts ledger rows by status. Made by `shown`."""

    accounts = serializers.SerializerMethodField()
    undoes = serializers.IntegerField(source="undoes.number", default=None)
    requested_by = serializers.CharField(default=None)
    approved_by = serializers.CharField(default=None)

    class Meta:
        model = Action
        fields = (
            "number",
            "kind",
            "connection",
            "scope",
            "status",
            "reason",
            "undoes",
            "requested_by",
            "requested_at",
            "expires_at",
            "digest",
            "approved_by",
            "approved_at",
            "is_break_glass",
            "started_at",
            "finished_at",
            "verified_at",
            "accounts",
        )

    def get_accounts(self, action: Action) -> dict[str, int]:
        counts: dict[UUID, dict[str, int]] = self.context["counts"]
        return counts.get(action.pk, {})


def shown(actions: Sequence[Action]) -> list[dict[str, Any]]:
    """One query, whatever the number of actions."""
    rows = ActionAccount.objects.filter(action__in=actions).values_list("action_id", "status").annotate(n=Count("id"))
    counts: dict[UUID, dict[str, int]] = {}
    for action_id, status_, count in rows.order_by():
        counts.setdefault(action_id, {})[status_] = count
    return [dict(one) for one in ActionSerializer(actions, many=True, context={"counts": counts}).data]


class DecisionSerializer(serializers.Serializer[Choice]):
    """As the page asks: what was decided on, the number that was read, and one's own password for an approval."""

    decision = serializers.ChoiceField(
        choices=[ActionDecision.Kind.APPROVED, ActionDecision.Kind.CHANGE_ASKED, ActionDecision.Kind.REFUSED]
    )
    digest = serializers.RegexField(r"^[0-9a-f]{64}$")
    accounts = serializers.IntegerField(required=False, min_value=0)
    has_read_exclusions = serializers.BooleanField(default=False)
    comment = serializers.CharField(default="", allow_blank=True, max_length=1000)
    password = serializers.CharField(default="", allow_blank=True, write_only=True, trim_whitespace=False)

    def choice(self) -> Choice:
        given: dict[str, Any] = self.validated_data
        return Choice(
            ActionDecision.Kind(given["decision"]),
            given["digest"],
            given.get("accounts"),
            given["has_read_exclusions"],
            given["comment"],
        )


def _seen(request: Request, reference: str) -> tuple[User, Actor, Incident, datetime]:
    user = request.user
    assert isinstance(user, User)  # IsAuthenticated let it through
    actor = actor_for(user)
    incident = incident_for(actor, reference)
    require(actor, "view_incident", incident.pk)
    return user, actor, incident, now()


class ActionList(APIView):
    """Newest first, 50 at a time; `?before=` is the last number that was read."""

    def get(self, request: Request, reference: str) -> Response:
        _, _, incident, _ = _seen(request, reference)
        actions = Action.objects.filter(incident=incident).select_related("undoes", "requested_by", "approved_by")
        before = whole_number(request.query_params.get("before"))
        if before is not None:
            actions = actions.filter(number__lt=min(before, GREATEST))
        page = list(actions.order_by("-number")[:PAGE])
        return Response({"results": shown(page)})


class ActionDetail(APIView):
    def get(self, request: Request, reference: str, number: int) -> Response:
        _, _, incident, _ = _seen(request, reference)
        return Response(shown([action_for(incident.pk, number)])[0])


class ShallowParser(JSONParser):
    """JSON, and no error of ours where it is nested without end."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("JSON parse error - nested too deeply") from None


@method_decorator(sensitive_post_parameters("password"), name="dispatch")
class ActionDecisions(APIView):
    """Deciding. The answer is the action as it stands: a draft again where the request was void."""

    parser_classes = (ShallowParser,)

    # A report of an error shows what frames hold, and these hold the password.
    @method_decorator(sensitive_variables())
    def post(self, request: Request, reference: str, number: int) -> Response:
        user, actor, incident, at = _seen(request, reference)
        require(actor, "approve_action", incident.pk)
        action_id: UUID = action_for(incident.pk, number).pk
        given = DecisionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        choice = given.choice()
        is_approval = choice.kind == ActionDecision.Kind.APPROVED
        confirmed = confirm(request._request, user, given.validated_data["password"], at=at) if is_approval else None
        decide(action_id=action_id, choice=choice, confirmed=confirmed, actor=actor, at=at)
        return Response(shown([action_for(incident.pk, number)])[0], status=status.HTTP_201_CREATED)
