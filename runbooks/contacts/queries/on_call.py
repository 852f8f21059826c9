"""Who is on call."""

from datetime import datetime

from runbooks.contacts.models import RotaShift


def on_call(rota_id: int, at: datetime) -> int | None:
    """Whose shift it is. Where shifts overlap the one added later counts: it stands in for the other.

    Shifts that were taken back do not count, nor do those of people who may not sign in any more: the shift below
    theirs does. None where nobody is left, or the rota has ended.
    """
    shifts = RotaShift.objects.filter(
        rota_id=rota_id,
        rota__ended_at__isnull=True,
        user__is_active=True,
        ended_at__isnull=True,
        starts_at__lte=at,
        ends_at__gt=at,
    )
    return shifts.order_by("-added_at", "-pk").values_list("user_id", flat=True).first()
