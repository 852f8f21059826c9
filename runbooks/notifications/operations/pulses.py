"""That a sweep came to its end: what the watchdog looks at (docs/escalation.md)."""

from django.db.models.functions import Now

from runbooks.notifications.models import Pulse


def pulse(name: str, said: str = "") -> None:
    """The last thing a task of the beat schedule does; `name` is the task's. By the database's clock: a machine whose
    own is wrong looks neither dead nor alive by that."""
    Pulse.objects.bulk_create(
        [Pulse(name=name, at=Now(), said=said[:300])],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["at", "said"],
    )
