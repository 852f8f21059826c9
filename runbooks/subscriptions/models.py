"""Who outside is told of entries, by signed calls, and what each call was answered."""

import uuid

from django.db import models
from django.db.models import Q


class Subscription(models.Model):
    """An address that is called for each entry of the kinds it asked for. Ended, never deleted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=80)
    url = models.CharField(max_length=500)
    secret = models.TextField(help_text="What calls are signed with, as the vault keeps it.")
    kinds = models.JSONField(default=list, help_text="Kinds of entries, or their first words; empty: all.")
    incident = models.ForeignKey(
        "runbooks.Incident",
        on_delete=models.PROTECT,
        null=True,
        related_name="subscriptions",
        help_text="Empty: every incident.",
    )
    made_by = models.CharField(max_length=160)
    made_at = models.DateTimeField()
    previous_secret = models.TextField(blank=True, help_text="Signs as well until then, as the vault keeps it.")
    previous_secret_until = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True, help_text="By a person; disabled is by the portal.")
    paused_by = models.CharField(max_length=160, blank=True)
    called_at = models.DateTimeField(null=True, blank=True, help_text="The last call, however it ended.")
    last_answer = models.CharField(
        max_length=300, blank=True, help_text="Of the last call: 204 in 35 ms, or why it failed."
    )
    failing_since = models.DateTimeField(null=True, blank=True, help_text="The first failure since the last success.")
    failures = models.IntegerField(default=0, help_text="Deliveries given up in a row.")
    worked_at = models.DateTimeField(null=True, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_because = models.CharField(max_length=300, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=160, blank=True)

    def __str__(self) -> str:
        return self.name


class SubscriptionPlace(models.Model):
    """Up to which entry of an incident a subscription has its deliveries."""

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="places")
    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="+")
    sequence = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subscription", "incident"], name="subscription_place_once"),
        ]

    def __str__(self) -> str:
        return f"{self.subscription}: {self.sequence}"


class SubscriptionDelivery(models.Model):
    """One call to make: what it says, rendered once, and how it stands."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="deliveries")
    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, null=True, related_name="+")
    sequence = models.BigIntegerField(null=True, help_text="Of the entry; empty for a test.")
    kind = models.CharField(max_length=60)
    body = models.TextField(help_text="JSON, as it is sent.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    attempts_made = models.IntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "subscription deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "incident", "sequence"],
                condition=Q(sequence__isnull=False),
                name="subscription_delivery_once",
            ),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(status="waiting"), name="delivery_due"),
            models.Index(fields=["subscription", "-created_at", "-id"], name="delivery_newest_first"),
            models.Index(
                fields=["subscription", "incident", "sequence"],
                condition=Q(status="waiting"),
                name="delivery_waiting_in_order",
            ),
            models.Index(fields=["subscription"], condition=Q(status="failed"), name="delivery_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.subscription}"


class SubscriptionAttempt(models.Model):
    """One call, and the answer."""

    delivery = models.ForeignKey(SubscriptionDelivery, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField()
    milliseconds = models.IntegerField()
    status_code = models.IntegerField(null=True, help_text="Of the answer; empty where none came.")
    answer = models.CharField(max_length=2000, blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it failed; empty where it did not.")

    def __str__(self) -> str:
        return f"{self.at}: {self.status_code or self.reason}"
