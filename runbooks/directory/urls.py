"""Pages of this slice."""

from django.urls import path

from runbooks.directory.views import account, accounts, imports, preview, protections, upload

urlpatterns = [
    path("directory/", accounts.page, name="directory"),
    path("directory/accounts/<int:account_id>/", account.page, name="directory_account"),
    path("directory/accounts/<int:account_id>/protect/", protections.protect, name="directory_account_protect"),
    path("directory/accounts/<int:account_id>/release/", protections.release, name="directory_account_release"),
    path("directory/protected/", protections.page, name="directory_protected"),
    path("directory/imports/", imports.page, name="directory_imports"),
    path("directory/imports/new/", upload.page, name="directory_import_new"),
    path("directory/imports/<int:import_id>/", preview.page, name="directory_import"),
    path("directory/imports/<int:import_id>/columns/", preview.columns, name="directory_import_columns"),
    path("directory/imports/<int:import_id>/apply/", preview.apply, name="directory_import_apply"),
    path("directory/imports/<int:import_id>/discard/", preview.discard, name="directory_import_discard"),
]
