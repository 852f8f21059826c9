"""What an attack leaves behind: every row of the portal as text, to be compared before and after."""

from django.apps import apps

from runbooks.access.models import AccessRecord
from runbooks.attachments.models import CustodyEvent
from runbooks.exports.models import Download


def rows() -> dict[str, list[tuple[object, ...]]]:
    """{model: its rows}, of everything but sessions, allauth's own, and what tells who read what.

    A refusal that shows an account's page again is a reading of it: tests/access/test_access_log.py.
    """
    found = {}
    for model in apps.get_app_config("runbooks").get_models():
        kept = model._default_manager.order_by("pk")
        if model in {AccessRecord, Download}:
            continue
        if model is CustodyEvent:
            kept = kept.exclude(kind=CustodyEvent.Kind.READ)
        found[model.__name__] = list(kept.values_list())
    return found


def differences(before: dict[str, list[tuple[object, ...]]]) -> list[str]:
    """The models whose rows are others now."""
    return [name for name, now in rows().items() if before[name] != now]
