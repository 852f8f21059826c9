"""What an attack leaves behind: every row of the portal as text, to be compared before and after."""

from django.apps import apps


def rows() -> dict[str, list[tuple[object, ...]]]:
    """{model: its rows}, of everything but sessions and allauth's own."""
    found = {}
    for model in apps.get_app_config("runbooks").get_models():
        found[model.__name__] = list(model._default_manager.order_by("pk").values_list())
    return found


def differences(before: dict[str, list[tuple[object, ...]]]) -> list[str]:
    """The models whose rows are others now."""
    return [name for name, now in rows().items() if before[name] != now]
