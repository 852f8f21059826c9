"""Switchboard: one line a slice."""

from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    # First: thousands of holders may come at once, and each address is looked for from the top.
    path("", include("runbooks.confirmations.urls")),
    path("api/v1/", include("runbooks.api")),
    path("", RedirectView.as_view(pattern_name="incident_list"), name="home"),
    path("", include("runbooks.room.urls")),
    path("", include("runbooks.incidents.urls")),
    path("", include("runbooks.actions.urls")),
    path("", include("runbooks.containment.urls")),
    path("", include("runbooks.affected_accounts.urls")),
    path("", include("runbooks.attachments.urls")),
    path("", include("runbooks.notifications.urls")),
    path("", include("runbooks.reminders.urls")),
    path("", include("runbooks.contacts.urls")),
    path("", include("runbooks.directory.urls")),
    path("", include("runbooks.catalog.urls")),
    path("", include("runbooks.exports.urls")),
    path("", include("runbooks.subscriptions.urls")),
]
