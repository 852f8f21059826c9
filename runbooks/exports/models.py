"""What leaves the portal for others to check: checkpoints and their witnesses, exports, and what was taken out."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class SigningKey(models.Model):
    """The public part of a key that checkpoints and manifests are signed with. Retired ones stay published."""

    fingerprint = models.CharField(max_length=60, unique=True, help_text="SHA256:..., as ssh-keygen -l prints it.")
    public_key = models.CharField(max_length=200, help_text="ssh-ed25519 AAAA...")
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=160)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(retired_at__isnull=True) | Q(retired_at__gte=F("made_at")), name="key_retired_later"
            )
        ]

    def __str__(self) -> str:
        return self.fingerprint


class Checkpoint(models.Model):
    """A signature over how far an incident's chain had come. Rows are only added."""

    class Reason(models.TextChoices):
        PERIODIC = "periodic", "As entries arrive"
        EXPORT = "export", "An export"
        CLOSING = "closing", "The end of the incident"
        ASKED = "asked", "Asked for"

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="checkpoints")
    sequence = models.BigIntegerField()
    hash = models.CharField(max_length=64)
    signed_at = models.DateTimeField()
    key = models.ForeignKey(SigningKey, on_delete=models.PROTECT, related_name="+")
    signature = models.TextField(help_text="OpenSSH signature over JCS of incident, sequence, hash and time.")
    reason = models.CharField(max_length=8, choices=Reason.choices)
    token = models.BinaryField(
        null=True, help_text="RFC 3161 token over the signature, DER; none without an authority."
    )
    token_at = models.DateTimeField(null=True, blank=True, help_text="The authority's time.")
    token_trouble = models.CharField(max_length=300, blank=True, help_text="Why the authority gave none.")
    token_due_at = models.DateTimeField(null=True, blank=True, help_text="When the authority is asked next.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["incident", "sequence"], name="checkpoint_once"),
            models.CheckConstraint(condition=Q(sequence__gte=1), name="checkpoint_from_one"),
        ]
        indexes = [
            models.Index(fields=["token_due_at"], condition=Q(token_due_at__isnull=False), name="checkpoint_token_due")
        ]

    def __str__(self) -> str:
        return f"#{self.sequence} signed"


