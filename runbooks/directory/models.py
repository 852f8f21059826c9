"""The institution's people and accounts, as its own directory last said."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower


class Account(models.Model):
    """One account of the institution. A portal user is something else (`access.User`)."""

    class Kind(models.TextChoices):
        PERSON = "person", "Person"
        SHARED = "shared", "Shared mailbox"
        SERVICE = "service", "Service account"
        GUEST = "guest", "Guest"

    login = models.CharField(max_length=320, help_text="The name the holder signs in with, such as a UPN.")
    display_name = models.CharField(max_length=320, blank=True)
    given_name = models.CharField(max_length=160, blank=True)
    family_name = models.CharField(max_length=160, blank=True)
    mail = models.CharField(max_length=320, blank=True)
    alternate_mail = models.CharField(max_length=320, blank=True)
    mobile = models.CharField(max_length=64, blank=True)
    telephone = models.CharField(max_length=64, blank=True)
    office = models.CharField(max_length=160, blank=True)
    department = models.CharField(max_length=160, blank=True)
    title = models.CharField(max_length=160, blank=True)
    language = models.CharField(
        max_length=5,
        blank=True,
        help_text="en-gb or cy: what letters and messages are written in; empty where unknown.",
    )
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.PERSON)
    is_enabled = models.BooleanField(default=True)
    is_privileged = models.BooleanField(default=False)
    external_id = models.CharField(
        max_length=160, blank=True, help_text="The directory's own identifier, such as objectId."
    )
    match_keys = ArrayField(
        models.CharField(max_length=400), default=list, help_text="Normalised names by which a line of a list finds it."
    )
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(help_text="When an import last held this account.")
    gone_at = models.DateTimeField(null=True, blank=True, help_text="When an import first no longer held it.")
    contact_changed_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When a number or address changed last: a fresh one is not trusted without a look.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("login"), name="account_login_once"),
            models.CheckConstraint(condition=~Q(login=""), name="account_has_login"),
        ]
        indexes = [
            GinIndex(fields=["match_keys"], name="account_match_keys"),
            models.Index(fields=["display_name", "id"], name="account_by_name"),
        ]

    def __str__(self) -> str:
        return self.login


class Protection(models.Model):
    """An account that no action on many accounts touches unless somebody takes it in by name. Kept ahead of need."""

    class Kind(models.TextChoices):
        BREAK_GLASS = "break_glass", "Break-glass account"
        SERVICE = "service", "Service account"
        RESPONDER = "responder", "Incident team"
        DUTY = "duty", "On duty"

    account = models.OneToOneField(Account, on_delete=models.PROTECT, related_name="protection")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    reason = models.CharField(max_length=400)
    added_by = models.CharField(max_length=160)
    added_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(reason=""), name="protection_has_reason")]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.get_kind_display()}"


class HeaderMapping(models.Model):
    """Which column of a file fills which field, remembered for the next file with the same header."""

    header_digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the header row, normalised.")
    columns = models.JSONField(help_text="{column name: Account field}")
    used_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"mapping of {len(self.columns)} columns"


class DirectoryImport(models.Model):
    """A file that was read, and what it changed."""

    class Status(models.TextChoices):
        STAGED = "staged", "Waiting to be applied"
        APPLIED = "applied", "Applied"
        DISCARDED = "discarded", "Discarded"

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.STAGED)
    file = models.FileField(upload_to="directory/", blank=True)
    file_name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField(help_text="Bytes.")
    file_format = models.CharField(max_length=10, help_text="csv or ldif")
    columns = models.JSONField(default=dict, help_text="{column name: Account field}")
    counts = models.JSONField(default=dict, help_text="{new, changed, gone, unchanged, rejected, passed_over: rows}")
    uploaded_by = models.CharField(max_length=160)
    uploaded_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.file_name
