"""Pages about the actions of an incident."""

from django.urls import path

from runbooks.actions.views import action, answers, connection_list, csv, do, list, new, stages, work_list

ACTIONS = "incidents/<str:reference>/actions/"
ACTION = f"{ACTIONS}<int:number>/"

urlpatterns = [
    path(ACTIONS, list.page, name="actions"),
    path(f"{ACTIONS}new/", new.page, name="action_new"),
    path(ACTION, action.page, name="action"),
    path(f"{ACTION}do/<slug:verb>/", do.act, name="action_do"),
    path(f"{ACTION}accounts.csv", csv.page, name="action_accounts_csv"),
    path(f"{ACTION}work-list/", work_list.page, name="action_work_list"),
    path("connectors/<str:name>/answers/", answers.page, name="connector_answers"),
    path(f"{ACTION}stages/", stages.page, name="action_stages"),
    path(f"{ACTION}stages/<int:position>/draft/", stages.draft, name="action_stage_draft"),
    path(f"{ACTION}stages/<int:position>/stop-rule/", stages.stop_rule, name="action_stage_stop"),
    path("connections/", connection_list.page, name="connections"),
    path("connections/<path:name>/test/", connection_list.test, name="connection_test"),
]
