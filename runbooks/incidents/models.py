"""An incident, and who holds which role in it."""

import uuid
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

# What notices of the declaration are about: whoever answers it, or takes the first step, ends their chain.
DECLARATION = "incident"


class Incident(models.Model):
    """Adverse events that were declared an incident. Its row is the lock for everything that happens in it."""

    class Status(models.TextChoices):
        TRIAGE = "triage", "Triage"
        OPEN = "open", "Open"
        CONTAINED = "contained", "Contained"
        ERADICATED = "eradicated", "Eradicated"
        RECOVERED = "recovered", "Recovered"
        CLOSED = "closed", "Closed"
        DISMISSED = "dismissed", "Dismissed"

    class Severity(models.IntegerChoices):
        CRITICAL = 1, "Critical"
        HIGH = 2, "High"
        MODERATE = 3, "Moderate"
        LOW = 4, "Low"

    class Tlp(models.TextChoices):
        RED = "RED", "TLP:RED"
        AMBER_STRICT = "AMBER+STRICT", "TLP:AMBER+STRICT"
        AMBER = "AMBER", "TLP:AMBER"
        GREEN = "GREEN", "TLP:GREEN"
        CLEAR = "CLEAR", "TLP:CLEAR"

    OVER = (Status.CLOSED, Status.DISMISSED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(max_length=20, unique=True, help_text="IR-2026-0001; gapless within a year.")
    year = models.IntegerField()
    number = models.IntegerField()
    title = models.CharField(max_length=200)
    codename = models.CharField(max_length=60, blank=True)
    severity = models.SmallIntegerField(choices=Severity.choices)
    tlp = models.CharField("sharing", max_length=12, choices=Tlp.choices, default=Tlp.AMBER)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.OPEN)
    is_exercise = models.BooleanField(default=False)
    detected_at = models.DateTimeField(help_text="When it was first noticed.")
    detected_by = models.CharField(max_length=200, blank=True, help_text="What or who noticed it.")
    declared_at = models.DateTimeField()
    contained_at = models.DateTimeField(null=True, blank=True)
    eradicated_at = models.DateTimeField(null=True, blank=True)
    recovered_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    time_zone = models.CharField(max_length=60, default="Europe/London")
    untrusted_domains = ArrayField(
        models.CharField(max_length=253),
        default=list,
        blank=True,
        help_text="Mail, chat and other services here may be read by the attacker: no notice goes there.",
    )
    lead = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="Empty only after a declaration from the command line: the page then asks for one first of all.",
    )
    runbook_slug = models.CharField(max_length=80)
    runbook_title = models.CharField(max_length=200)
    runbook_version = models.CharField(max_length=20)
    runbook_digest = models.CharField(max_length=64)
    version = models.IntegerField(
        default=1, help_text="Rises with each edit; a form made from an older one is refused."
    )
    head_sequence = models.BigIntegerField(default=0, help_text="Sequence of the newest timeline entry.")
    head_hash = models.CharField(max_length=64, default="0" * 64)
    # No column: what `incident_for` counted of the notices that reached nobody, so that no page asks for it once more.
    undelivered_notices: int | None = None
    # What the last walk over the chain found, here so that every page of the room can say it without a query.
    chain_checked_at = models.DateTimeField(null=True, blank=True)
    chain_checked_sequence = models.BigIntegerField(default=0, help_text="Sound up to this entry.")
    chain_broken_at = models.BigIntegerField(null=True, blank=True, help_text="Sequence of the first wrong entry.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["year", "number"], name="incident_number_once"),
            models.CheckConstraint(condition=Q(severity__range=(1, 4)), name="incident_severity_known"),
            models.CheckConstraint(condition=Q(head_sequence__gte=0), name="incident_head_from_zero"),
        ]
        indexes = [models.Index(fields=["-declared_at", "-id"], name="incident_newest_first")]

    def __str__(self) -> str:
        return self.reference

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def is_over(self) -> bool:
        return self.status in self.OVER


class ReferenceCounter(models.Model):
    """The last number given in a year. Its row lock makes references gapless: a rolled-back number is given again."""

    year = models.IntegerField(primary_key=True)
    last_number = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.year}: {self.last_number}"


class IncidentRole(models.Model):
    """Who holds a role in an incident, from when until when. A hand-over ends one row and begins another."""

    class Kind(models.TextChoices):
        LEAD = "lead", "Lead"
        DEPUTY = "deputy", "Deputy lead"
        SCRIBE = "scribe", "Scribe"
        IDENTITY = "identity", "Identity operations"
        FORENSICS = "forensics", "Forensics"
        NETWORK = "network", "Network"
        MAIL = "mail", "Mail operations"
        DESK = "desk", "Service desk"
        CONTACT = "contact", "Contact team"
        DPO = "dpo", "Data protection officer"
        LEGAL = "legal", "Legal"
        COMMUNICATIONS = "communications", "Communications"
        INTELLIGENCE = "intelligence", "Threat intelligence"
        HOLDER = "holder", "Account holder"
        EXECUTIVE = "executive", "Executive"

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="roles")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="incident_roles")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=400, blank=True, help_text="What was handed over.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["incident"], condition=Q(kind="lead", until__isnull=True), name="incident_has_one_lead"
            ),
            models.UniqueConstraint(
                fields=["incident", "kind", "user"], condition=Q(until__isnull=True), name="incident_role_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.get_kind_display()}"
