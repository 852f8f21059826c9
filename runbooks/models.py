"""Switchboard: every model of every slice."""

from runbooks.access.models import Membership, Role, User
from runbooks.actions.models import Action, ActionAccount, ActionDecision, ActionExclusion, RestorationStage
from runbooks.affected_accounts.models import (
    AccountFact,
    AffectedAccount,
    AffectedImport,
    ContactAttempt,
    StateChange,
    UnresolvedLine,
)
from runbooks.confirmations.models import Code, Confirmation, DeskCall, LetterRun, Probe, TextOrder
from runbooks.containment.models import Evidence, Step
from runbooks.directory.models import Account, DirectoryImport, HeaderMapping, Protection
from runbooks.incidents.models import Incident, IncidentRole, ReferenceCounter
from runbooks.notifications.models import Notification, NotificationAttempt
from runbooks.timeline.models import Pin, TimelineBin, TimelineEvent

__all__ = [
    "Account",
    "AccountFact",
    "Action",
    "ActionAccount",
    "ActionDecision",
    "ActionExclusion",
    "AffectedAccount",
    "AffectedImport",
    "Code",
    "Confirmation",
    "ContactAttempt",
    "DeskCall",
    "DirectoryImport",
    "Evidence",
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
    "ReferenceCounter",
    "RestorationStage",
    "Role",
    "StateChange",
    "Step",
    "TextOrder",
    "TimelineBin",
    "TimelineEvent",
    "UnresolvedLine",
    "User",
]
