"""Pages of this slice: whom events call, the calls of an incident, and whether everything moves."""

from django.urls import path

from runbooks.reminders.views import calls, health, policies

urlpatterns = [
    path("health/", health.page, name="health"),
    path("health/channels/<str:name>/reset/", health.reset, name="channel_reset"),
    path("escalation/", policies.page, name="escalation"),
    path("escalation/<str:event>/", policies.one, name="escalation_policy"),
    path("escalation/<str:event>/back/", policies.back, name="escalation_back"),
    path("incidents/<str:reference>/calls/", calls.page, name="calls"),
    path("incidents/<str:reference>/calls/<uuid:chain_id>/take/", calls.take, name="call_take"),
]
