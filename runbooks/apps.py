"""The one Django app of the portal."""

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import register
from django.utils.module_loading import import_string

# By name: they read models, which are not there yet when this module is.
CHECKS = ("runbooks.exports.keys.check_key", "runbooks.exports.operations.stamping.check_authority")
HEARD = "runbooks.notifications.views.call_backs.heard"


class RunbooksConfig(AppConfig):
    name = "runbooks"
    verbose_name = "IR Portal"

    def ready(self) -> None:
        for check in CHECKS:
            register(import_string(check))
        if settings.EMAIL_BACKEND.startswith("anymail."):
            # Anymail tells of call-backs by a signal: this is an edge, like a view.
            import_string("anymail.signals.tracking").connect(import_string(HEARD))
