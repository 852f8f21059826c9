"""The sealed timeline: one hash chain an incident. The format is in docs/architecture.md."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import F, Q


class Lane(models.TextChoices):
    """What an entry is about; the swimlanes of the page."""

    DETECTION = "detection", "Detection"
    ACTION = "action", "Action"
    DECISION = "decision", "Decision"
    CONTACT = "contact", "Contact"
    NOTE = "note", "Note"


class Precision(models.TextChoices):
    """How exactly the moment is known (STIX 2.1 fidelity)."""

    SECOND = "second", "To the second"
    MINUTE = "minute", "To the minute"
    HOUR = "hour", "To the hour"
    DAY = "day", "To the day"


class TimelineEvent(models.Model):
    """One entry. A trigger refuses UPDATE, DELETE and TRUNCATE: a mistake is corrected by a later entry."""

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="events")
    sequence = models.BigIntegerField(help_text="1, 2, 3 ... within the incident, without a gap.")
    kind = models.CharField(max_length=60, help_text="noun.verb_past, such as step.completed")
    lane = models.CharField(max_length=10, choices=Lane.choices)
    summary = models.TextField(help_text="The sentence people read, in the words of that day.")
    details = models.JSONField(default=dict)
    salt = models.BinaryField(
        max_length=16, null=True, help_text="16 random bytes; erased with the content by a redaction."
    )
    actor = models.CharField(max_length=160)
    actor_user = models.ForeignKey(
        "runbooks.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    is_automated = models.BooleanField(default=False)
    occurred_at = models.DateTimeField(help_text="When it happened in the world.")
    occurred_precision = models.CharField(max_length=10, choices=Precision.choices, default=Precision.SECOND)
    recorded_at = models.DateTimeField(help_text="When it came into our books.")
    corrects = models.BigIntegerField(null=True, blank=True, help_text="Sequence of the entry this one corrects.")
    previous = models.CharField(max_length=64)
    commitment = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    # Ways to find an entry, not part of the seal: the same facts stand in `details`.
    step_id = models.BigIntegerField(null=True, blank=True)
    account_ids = ArrayField(
        models.BigIntegerField(), default=list, help_text="AffectedAccount ids the entry is about."
    )
    burst = models.BigIntegerField(null=True, blank=True, help_text="Sequence of the first entry of an automated run.")
    search = models.GeneratedField(
        expression=SearchVector("summary", config="simple"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["incident", "sequence"], name="event_sequence_once"),
            models.CheckConstraint(condition=Q(sequence__gte=1), name="event_sequence_from_one"),
            models.CheckConstraint(
                condition=Q(corrects__isnull=True) | Q(corrects__lt=F("sequence")), name="event_corrects_earlier"
            ),
            models.CheckConstraint(condition=Q(lane__in=Lane.values), name="event_lane_known"),
        ]
        indexes = [
            models.Index(fields=["incident", "occurred_at", "sequence"], name="event_by_time"),
            models.Index(
                fields=["incident", "occurred_at", "sequence"],
                condition=Q(burst__isnull=True) | Q(burst=F("sequence")),
                name="event_by_time_folded",
            ),
            models.Index(fields=["incident", "lane", "occurred_at", "sequence"], name="event_by_lane"),
            models.Index(
                fields=["incident", "burst", "sequence"], condition=Q(burst__isnull=False), name="event_by_burst"
            ),
            models.Index(
                fields=["incident", "corrects"], condition=Q(corrects__isnull=False), name="event_corrections"
            ),
            models.Index(fields=["step_id"], condition=Q(step_id__isnull=False), name="event_by_step"),
            GinIndex(fields=["account_ids"], name="event_by_account"),
            GinIndex(fields=["search"], name="event_search"),
        ]

    def __str__(self) -> str:
        return f"#{self.sequence} {self.summary}"


class TimelineBin(models.Model):
    """Entries a quarter of an hour and lane, a burst as one. `record` keeps them; a histogram reads no entry."""

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="+", db_index=False)
    starts_at = models.DateTimeField()
    lane = models.CharField(max_length=10, choices=Lane.choices)
    entries = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "starts_at", "lane"], name="bin_once")]

    def __str__(self) -> str:
        return f"{self.starts_at}: {self.entries}"


class Pin(models.Model):
    """A key event. The pin may be taken off again; both are entries."""

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="+", db_index=False)
    event = models.OneToOneField(TimelineEvent, on_delete=models.PROTECT, related_name="pin")
    pinned_by = models.CharField(max_length=160)
    pinned_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["incident", "event"], name="pin_by_incident")]

    def __str__(self) -> str:
        return f"pin on {self.event}"