class Witness(models.Model):
    """Who keeps each checkpoint outside the house, so that nobody inside can rewrite the past unnoticed."""

    class Channel(models.TextChoices):
        MAIL = "mail", "Mail"
        WEBHOOK = "webhook", "Webhook"

    name = models.CharField(max_length=160)
    channel = models.CharField(max_length=8, choices=Channel.choices)
    address = models.CharField(max_length=1000)
    added_by = models.CharField(max_length=160)
    added_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=160, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "address"], condition=Q(ended_at__isnull=True), name="witness_once"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="") | Q(ended_at__isnull=False) & ~Q(ended_by=""),
                name="witness_ended_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class WitnessCopy(models.Model):
    """A checkpoint on its way to a witness."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="copies", db_index=False)
    witness = models.ForeignKey(Witness, on_delete=models.PROTECT, related_name="copies")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.WAITING)
    attempts = models.SmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["checkpoint", "witness"], name="witness_copy_once")]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(status__in=["waiting", "sending"]), name="witness_copy_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.checkpoint} to {self.witness}"


class Verification(models.Model):
    """A walk over the chain in the database, and what it found. Rows are only added."""

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="verifications")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    after_sequence = models.BigIntegerField(help_text="Where it began: 0 for the whole chain.")
    entries = models.BigIntegerField()
    head_sequence = models.BigIntegerField()
    head_hash = models.CharField(max_length=64)
    broken_at = models.BigIntegerField(null=True, blank=True, help_text="Sequence of the first entry that is wrong.")
    finding = models.CharField(max_length=400, blank=True)
    asked_by = models.CharField(max_length=160)

    class Meta:
        indexes = [models.Index(fields=["incident", "-id"], name="verification_newest_first")]

    def __str__(self) -> str:
        return self.finding or f"sound to #{self.head_sequence}"


class Redaction(models.Model):
    """That the content of an entry was asked to be taken out, with its legal basis, and who agreed. Two people."""

    class Status(models.TextChoices):
        REQUESTED = "requested", "Waits for a second person"
        APPROVED = "approved", "Taken out"
        REFUSED = "refused", "Refused"
        WITHDRAWN = "withdrawn", "Withdrawn"

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="redactions")
    event = models.ForeignKey("runbooks.TimelineEvent", on_delete=models.PROTECT, related_name="redactions")
    reason = models.CharField(max_length=400)
    legal_basis = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.REQUESTED)
    requester = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    decider = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_note = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["event"], condition=Q(status__in=["requested", "approved"]), name="redaction_open_once"
            ),
            models.CheckConstraint(condition=~Q(reason="") & ~Q(legal_basis=""), name="redaction_has_reason"),
            models.CheckConstraint(
                condition=~Q(status="approved")
                | Q(decider__isnull=False, decided_at__isnull=False) & ~Q(decider=F("requester")),
                name="redaction_needs_two",
            ),
        ]

    def __str__(self) -> str:
        return f"redaction of {self.event}"


class Export(models.Model):
    """What somebody took away: which range and filter, its hash, and where the file is kept."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Being made"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="exports")
    number = models.IntegerField(help_text="1, 2, 3 ... within the incident, shown as EX-01.")
    format = models.CharField(max_length=20)
    options = models.JSONField(default=dict, help_text="What the format was asked for, such as a byte order mark.")
    filter = models.JSONField(default=dict, help_text="The query of the timeline page; empty for everything.")
    purpose = models.CharField(max_length=200, blank=True, help_text="For whom or what, as the requester wrote.")
    requester = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    requested_by = models.CharField(max_length=160)
    requested_at = models.DateTimeField()
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.WAITING)
    head_sequence = models.BigIntegerField(help_text="Nothing after this entry is in it.")
    head_hash = models.CharField(max_length=64)
    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, null=True, related_name="+")
    entries = models.BigIntegerField(default=0)
    left_out = models.BigIntegerField(default=0)
    done = models.BigIntegerField(default=0, help_text="Entries written so far, for the progress bar.")
    token = models.UUIDField(null=True, blank=True, help_text="Whose turn it is: a worker that lost it writes no more.")
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.SmallIntegerField(default=0)
    reason = models.CharField(max_length=400, blank=True, help_text="Why the last attempt failed.")
    file = models.CharField(max_length=200, blank=True, help_text="Name in the storage.")
    file_name = models.CharField(max_length=120, blank=True, help_text="Name of the download.")
    media_type = models.CharField(max_length=100, blank=True)
    size = models.BigIntegerField(null=True, blank=True, help_text="Bytes.")
    sha256 = models.CharField(max_length=64, blank=True)
    key = models.ForeignKey(SigningKey, on_delete=models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["incident", "number"], name="export_number_once"),
            models.CheckConstraint(
                condition=~Q(status="ready")
                | ~Q(sha256="") & ~Q(file="") & Q(size__isnull=False, ended_at__isnull=False),
                name="export_ready_has_file",
            ),
        ]
        indexes = [
            models.Index(
                fields=["requested_at"], condition=Q(status__in=["waiting", "running"]), name="export_unfinished"
            )
        ]

    def __str__(self) -> str:
        return f"EX-{self.number:02}"


class Download(models.Model):
    """Who fetched an export, when. Rows are only added."""

    export = models.ForeignKey(Export, on_delete=models.PROTECT, related_name="downloads")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    name = models.CharField(max_length=160)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["export", "-at"], name="download_newest_first")]

    def __str__(self) -> str:
        return f"{self.export} by {self.name}"
