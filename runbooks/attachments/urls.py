"""Pages of this slice."""

from django.urls import path

from runbooks.attachments.views import file, list

FILES = "incidents/<str:reference>/files/"
FILE = f"{FILES}<int:file_number>/"

urlpatterns = [
    path(FILES, list.page, name="attachments"),
    path(FILE, file.page, name="attachment"),
    path(f"{FILE}download/", file.download, name="attachment_download"),
    path(f"{FILE}hold/", file.hold, name="attachment_hold"),
    path(f"{FILE}release/", file.release, name="attachment_release"),
]
