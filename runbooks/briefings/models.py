"""What is said to others about an incident as a whole: situation reports, hand-over notes, and when the next is due."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class Briefing(models.Model):
    """A text made from the facts and edited by a person. Kept as it was given; a later one supersedes it."""

    class Kind(models.TextChoices):
        SITUATION = "situation", "Situation report"
        HANDOVER = "handover", "Hand-over note"

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="briefings")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    number = models.IntegerField(help_text="From 1 in each incident and kind.")
    text = models.TextField()
    facts = models.JSONField(help_text="The figures it was made from.")
    covers_from = models.DateTimeField(help_text="Since when it tells.")
    head_sequence = models.BigIntegerField(help_text="The newest entry when its facts were counted.")
    head_hash = models.CharField(max_length=64)
    given_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    given_to = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    given_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "kind", "number"], name="briefing_number_once")]
        indexes = [models.Index(fields=["incident", "-given_at", "-id"], name="briefing_newest_first")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.number}"


class ReportClock(models.Model):
    """When the next situation report is due, by the incident's severity or by somebody's decision."""

    incident = models.OneToOneField(
        "runbooks.Incident", on_delete=models.PROTECT, primary_key=True, related_name="report_clock"
    )
    due_at = models.DateTimeField()
    snoozed_from = models.DateTimeField(null=True, blank=True, help_text="When it had been due before.")
    snoozed_by = models.CharField(max_length=160, blank=True)
    snoozed_because = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(snoozed_from__isnull=True) | ~Q(snoozed_because=""), name="report_clock_snoozed_why"
            )
        ]

    def __str__(self) -> str:
        return f"report of {self.incident}"
