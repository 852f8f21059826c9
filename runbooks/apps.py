"""The one Django app of the portal."""

from django.apps import AppConfig
from django.core.checks import register
from django.utils.module_loading import import_string

# By name: they read models, which are not there yet when this module is.
CHECKS = ("runbooks.exports.keys.check_key", "runbooks.exports.operations.stamping.check_authority")


class RunbooksConfig(AppConfig):
    name = "runbooks"
    verbose_name = "IR Portal"

    def ready(self) -> None:
        for check in CHECKS:
            register(import_string(check))
