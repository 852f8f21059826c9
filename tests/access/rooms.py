"""Rooms with one of everything in them, and the address of each thing, for tests that attack."""

import json
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import Actor, actor_for
from runbooks.actions.models import Action
from runbooks.affected_accounts.models import AffectedAccount, AffectedImport, UnresolvedLine
from runbooks.affected_accounts.operations import import_list
from runbooks.attachments.models import Attachment
from runbooks.attachments.operations import attach_file
from runbooks.confirmations.models import DeskCall
from runbooks.contacts.models import ContactPoint, RotaShift
from runbooks.containment.models import Evidence, Step
from runbooks.containment.operations import NewEvidence, add_evidence
from runbooks.directory.models import DirectoryImport
from runbooks.directory.operations import stage_import
from runbooks.exports.models import Export, Redaction, Witness
from runbooks.incidents.models import Incident, IncidentRole
from runbooks.notifications.models import Escalation, Notification
from runbooks.subscriptions.models import Subscription, SubscriptionDelivery
from runbooks.timeline.models import TimelineEvent
from tests.access.routes import BY_NAME
from tests.contacts.people import make_point, make_rota, make_shift
from tests.factories import make_account, make_action, make_affected, make_entry, make_incident, make_step, make_user

STRANGER = "Somebody Unknown, of no office"


@dataclass(frozen=True, slots=True)
class Room:
    """An incident and one of each of its things. Every text of it holds `mark`, which no other room has."""

    incident: Incident
    mark: str
    account: AffectedAccount
    step: Step
    note: Evidence
    file: Evidence
    role: IncidentRole
    notice: Notification
    import_: AffectedImport
    line: UnresolvedLine
    entry: TimelineEvent
    directory_import: DirectoryImport
    action: Action
    call: DeskCall
    witness: Witness
    delivery: SubscriptionDelivery
    shift: RotaShift
    point: ContactPoint
    entries: Attachment
    redaction: Redaction

    def things(self) -> dict[str, Any]:
        """{argument of an address: this room's value for it}"""
        return {
            "reference": self.incident.reference,
            "incident_id": self.incident.pk,
            "affected_id": self.account.pk,
            "key": self.step.key,
            "evidence_id": self.file.pk,
            "role_id": self.role.pk,
            "notification_id": self.notice.pk,
            "import_id": self.import_.pk,
            "line_id": self.line.pk,
            "sequence": self.entry.sequence,
            "number": self.action.number,
            "export_number": self.incident.exports.get(format="csv", purpose=f"For {self.mark}").number,
            "file_number": self.incident.attachments.get(stored__sha256=self.file.sha256).number,
            "call_id": self.call.pk,
            "user_id": self.role.user_id,
            "witness_id": self.witness.pk,
            "subscription_id": self.delivery.subscription_id,
            "delivery_id": self.delivery.pk,
            "rota_id": self.shift.rota_id,
            "chain_id": self.incident.escalations.get(about="action:1").pk,
            "shift_id": self.shift.pk,
            "point_id": self.point.pk,
        }

    def address(self, name: str, **other: Any) -> str:
        """The address of that name in this room; `other` replaces what the address names."""
        given = {"slug": "compromised-accounts", "verb": "owner", "account_id": self.account.account_id}
        given |= {"position": 1, "name": "people", "channel": "read_out", "token": "none", "importance": "default"}
        given |= {"event": "action.paused", "language": "cy"}
        known = {**given, **self.things()}
        if name.startswith("directory"):
            known["import_id"] = self.directory_import.pk
        return reverse(name, kwargs={key: (known | other)[key] for key in BY_NAME[name].pattern.converters})


