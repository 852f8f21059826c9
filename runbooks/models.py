"""Switchboard: every model of every slice."""

from runbooks.access.models import AccessRecord, Membership, Role, User
from runbooks.actions.models import Action, ActionAccount, ActionDecision, ActionExclusion, RestorationStage
from runbooks.affected_accounts.models import (
    AccountFact,
    AffectedAccount,
    AffectedImport,
    ContactAttempt,
    StateChange,
    UnresolvedLine,
)
from runbooks.attachments.models import Attachment, CustodyEvent, StoredFile
from runbooks.confirmations.models import (
    Code,
    Confirmation,
    DeskCall,
    DirectoryWatch,
    LetterRun,
    Probe,
    TextOrder,
)
from runbooks.containment.models import Evidence, Step
from runbooks.directory.models import Account, DirectoryImport, HeaderMapping, Protection
from runbooks.exports.models import (
    Checkpoint,
    Download,
    Export,
    Redaction,
    SigningKey,
    Verification,
    Witness,
    WitnessCopy,
)
from runbooks.incidents.models import Incident, IncidentRole, ReferenceCounter
from runbooks.notifications.models import Notification, NotificationAttempt
from runbooks.timeline.models import Pin, TimelineBin, TimelineEvent

__all__ = [
    "AccessRecord",
    "Account",
    "AccountFact",
    "Action",
    "ActionAccount",
    "ActionDecision",
    "ActionExclusion",
    "AffectedAccount",
    "AffectedImport",
    "Attachment",
    "Checkpoint",
    "Code",
    "Confirmation",
    "ContactAttempt",
    "CustodyEvent",
    "DeskCall",
    "DirectoryImport",
    "DirectoryWatch",
    "Download",
    "Evidence",
    "Export",
    "HeaderMapping",
    "Incident",
    "IncidentRole",
    "LetterRun",
    "Membership",
    "Notification",
    "NotificationAttempt",
    "Pin",
    "Probe",
    "Protection",
    "Redaction",
    "ReferenceCounter",
    "RestorationStage",
    "Role",
    "SigningKey",
    "StateChange",
    "Step",
    "StoredFile",
    "TextOrder",
    "TimelineBin",
    "TimelineEvent",
    "UnresolvedLine",
    "User",
    "Verification",
    "Witness",
    "WitnessCopy",
]
