"""The steps of an incident: its own frozen copy of the runbook, and what was added to it."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class Step(models.Model):
    """One thing to do. Whether it is blocked or late is worked out, never stored."""

    class Status(models.TextChoices):
        PENDING = "pending", "Not started"
        RUNNING = "running", "In progress"
        SUCCEEDED = "succeeded", "Done"
        SKIPPED = "skipped", "Waived"

    class Scope(models.TextChoices):
        INCIDENT = "incident", "The incident"
        ACCOUNT = "account", "Each account"

    CLOSED = (Status.SUCCEEDED, Status.SKIPPED)

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="steps", db_index=False)
    key = models.CharField(max_length=80, help_text="The runbook's id of the step; added steps get one of their own.")
    position = models.IntegerField(help_text="Order within the incident.")
    number = models.CharField(max_length=8, help_text="As people say it: 3.2")
    phase = models.CharField(max_length=40)
    phase_title = models.CharField(max_length=80)
    title = models.CharField(max_length=200)
    instruction = models.TextField(blank=True, help_text="Markdown.")
    role = models.CharField(max_length=16, help_text="IncidentRole.Kind that does it.")
    scope = models.CharField(max_length=10, choices=Scope.choices, default=Scope.INCIDENT)
    depends_on = ArrayField(
        models.CharField(max_length=80), default=list, blank=True, help_text="Keys of this incident's steps."
    )
    due_at = models.DateTimeField(null=True, blank=True)
    deadline_label = models.CharField(
        max_length=120, blank=True, help_text="Its short name among the deadlines, where somebody outside set the time."
    )
    evidence_required = models.JSONField(default=list, help_text='[{"key", "label"}]')
    automation = models.CharField(max_length=60, blank=True, help_text="Connector action, by its D3FEND name.")
    reversible_by = models.CharField(max_length=80, blank=True)
    two_person = models.BooleanField(default=False)
    fact = models.CharField(max_length=20, blank=True, help_text="FactKind that is counted over the accounts.")
    counted = models.CharField(
        max_length=400, blank=True, help_text="How a step for each account is told to be done where no fact says so."
    )
    tiers = ArrayField(models.CharField(max_length=1), default=list, blank=True)
    is_added = models.BooleanField(default=False, help_text="Added to the running incident, not in the runbook.")
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.PENDING)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="steps"
    )
    started_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=160, blank=True)
    waived_reason = models.CharField(max_length=400, blank=True)
    version = models.IntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["incident", "key"], name="step_key_once"),
            models.UniqueConstraint(
                fields=["incident", "position"], name="step_position_once", deferrable=models.Deferrable.DEFERRED
            ),
            models.CheckConstraint(
                condition=Q(status__in=["pending", "running"], closed_at__isnull=True)
                | Q(status__in=["succeeded", "skipped"], closed_at__isnull=False),
                name="step_closed_when_closed",
            ),
            models.CheckConstraint(
                condition=~Q(status="skipped") | ~Q(waived_reason=""), name="step_waived_with_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.title}"

    @property
    def is_closed(self) -> bool:
        return self.status in self.CLOSED

    @property
    def is_deadline(self) -> bool:
        return bool(self.deadline_label)


class Evidence(models.Model):
    """What closes a step, or speaks for it. Rows are only added; a wrong one is withdrawn with a reason."""

    class Kind(models.TextChoices):
        NOTE = "note", "Note"
        LINK = "link", "Link"
        FILE = "file", "File"

    step = models.ForeignKey(Step, on_delete=models.PROTECT, related_name="evidence")
    kind = models.CharField(max_length=4, choices=Kind.choices)
    requirement = models.CharField(max_length=80, blank=True, help_text="Key of the rule it satisfies.")
    note = models.TextField(blank=True)
    url = models.URLField(max_length=1000, blank=True)
    file = models.FileField(upload_to="evidence/", blank=True)
    file_name = models.CharField(max_length=255, blank=True)
    size = models.BigIntegerField(null=True, blank=True, help_text="Bytes.")
    sha256 = models.CharField(max_length=64, blank=True)
    attachment = models.ForeignKey(
        "runbooks.Attachment",
        on_delete=models.PROTECT,
        null=True,
        related_name="evidence",
        help_text="The file of the incident that it is; none for files from before there was a store of files.",
    )
    added_by = models.CharField(max_length=160)
    added_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.CharField(max_length=160, blank=True)
    withdrawn_reason = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="note", url="", sha256="", attachment__isnull=True) & ~Q(note="")
                | Q(kind="link", sha256="", attachment__isnull=True) & ~Q(url="")
                | Q(kind="file", size__isnull=False) & ~Q(sha256=""),
                name="evidence_has_its_kind",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at__isnull=True) | ~Q(withdrawn_reason=""), name="evidence_withdrawn_with_reason"
            ),
        ]

    def __str__(self) -> str:
        return self.file_name or self.url or self.note[:60]
