"""Pages about the accounts of an incident."""

from django.urls import path

from runbooks.affected_accounts.views import change, detail, list, lists, unresolved

ACCOUNTS = "incidents/<str:reference>/accounts/"

urlpatterns = [
    path(ACCOUNTS, list.page, name="accounts"),
    path(f"{ACCOUNTS}import/", lists.upload, name="accounts_import"),
    path(f"{ACCOUNTS}import/<int:import_id>/", lists.preview, name="accounts_import_preview"),
    path(f"{ACCOUNTS}unresolved/", unresolved.page, name="accounts_unresolved"),
    path(f"{ACCOUNTS}unresolved/<int:line_id>/", unresolved.settle, name="accounts_settle"),
    path(f"{ACCOUNTS}change/<slug:verb>/", change.page, name="accounts_change"),
    path(f"{ACCOUNTS}<int:affected_id>/", detail.page, name="account_detail"),
    path(f"{ACCOUNTS}<int:affected_id>/<slug:verb>/", detail.act, name="account_act"),
]
