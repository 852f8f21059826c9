"""Pages of this slice."""

from django.urls import path

from runbooks.catalog.views.detail import runbook_detail
from runbooks.catalog.views.list import runbook_list

urlpatterns = [
    path("runbooks/", runbook_list, name="runbook_list"),
    path("runbooks/<slug:slug>/", runbook_detail, name="runbook_detail"),
]
