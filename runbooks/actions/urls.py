"""Pages about the actions of an incident."""

from django.urls import path

from runbooks.actions.views import action, do, list, new

ACTIONS = "incidents/<str:reference>/actions/"
ACTION = f"{ACTIONS}<int:number>/"

urlpatterns = [
    path(ACTIONS, list.page, name="actions"),
    path(f"{ACTIONS}new/", new.page, name="action_new"),
    path(ACTION, action.page, name="action"),
    path(f"{ACTION}do/<slug:verb>/", do.act, name="action_do"),
]
