"""The one Django app of the portal."""

from django.apps import AppConfig


class RunbooksConfig(AppConfig):
    name = "runbooks"
    verbose_name = "IR Portal"
