"""What people do with steps. One operation is one transaction and one entry of the timeline."""

from runbooks.containment.operations.adding import NewStep, add_step
from runbooks.containment.operations.claiming import assign, claim
from runbooks.containment.operations.copying import copy_runbook
from runbooks.containment.operations.evidence import NewEvidence, add_evidence, withdraw_evidence
from runbooks.containment.operations.refusals import (
    AccountsLeftError,
    BadStepError,
    BlockedStepError,
    CannotClaimError,
    EvidenceMissingError,
    NotYourStepError,
    ReasonMissingError,
    StepClosedError,
    StepOpenError,
    StepRunningError,
)
from runbooks.containment.operations.working import complete, reopen, start, waive

__all__ = [
    "AccountsLeftError",
    "BadStepError",
    "BlockedStepError",
    "CannotClaimError",
    "EvidenceMissingError",
    "NewEvidence",
    "NewStep",
    "NotYourStepError",
    "ReasonMissingError",
    "StepClosedError",
    "StepOpenError",
    "StepRunningError",
    "add_evidence",
    "add_step",
    "assign",
    "claim",
    "complete",
    "copy_runbook",
    "reopen",
    "start",
    "waive",
    "withdraw_evidence",
]
