"""Text messages that did not go out."""

from typing import Final
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from runbooks.confirmations.models import Code, TextOrder

AT_MOST: Final = 20


def failed_texts(incident_id: UUID) -> list[TextOrder]:
    """The newest twenty that wait for somebody. One query."""
    return list(unsettled(incident_id).select_related("affected_account").order_by("-pk")[:AT_MOST])


def unsettled(incident_id: UUID) -> QuerySet[TextOrder]:
    """Those that failed for good, and after which no other code or order is there."""
    account = OuterRef("affected_account")
    got_one = Code.objects.filter(
        affected_account=account, superseded_at__isnull=True, issued_at__gt=OuterRef("ordered_at")
    )
    later = TextOrder.objects.filter(affected_account=account, pk__gt=OuterRef("pk"))
    return TextOrder.objects.filter(
        ~Exists(got_one), ~Exists(later), incident=incident_id, status=TextOrder.Status.FAILED
    )