def make_room(*members: User, lead: User | None = None, mark: str = "", **changes: Any) -> Room:
    """A room of these people. The lead is somebody of its own where none is given."""
    mark = mark or f"heron{uuid4().hex[:8]}"
    lead = lead or make_user()
    incident = make_incident(lead=lead, members=members, title=f"Title {mark}", codename=mark, **changes)
    at, actor = timezone.now(), actor_for(lead)
    step = make_step(incident, key=f"step-{mark}"[:80], title=f"Step {mark}", instruction=f"Do {mark}.")
    where: dict[str, Any] = {"incident_id": incident.pk, "key": step.key, "actor": actor, "at": at}
    upload = ContentFile(mark.encode(), name=f"{mark}.txt")
    note = add_evidence(**where, evidence=NewEvidence("note", note=f"Seen: {mark}"))
    file = add_evidence(**where, evidence=NewEvidence("file", note=f"File: {mark}", upload=upload))
    account = make_affected(incident, make_account(department=f"Office {mark}"))
    _ready_export(incident, mark, at)
    deputy = _deputy(incident, at)
    _chain(incident, mark, at)
    content = f"{STRANGER} {mark}".encode()
    import_list(incident_id=incident.pk, file_name=f"{mark}.txt", content=content, actor=actor, at=at)
    return Room(
        incident=Incident.objects.get(pk=incident.pk),
        mark=mark,
        account=account,
        step=step,
        note=note,
        file=file,
        role=deputy,
        notice=_failed_notice(incident, lead, mark, at),
        import_=incident.affected_imports.get(),
        line=incident.unresolved_lines.get(),
        entry=make_entry(incident, f"Entry {mark}"),
        directory_import=stage_import(
            actor=actor,
            file=ContentFile(b"userPrincipalName,displayName\na@parliament.example,A\n", name="d.csv"),  # type: ignore[arg-type]
            file_name="d.csv",
            at=at,
        ),
        action=make_action(incident, account, reason=f"Reason {mark}", authors=[lead.pk]),
        call=DeskCall.objects.create(
            incident=incident,
            affected_account=account,
            taken_by=lead,
            taken_at=at,
            held_until=at + timedelta(minutes=20),
            note=f"Call {mark}",
        ),
        witness=Witness.objects.create(
            name="A notary", channel="mail", address=f"{mark}@outside.example", added_by="a test", added_at=at
        ),
        delivery=_subscribed(incident, mark, at),
        shift=make_shift(make_rota(f"Rota {mark}"), lead, at, at + timedelta(days=7)),
        point=make_point(lead, "email", f"{mark}@elsewhere.example"),
        entries=_entries(incident, mark, actor, at),
        redaction=Redaction.objects.create(
            incident=incident,
            event=make_entry(incident, f"Too much of {mark}"),
            reason=f"Reason {mark}",
            legal_basis="UK GDPR, Article 17",
            requester=deputy.user,
            requested_at=at,
        ),
    )


def _entries(incident: Incident, mark: str, actor: Actor, at: Any) -> Attachment:
    """A file of entries that could be imported."""
    content = f"datetime,message\n2026-01-05T08:00:00Z,Imported {mark}\n".encode()
    upload = ContentFile(content, name=f"{mark}.csv")
    return attach_file(incident_id=incident.pk, upload=upload, actor=actor, at=at)


def _ready_export(incident: Incident, mark: str, at: Any) -> Export:
    """As an operation leaves it, without its entries."""
    content = f"Export {mark}".encode()
    return Export.objects.create(
        incident=incident,
        number=1,
        format="csv",
        purpose=f"For {mark}",
        requested_by="A test",
        requested_at=at,
        status=Export.Status.READY,
        head_sequence=0,
        head_hash="0" * 64,
        file=default_storage.save(f"exports/{mark}", ContentFile(content)),
        file_name=f"{mark}.csv",
        media_type="text/csv",
        size=len(content),
        sha256=sha256(content).hexdigest(),
        ended_at=at,
    )


def _subscribed(incident: Incident, mark: str, at: Any) -> SubscriptionDelivery:
    """A delivery that was given up. Its subscription has no secret that could be opened, so that nothing is called."""
    subscription = Subscription.objects.create(
        name=f"Siem {mark}"[:80],
        url="https://siem.example/hook",
        secret="shut",
        incident=incident,
        made_by="A test",
        made_at=at,
    )
    return SubscriptionDelivery.objects.create(
        subscription=subscription,
        incident=incident,
        sequence=1,
        kind="incident.declared",
        body=json.dumps({"summary": f"Said {mark}"}),
        status="failed",
        next_attempt_at=at,
        created_at=at,
    )


def _chain(incident: Incident, mark: str, at: Any) -> Escalation:
    """One that runs, whose next step is far away."""
    return Escalation.objects.create(
        incident=incident,
        event="action.paused",
        about="action:1",
        sequence=1,
        texts={"en-gb": {"subject": f"{incident.reference}: call {mark}", "body": f"Body {mark}", "brief": "Look."}},
        steps=[{"to": "lead", "wait": 600}],
        repeats=0,
        started_at=at,
        next_at=at + timedelta(hours=10),
        moved_at=at,
    )


def _deputy(incident: Incident, at: Any) -> IncidentRole:
    deputy = make_user()
    incident.memberships.create(user=deputy, added_by="a test", added_at=at)
    return IncidentRole.objects.create(incident=incident, kind=IncidentRole.Kind.DEPUTY, user=deputy, since=at)


def _failed_notice(incident: Incident, to: User, mark: str, at: Any) -> Notification:
    return Notification.objects.create(
        incident=incident,
        event="incident.status_changed",
        recipient=to,
        route=[{"point": None, "channel": "email", "wait": 0}],
        subject=f"TLP:AMBER {incident.reference}: {mark}",
        body=f"Body {mark}\n",
        brief=f"TLP:AMBER {incident.reference}: look in the portal",
        idempotency_key=uuid4().hex,
        status=Notification.Status.FAILED,
        reason=f"The server said {mark}",
        next_attempt_at=at,
        created_at=at - timedelta(seconds=1),
    )
