"""How the portal's people are reached, when they want to be left alone, and who is on call."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class ContactPoint(models.Model):
    """One place a person is reached at, by one channel. It counts once its code was typed in. Ended, never deleted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="contact_points")
    channel = models.CharField(max_length=20, help_text="A name of CHANNELS.")
    address = models.CharField(max_length=500, help_text="As the channel cleans it. Pages show a masked form.")
    secret = models.TextField(blank=True, help_text="What calls are signed with, as the vault keeps it.")
    added_at = models.DateTimeField()
    verified_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    failed_because = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "channel", "address"], condition=Q(ended_at__isnull=True), name="contact_point_once"
            )
        ]
        indexes = [models.Index(fields=["channel", "address"], name="contact_point_by_address")]

    def __str__(self) -> str:
        return f"{self.channel} of {self.user}"


class ContactCode(models.Model):
    """A code on its way to a contact point: typed in, it proves that its person reads there. The newest counts."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Not sent"

    point = models.ForeignKey(ContactPoint, on_delete=models.PROTECT, related_name="codes")
    asked_at = models.DateTimeField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.WAITING)
    code_hash = models.CharField(max_length=64, blank=True, help_text="Empty until a worker made the code.")
    expires_at = models.DateTimeField(null=True, blank=True)
    tries = models.SmallIntegerField(default=0)
    leased_until = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it was not sent.")

    class Meta:
        indexes = [
            models.Index(fields=["point", "-asked_at"], name="contact_code_newest"),
            models.Index(fields=["asked_at"], condition=Q(status="waiting"), name="contact_code_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.status} code for {self.point}"


class ContactRule(models.Model):
    """One line of a person's rule: after this wait, this contact point, unless an answer came."""

    class Importance(models.TextChoices):
        DEFAULT = "default", "Default"
        IMPORTANT = "important", "Important"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="contact_rules")
    importance = models.CharField(max_length=10, choices=Importance.choices)
    position = models.SmallIntegerField()
    point = models.ForeignKey(ContactPoint, on_delete=models.PROTECT, related_name="+")
    wait_minutes = models.SmallIntegerField(default=0, help_text="After the line before; the first waits for nothing.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "importance", "position"], name="contact_rule_position_once"),
            models.CheckConstraint(condition=Q(wait_minutes__range=(0, 1440)), name="contact_rule_wait_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.importance} {self.position}"


class ContactPreferences(models.Model):
    """Quiet hours, language and digest of one person. Without a row: none, English, none."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, primary_key=True, related_name="contact_preferences"
    )
    language = models.CharField(max_length=5, choices=settings.LANGUAGES, default="en-gb")
    time_zone = models.CharField(max_length=60, default="Europe/London")
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    digest_at = models.TimeField(null=True, blank=True, help_text="When the daily digest is sent; empty: never.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False) & ~Q(quiet_from=F("quiet_until")),
                name="contact_preferences_quiet_both",
            )
        ]

    def __str__(self) -> str:
        return f"preferences of {self.user}"


class Rota(models.Model):
    """Who is on call for a duty, shift by shift."""

    name = models.CharField(max_length=80, unique=True)
    time_zone = models.CharField(max_length=60, default="Europe/London")
    made_by = models.CharField(max_length=160)
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class RotaShift(models.Model):
    """One person's time on call. Where two overlap the one added later counts: it stands in for the other."""

    rota = models.ForeignKey(Rota, on_delete=models.PROTECT, related_name="shifts")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    added_by = models.CharField(max_length=160)
    added_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it was taken back.")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="rota_shift_has_length"),
        ]
        indexes = [models.Index(fields=["rota", "ends_at"], name="rota_shift_by_end")]

    def __str__(self) -> str:
        return f"{self.user} on {self.rota}"
