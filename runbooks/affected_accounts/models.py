"""One row per affected account: state, dated facts, contact, and where the row came from."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q


class Tier(models.TextChoices):
    A = "A", "A: got in"
    B = "B", "B: password known, stopped"
    C = "C", "C: only targeted"
    D = "D", "D: unclear"


class State(models.TextChoices):
    """The lifecycle. What may follow what, and on which facts, stands in `transitions.py`."""

    NOT_ASSESSED = "not_assessed", "Not assessed"
    TARGETED = "targeted", "Targeted only"
    SUSPECTED = "suspected", "Suspected"
    COMPROMISED = "compromised", "Confirmed"
    CONTAINED = "contained", "Contained"
    HOLDER_REACHED = "holder_reached", "Holder reached"
    HOLDER_CONFIRMED = "holder_confirmed", "Reset confirmed"
    CLEARED = "cleared", "Cleared for restoration"
    RESTORED_RESTRICTED = "restored_restricted", "Restored, restricted"
    RESTORED = "restored", "Restored"
    WATCHED = "watched", "Watched"
    CLOSED = "closed", "Closed"
    FALSE_POSITIVE = "false_positive", "Not affected"
    UNREACHABLE = "unreachable", "Holder unreachable"
    ESCALATED = "escalated", "Escalated"
    LEFT = "left_organisation", "Left the organisation"


class FactKind(models.TextChoices):
    """What can be true of an affected account at a moment, by a source. Never a bare tick."""

    SIGN_IN_DISABLED = "sign_in_disabled", "Sign-in disabled"
    SESSIONS_REVOKED = "sessions_revoked", "Sessions revoked"
    PASSWORD_CHANGED = "password_changed", "Password changed"
    RULES_CHECKED = "rules_checked", "Mailbox rules checked"
    HOLDER_REACHED = "holder_reached", "Holder reached"
    HOLDER_CONFIRMED = "holder_confirmed", "Holder confirmed"
    DATA_LOSS_ASSESSED = "data_loss_assessed", "Data loss assessed"
    MFA_BOUND = "mfa_bound", "Two-step sign-in set up"


class AffectedAccount(models.Model):
    """An account in the scope of an incident."""

    incident = models.ForeignKey(
        "runbooks.Incident", on_delete=models.PROTECT, related_name="affected_accounts", db_index=False
    )
    account = models.ForeignKey("runbooks.Account", on_delete=models.PROTECT, related_name="affected_in")
    # As the directory had them when the account was added: the list stays readable whatever the directory does later.
    login = models.CharField(max_length=320)
    display_name = models.CharField(max_length=320, blank=True)
    department = models.CharField(max_length=160, blank=True)
    is_privileged = models.BooleanField(default=False)
    tier = models.CharField(max_length=1, choices=Tier.choices, blank=True)
    state = models.CharField(max_length=20, choices=State.choices, default=State.NOT_ASSESSED)
    rank = models.SmallIntegerField(default=0, help_text="Order of the states on the page: work left sorts first.")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    added_at = models.DateTimeField(help_text="Entry on the list; targets of account steps count from here.")
    compromised_at = models.DateTimeField(null=True, blank=True, help_text="First confirmed as compromised.")
    contained_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField()
    version = models.IntegerField(default=1)

    # The newest of each fact that holds; their history with sources is in AccountFact.
    sign_in_disabled_at = models.DateTimeField(null=True, blank=True)
    sessions_revoked_at = models.DateTimeField(null=True, blank=True)
    password_changed_at = models.DateTimeField(null=True, blank=True)
    rules_checked_at = models.DateTimeField(null=True, blank=True)
    holder_reached_at = models.DateTimeField(null=True, blank=True)
    holder_confirmed_at = models.DateTimeField(null=True, blank=True)
    data_loss_assessed_at = models.DateTimeField(null=True, blank=True)
    mfa_bound_at = models.DateTimeField(null=True, blank=True)

    differs = ArrayField(
        models.CharField(max_length=20),
        default=list,
        blank=True,
        help_text="FactKinds that a read-back found to hold no longer, until they hold again or a person settles it.",
    )

    # The newest contact attempt, for the table.
    last_contact_at = models.DateTimeField(null=True, blank=True)
    last_contact_channel = models.CharField(max_length=12, blank=True)
    last_contact_outcome = models.CharField(max_length=16, blank=True)
    contact_attempts = models.IntegerField(default=0)
    # When the holder is best called, by the clock of the incident's zone; both or neither.
    call_from = models.TimeField(null=True, blank=True)
    call_until = models.TimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["incident", "account"], name="affected_account_once"),
            models.CheckConstraint(
                condition=~Q(state="compromised") | Q(tier__in=["A", "B"]), name="affected_compromised_has_tier"
            ),
            models.CheckConstraint(condition=Q(state__in=State.values), name="affected_state_known"),
            models.CheckConstraint(condition=Q(tier__in=["", *Tier.values]), name="affected_tier_known"),
            models.CheckConstraint(
                condition=Q(call_from__isnull=True, call_until__isnull=True)
                | Q(call_from__isnull=False, call_until__isnull=False) & ~Q(call_from=F("call_until")),
                name="affected_call_hours_whole",
            ),
        ]
        indexes = [
            models.Index(fields=["incident", "rank", "id"], name="affected_by_rank"),
            models.Index(fields=["incident", "login", "id"], name="affected_by_login"),
            models.Index(F("incident"), F("changed_at").desc(), F("id").desc(), name="affected_by_change"),
            models.Index(fields=["incident", "state"], name="affected_by_state"),
            models.Index(fields=["incident", "owner", "rank", "id"], name="affected_by_owner"),
            models.Index(fields=["incident"], condition=~Q(differs=[]), name="affected_that_differ"),
        ]

    def __str__(self) -> str:
        return self.login


class AccountFact(models.Model):
    """Something that was found true, or no longer true, at a moment, by a source. Rows are only added."""

    affected_account = models.ForeignKey(AffectedAccount, on_delete=models.PROTECT, related_name="facts")
    kind = models.CharField(max_length=20, choices=FactKind.choices)
    holds = models.BooleanField(default=True)
    at = models.DateTimeField(help_text="When it was true in the world.")
    source = models.CharField(
        max_length=200, help_text="Who or what says so: a connector's read-back, a person, a document."
    )
    note = models.CharField(max_length=400, blank=True)
    recorded_by = models.CharField(max_length=160)
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["affected_account", "kind", "-at"], name="fact_newest_first")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {'yes' if self.holds else 'no'}"


class StateChange(models.Model):
    """Each change of state, for the burn-up and the account's own story. Rows are only added."""

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="+", db_index=False)
    affected_account = models.ForeignKey(AffectedAccount, on_delete=models.PROTECT, related_name="state_changes")
    before = models.CharField(max_length=20, blank=True)
    after = models.CharField(max_length=20, choices=State.choices)
    reason = models.CharField(max_length=400, blank=True)
    changed_by = models.CharField(max_length=160)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["incident", "at"], name="state_change_by_time")]

    def __str__(self) -> str:
        return f"{self.before or 'new'} to {self.after}"


