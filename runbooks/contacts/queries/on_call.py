"""Who is on call."""

from datetime import datetime

from django.db.models import Q

from runbooks.contacts.models import RotaShift


def on_call(rota_id: int, at: datetime) -> int | None:
    """Whose shift it is. Where shifts overlap the one added later counts: it stands in for the other.

    Shifts that were taken back do not count from then on, nor do those of people who may not sign in any more: the
    shift below theirs does. None where nobody is left, or the rota has ended.
    """
    shifts = RotaShift.objects.filter(
        still("ended_at", at),
        still("rota__ended_at", at),
        rota_id=rota_id,
        user__is_active=True,
        starts_at__lte=at,
        ends_at__gt=at,
    )
    return shifts.order_by("-added_at", "-pk").values_list("user_id", flat=True).first()


def still(column: str, at: datetime) -> Q:
    """Not ended by then."""
    return Q(**{f"{column}__isnull": True}) | Q(**{f"{column}__gt": at})
