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
from runbooks.briefings.models import Briefing, ReportClock
from runbooks.confirmations.models import (
    Code,
    Confirmation,
    DeskCall,
    DirectoryWatch,
    LetterRun,
    Probe,
    TextOrder,
)
from runbooks.contacts.models import ContactCode, ContactPoint, ContactPreferences, ContactRule, Rota, RotaShift
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
from runbooks.notifications.models import (
    ChannelState,
    Escalation,
    EscalationPolicy,
    NoticeText,
    Notification,
    NotificationAttempt,
    Pulse,
)
from runbooks.reminders.models import Reminder
from runbooks.subscriptions.models import (
    Subscription,
    SubscriptionAttempt,
    SubscriptionDelivery,
    SubscriptionPlace,
)
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
    "Briefing",
    "ChannelState",
    "Checkpoint",
    "Code",
    "Confirmation",
    "ContactAttempt",
    "ContactCode",
    "ContactPoint",
    "ContactPreferences",
    "ContactRule",
    "CustodyEvent",
    "DeskCall",
    "DirectoryImport",
    "DirectoryWatch",
    "Download",
    "Escalation",
    "EscalationPolicy",
    "Evidence",
    "Export",
    "HeaderMapping",
    "Incident",
    "IncidentRole",
    "LetterRun",
    "Membership",
    "NoticeText",
    "Notification",
    "NotificationAttempt",
    "Pin",
    "Probe",
    "Protection",
    "Pulse",
    "Redaction",
    "ReferenceCounter",
    "Reminder",
    "ReportClock",
    "RestorationStage",
    "Role",
    "Rota",
    "RotaShift",
    "SigningKey",
    "StateChange",
    "Step",
    "StoredFile",
    "Subscription",
    "SubscriptionAttempt",
    "SubscriptionDelivery",
    "SubscriptionPlace",
    "TextOrder",
    "TimelineBin",
    "TimelineEvent",
    "UnresolvedLine",
    "User",
    "Verification",
    "Witness",
    "WitnessCopy",
]