class ContactAttempt(models.Model):
    """One try to reach a holder. Never over the affected mailbox."""

    class Channel(models.TextChoices):
        PHONE = "phone", "Phone"
        TEXT = "text", "Text message"
        LETTER = "letter", "Letter"
        IN_PERSON = "in_person", "In person"
        COLLEAGUE = "colleague", "Through a colleague"
        ALTERNATE_MAIL = "alternate", "Mail outside the institution"

    class Outcome(models.TextChoices):
        REACHED = "reached", "Reached"
        NO_ANSWER = "no_answer", "No answer"
        LEFT_MESSAGE = "left_message", "Message left"
        SENT = "sent", "Sent"
        WRONG_NUMBER = "wrong_number", "Wrong number"
        NOT_VERIFIED = "not_verified", "Identity not verified"

    affected_account = models.ForeignKey(AffectedAccount, on_delete=models.PROTECT, related_name="contacts")
    channel = models.CharField(max_length=12, choices=Channel.choices)
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    address = models.CharField("number or address used", max_length=200, blank=True)
    address_source = models.CharField(
        max_length=120, blank=True, help_text="Where the number came from, such as the HR file."
    )
    identity_check = models.CharField(max_length=200, blank=True, help_text="How the holder was recognised.")
    note = models.CharField(max_length=1000, blank=True)
    at = models.DateTimeField()
    made_by = models.CharField(max_length=160)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            # The affected mailbox is no channel.
            models.CheckConstraint(
                condition=Q(channel__in=["phone", "text", "letter", "in_person", "colleague", "alternate"]),
                name="contact_channel_known",
            ),
            models.CheckConstraint(
                condition=~Q(outcome="reached") | ~Q(identity_check=""), name="contact_reached_was_recognised"
            ),
        ]
        indexes = [models.Index(fields=["affected_account", "-at"], name="contact_newest_first")]

    def __str__(self) -> str:
        return f"{self.get_channel_display()}: {self.get_outcome_display()}"


class AffectedImport(models.Model):
    """A list of the analysts that was loaded, kept with its SHA-256."""

    class Status(models.TextChoices):
        STAGED = "staged", "Waiting to be applied"
        APPLIED = "applied", "Applied"

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="affected_imports")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.STAGED)
    file = models.FileField(upload_to="affected/", blank=True)
    file_name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    counts = models.JSONField(default=dict, help_text="{matched, already, ambiguous, unmatched, repeats: lines}")
    uploaded_by = models.CharField(max_length=160)
    uploaded_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["incident", "sha256"], name="affected_import_once")]

    def __str__(self) -> str:
        return self.file_name


class UnresolvedLine(models.Model):
    """A line of a list that names nobody, or could name several. Kept until a person settles it."""

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="unresolved_lines")
    source = models.ForeignKey(AffectedImport, on_delete=models.PROTECT, related_name="unresolved_lines")
    line_number = models.IntegerField()
    text = models.CharField(max_length=500)
    candidates = models.JSONField(default=list, help_text="[Account id]; empty when nothing matched")
    settled_as = models.ForeignKey(AffectedAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    settled_reason = models.CharField(max_length=400, blank=True, help_text="Why it is nobody, where it is nobody.")
    settled_by = models.CharField(max_length=160, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "text"], name="unresolved_line_once")]

    def __str__(self) -> str:
        return self.text
