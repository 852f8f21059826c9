"""Uploading a file of the directory. Nothing changes yet: a preview follows."""

from typing import BinaryIO, cast

from django import forms
from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import require
from runbooks.directory.formats import BrokenFileError
from runbooks.directory.operations import FileTooLargeError, stage_import


class UploadForm(forms.Form):
    file = forms.FileField(
        label="File of the directory",
        help_text="All of it: accounts that are not in the file will count as gone.",
        widget=forms.FileInput(attrs={"class": "dir-file", "accept": ".csv,.tsv,.txt,.ldif,.ldf,text/csv,text/plain"}),
        error_messages={
            "required": "Choose the file that you exported.",
            "empty": "The file is empty. Export the directory again.",
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: PortalRequest) -> HttpResponse:
    actor = actor_of(request)
    require(actor, "import_directory")
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_bound and form.is_valid():
        upload = form.cleaned_data["file"]
        try:
            staged = stage_import(
                actor=actor, file=cast(BinaryIO, upload.file), file_name=upload.name, at=timezone.now()
            )
        except (BrokenFileError, FileTooLargeError) as error:
            form.add_error("file", str(error))
        else:
            return redirect("directory_import", staged.pk)
    context = {"form": form, "limit": settings.DIRECTORY_FILE_MAX_BYTES // 1024 // 1024}
    return render(request, "directory/upload.html", context, status=400 if form.errors else 200)
