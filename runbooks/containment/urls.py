"""Pages of this slice."""

from django.urls import path

from runbooks.containment.views import actions, add, checklist, evidence, steps

STEPS = "incidents/<str:reference>/steps/"
STEP = f"{STEPS}<slug:key>/"
PIECE = f"{STEP}evidence/<int:evidence_id>/"

urlpatterns = [
    path(STEPS, steps.page, name="steps"),
    path(f"{STEPS}add/", add.page, name="step_add"),
    path(f"{STEPS}print/", checklist.page, name="steps_print"),
    path(f"{STEP}claim/", actions.claim, name="step_claim"),
    path(f"{STEP}start/", actions.start, name="step_start"),
    path(f"{STEP}assign/", actions.assign, name="step_assign"),
    path(f"{STEP}complete/", actions.complete, name="step_complete"),
    path(f"{STEP}waive/", actions.waive, name="step_waive"),
    path(f"{STEP}reopen/", actions.reopen, name="step_reopen"),
    path(f"{STEP}evidence/", actions.add_evidence, name="step_evidence"),
    path(PIECE, evidence.download, name="step_evidence_file"),
    path(f"{PIECE}withdraw/", actions.withdraw_evidence, name="step_evidence_withdraw"),
]
