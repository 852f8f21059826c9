"""Attachments of an incident: the bytes once under their hash, a reference each time, and who had them in hand."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class StoredFile(models.Model):
    """Bytes in the storage, under their SHA-256. The same file twice is one of these."""

    sha256 = models.CharField(max_length=64, unique=True)
    size = models.BigIntegerField(help_text="Bytes.")
    media_type = models.CharField(max_length=100, help_text="By content, not by what the browser said.")
    name = models.CharField(max_length=200, help_text="Name in the storage.")
    stored_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(size__gte=0), name="stored_file_has_size")]

    def __str__(self) -> str:
        return self.sha256[:12]


class Attachment(models.Model):
    """A file in an incident. It is never deleted; a hold says that nobody may ask for that either."""

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="attachments")
    stored = models.ForeignKey(StoredFile, on_delete=models.PROTECT, related_name="attachments")
    number = models.IntegerField(help_text="1, 2, 3 ... within the incident.")
    name = models.CharField(max_length=160, help_text="As it was called, made safe.")
    note = models.CharField(max_length=400, blank=True, help_text="What it is, and where it came from.")
    sequence = models.BigIntegerField(null=True, blank=True, help_text="The timeline entry it belongs to.")
    added_by = models.CharField(max_length=160)
    adder = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    added_at = models.DateTimeField()
    held_at = models.DateTimeField(null=True, blank=True)
    held_by = models.CharField(max_length=160, blank=True)
    hold_reason = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["incident", "number"], name="attachment_number_once"),
            models.CheckConstraint(
                condition=Q(held_at__isnull=True) | ~Q(hold_reason="") & ~Q(held_by=""),
                name="attachment_hold_has_reason",
            ),
        ]
        indexes = [
            models.Index(
                fields=["incident", "sequence"], condition=Q(sequence__isnull=False), name="attachment_by_entry"
            )
        ]

    def __str__(self) -> str:
        return self.name


class CustodyEvent(models.Model):
    """Somebody had the file in hand. Rows are only added."""

    class Kind(models.TextChoices):
        ADDED = "added", "Added"
        READ = "read", "Downloaded"
        EXPORTED = "exported", "Put into an export"
        HELD = "held", "Put on hold"
        RELEASED = "released", "Hold lifted"

    attachment = models.ForeignKey(Attachment, on_delete=models.PROTECT, related_name="custody")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    name = models.CharField(max_length=160)
    at = models.DateTimeField()
    note = models.CharField(max_length=400, blank=True)

    class Meta:
        indexes = [models.Index(fields=["attachment", "-id"], name="custody_newest_first")]

    def __str__(self) -> str:
        return f"{self.attachment}: {self.get_kind_display()} by {self.name}"
