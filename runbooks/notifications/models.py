"""The outbox: one row a message, recipient and channel, and one row an attempt."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q


class Notification(models.Model):
    """A notice, written in the transaction of the change it tells of, delivered at least once afterwards."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Failed"
        REFUSED = "refused", "Not sent"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="notifications")
    event = models.CharField(max_length=60, help_text="noun.verb_past; names the template it was written from.")
    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="notifications")
    channel = models.CharField(max_length=20)
    address = models.CharField(max_length=320, blank=True)
    subject = models.CharField(max_length=300)
    body = models.TextField()
    idempotency_key = models.CharField(max_length=64, unique=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it was not sent or failed last.")
    attempts_made = models.IntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status="delivered", delivered_at__isnull=False)
                | ~Q(status="delivered") & Q(delivered_at__isnull=True),
                name="notification_delivered_when",
            )
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(status="waiting"), name="notification_due"),
            models.Index(fields=["incident", "-created_at", "-id"], name="notification_newest_first"),
            models.Index(fields=["incident"], condition=Q(status="failed"), name="notification_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.recipient}"


class NotificationAttempt(models.Model):
    """One try to deliver, and how it ended."""

    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField()
    is_delivered = models.BooleanField()
    reason = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"{self.at}: {'delivered' if self.is_delivered else self.reason}"
