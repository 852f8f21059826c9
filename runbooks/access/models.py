"""Who signs in to the portal, and which incidents they are in."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy


class Role(models.TextChoices):
    ADMINISTRATOR = "administrator", "Administrator"
    COORDINATOR = "coordinator", "Coordinator"
    RESPONDER = "responder", "Responder"
    DESK = "desk", "Service desk"
    COMMUNICATIONS = "communications", "Communications"
    AUDITOR = "auditor", "Auditor"


class User(AbstractUser):
    """Somebody who signs in to the portal; never an account holder, who stays `directory.Account`."""

    first_name = None  # type: ignore[assignment]  # one name, as the person gives it
    last_name = None  # type: ignore[assignment]
    name = models.CharField(
        "name", max_length=120, help_text="As colleagues know this person, or a duty: Duty coordinator."
    )
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.RESPONDER)
    email = models.EmailField(
        "contact address",
        blank=True,
        help_text="Outside the institution's own mail, which may be what was broken into.",
    )
    telephone = models.CharField(max_length=40, blank=True)

    REQUIRED_FIELDS = ["name"]

    class Meta:
        verbose_name = gettext_lazy("user")
        ordering = ["name"]
        constraints = [models.CheckConstraint(condition=Q(role__in=Role.values), name="user_role_known")]

    def __str__(self) -> str:
        return self.name or self.username

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name


class Membership(models.Model):
    """Who sees an incident. Everybody else gets 404. Ended, never deleted."""

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    added_by = models.CharField(max_length=160)
    added_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "incident"], condition=Q(ended_at__isnull=True), name="membership_current_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.incident}"


class AccessRecord(models.Model):
    """Who read what, and from where. Rows are only added; auditors read them."""

    class Kind(models.TextChoices):
        PAGE = "page", "Page"
        ACCOUNT = "account", "Account"
        FILE = "file", "File"
        EXPORT = "export", "Export"

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(max_length=160, help_text="As the person was called then.")
    role = models.CharField(max_length=20)
    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, null=True, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    subject = models.CharField(max_length=400, help_text="What was read: an account's login, a file, the page's path.")
    network = models.GenericIPAddressField(null=True, blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["incident", "-id"], name="access_record_by_incident"),
            models.Index(fields=["user", "-id"], name="access_record_by_user"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.subject}"
