"""Pages of the exports and the seal: what was taken away, signed, witnessed, taken out; the public keys, for all."""

from django.urls import path

from runbooks.exports.views import (
    ask,
    audit,
    decisions,
    figures,
    importing,
    list,
    one,
    preview,
    redactions,
    seal,
    signers,
    witnesses,
)

IMPORT = "incidents/<str:reference>/timeline/import/"
AUDIT = "incidents/<str:reference>/audit/"
SEAL = "incidents/<str:reference>/seal/"
REDACTIONS = "incidents/<str:reference>/redactions/"
ENTRY = f"{REDACTIONS}<int:sequence>/"
EXPORTS = "incidents/<str:reference>/exports/"
EXPORT = f"{EXPORTS}<int:export_number>/"

urlpatterns = [
    path(".well-known/ir-portal-signers", signers.page, name="signers"),
    path(IMPORT, importing.upload, name="entries_import"),
    path(f"{IMPORT}<int:file_number>/", importing.page, name="entries_import_file"),
    path(AUDIT, audit.page, name="audit"),
    path(f"{AUDIT}decisions/", decisions.page, name="decisions"),
    path(f"{AUDIT}figures/", figures.page, name="past_figures"),
    path(SEAL, seal.page, name="seal"),
    path(f"{SEAL}verify/", seal.verify, name="seal_verify"),
    path(f"{SEAL}progress/", seal.progress, name="seal_progress"),
    path(REDACTIONS, redactions.page, name="redactions"),
    path(ENTRY, redactions.one, name="redaction"),
    path(f"{ENTRY}ask/", redactions.ask, name="redaction_ask"),
    path(f"{ENTRY}approve/", redactions.approve, name="redaction_approve"),
    path(f"{ENTRY}refuse/", redactions.refuse, name="redaction_refuse"),
    path(f"{ENTRY}withdraw/", redactions.withdraw, name="redaction_withdraw"),
    path(EXPORTS, list.page, name="exports"),
    path(f"{EXPORTS}part/", list.part, name="exports_part"),
    path(f"{EXPORTS}preview/", preview.page, name="export_preview"),
    path(f"{EXPORTS}ask/", ask.ask, name="export_ask"),
    path(f"{EXPORT}download/", one.download, name="export_download"),
    path(f"{EXPORT}cancel/", ask.cancel, name="export_cancel"),
    path(f"{EXPORT}retry/", ask.retry, name="export_retry"),
    path("witnesses/", witnesses.page, name="witnesses"),
    path("witnesses/add/", witnesses.add, name="witness_add"),
    path("witnesses/<int:witness_id>/end/", witnesses.end, name="witness_end"),
    path("witnesses/<int:witness_id>/try-again/", witnesses.try_again, name="witness_try_again"),
]
