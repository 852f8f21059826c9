"""The outbox: one row a notice and recipient, and one row an attempt; texts, chains and the state of channels."""

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
        HELD = "held", "Held"
        DROPPED = "dropped", "Not needed any more"

    class Importance(models.TextChoices):
        DEFAULT = "default", "Default"
        IMPORTANT = "important", "Important"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    incident = models.ForeignKey(
        "runbooks.Incident",
        on_delete=models.PROTECT,
        null=True,
        related_name="notifications",
        help_text="Empty where it is about the portal itself.",
    )
    event = models.CharField(max_length=60, help_text="noun.verb_past; names the template it was written from.")
    sequence = models.BigIntegerField(null=True, help_text="The incident's newest entry then, which it tells of.")
    about = models.CharField(max_length=80, blank=True, help_text="What makes it useless when done: step:<id>.")
    importance = models.CharField(max_length=10, choices=Importance.choices, default=Importance.DEFAULT)
    ignores_quiet_hours = models.BooleanField(default=False)
    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="notifications")
    escalation = models.ForeignKey(
        "runbooks.Escalation", on_delete=models.PROTECT, null=True, related_name="notifications"
    )
    language = models.CharField(max_length=5, default="en-gb")
    subject = models.CharField(max_length=300)
    body = models.TextField()
    brief = models.CharField(max_length=300, help_text="What leaves where the sharing label forbids more.")
    idempotency_key = models.CharField(max_length=64, unique=True)
    bundle = models.CharField(max_length=80, blank=True, help_text="Notices of one bundle leave in one message.")
    carried_by = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="carried")
    route = models.JSONField(
        default=list,
        help_text='Where it goes, in this order: [{"point": id or null, "channel": name, "wait": seconds}].',
    )
    position = models.SmallIntegerField(default=0, help_text="Which place of the route is tried now.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    reason_code = models.CharField(max_length=24, blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it was not sent or failed last.")
    attempts_made = models.IntegerField(default=0, help_text="At this place of the route.")
    next_attempt_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True, blank=True)
    sending_since = models.DateTimeField(
        null=True, blank=True, help_text="Set as it is about to leave: a worker that died then may have sent it."
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="After this it tells nobody anything of use.")
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True, help_text="When a channel first took it.")
    acknowledged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(status="delivered") | Q(delivered_at__isnull=False), name="notification_delivered_when"
            )
        ]
        indexes = [
            models.Index(
                fields=["-importance", "next_attempt_at", "id"],
                condition=Q(status="waiting", carried_by__isnull=True),
                name="notification_due",
            ),
            models.Index(fields=["incident", "-created_at", "-id"], name="notification_newest_first"),
            models.Index(fields=["-created_at", "-id"], name="notification_by_time"),
            models.Index(fields=["incident", "sequence"], name="notification_of_entry"),
            models.Index(
                fields=["incident"], condition=Q(status__in=["failed", "held"]), name="notification_undelivered"
            ),
            models.Index(
                fields=["about"], condition=Q(status="waiting") & ~Q(about=""), name="notification_waiting_about"
            ),
            models.Index(fields=["recipient", "-created_at", "-id"], name="notification_of_recipient"),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.recipient}"


class NotificationAttempt(models.Model):
    """One try to deliver, and how it ended."""

    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField()
    channel = models.CharField(max_length=20)
    point = models.ForeignKey("runbooks.ContactPoint", on_delete=models.PROTECT, null=True, related_name="+")
    address = models.CharField(max_length=320, blank=True, help_text="As pages show it.")
    is_delivered = models.BooleanField(help_text="Whether the channel took it.")
    provider_id = models.CharField(max_length=200, blank=True)
    reason_code = models.CharField(max_length=24, blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text="A sentence for people.")
    outcome = models.CharField(max_length=40, blank=True, help_text="What the provider told later: delivered, bounced.")
    outcome_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["channel", "provider_id"], condition=~Q(provider_id=""), name="attempt_by_provider_id")
        ]

    def __str__(self) -> str:
        return f"{self.at}: {'delivered' if self.is_delivered else self.reason}"


class ChannelState(models.Model):
    """How a channel fares, for the circuit breaker and for people."""

    channel = models.CharField(max_length=20, primary_key=True)
    failures = models.IntegerField(default=0, help_text="In a row, by faults of the channel and not of an address.")
    opened_until = models.DateTimeField(null=True, blank=True, help_text="Nothing is sent before.")
    reason_code = models.CharField(max_length=24, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    worked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.channel


class NoticeText(models.Model):
    """A text of an event as an administrator changed it: a row a version. The newest counts; empty: as shipped."""

    event = models.CharField(max_length=60)
    language = models.CharField(max_length=5, choices=settings.LANGUAGES)
    version = models.IntegerField()
    subject = models.CharField(max_length=300, blank=True)
    body = models.TextField(blank=True)
    note = models.CharField(max_length=300, blank=True, help_text="Why it was changed.")
    edited_by = models.CharField(max_length=160)
    edited_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["event", "language", "version"], name="notice_text_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.language} {self.version}"


class EscalationPolicy(models.Model):
    """Who is called next while nobody answers, for one event: a row a version, the newest counts."""

    event = models.CharField(max_length=60)
    version = models.IntegerField()
    is_active = models.BooleanField(default=True)
    severity_at_most = models.SmallIntegerField(default=4, help_text="Least severe that starts it: 1 to 4.")
    steps = models.JSONField(help_text='[{"to": "lead" | "role:<role>" | "rota:<id>" | "user:<id>", "wait": minutes}].')
    repeats = models.SmallIntegerField(default=1, help_text="How often the whole chain is gone through again.")
    note = models.CharField(max_length=300, blank=True, help_text="Why it was changed.")
    edited_by = models.CharField(max_length=160)
    edited_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "escalation policies"
        constraints = [
            models.UniqueConstraint(fields=["event", "version"], name="escalation_policy_version_once"),
            models.CheckConstraint(condition=Q(repeats__range=(0, 5)), name="escalation_policy_repeats_known"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.version}"


class Escalation(models.Model):
    """A chain that was started: who is called, wait, next, until somebody answers."""

    class Status(models.TextChoices):
        RUNNING = "running", "Running"
        ANSWERED = "answered", "Answered"
        WITHDRAWN = "withdrawn", "Not needed any more"
        EXHAUSTED = "exhausted", "Nobody answered"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="escalations")
    event = models.CharField(max_length=60)
    about = models.CharField(max_length=80)
    sequence = models.BigIntegerField(help_text="Of the entry it began with.")
    texts = models.JSONField(help_text='As rendered when it happened: {language: {"subject", "body", "brief"}}.')
    steps = models.JSONField(help_text="Of the policy as it was then.")
    repeats = models.SmallIntegerField()
    started_at = models.DateTimeField()
    position = models.SmallIntegerField(default=0, help_text="The step taken next.")
    round = models.SmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True, blank=True)
    moved_at = models.DateTimeField(help_text="When it last did something: what the watchdog looks at.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.RUNNING)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_because = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "event", "about"], condition=Q(status="running"), name="escalation_runs_once"
            ),
            models.CheckConstraint(
                condition=Q(status="running", next_at__isnull=False, ended_at__isnull=True)
                | ~Q(status="running") & Q(next_at__isnull=True, ended_at__isnull=False),
                name="escalation_next_while_running",
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(status="running"), name="escalation_due"),
            models.Index(fields=["incident", "-started_at", "-id"], name="escalation_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.event} in {self.incident}"


class Pulse(models.Model):
    """When a sweep last came to its end, and what it found: what the watchdog and its page look at."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()
    said = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return self.name
