"""Actions on many accounts: what was asked and decided, and one ledger row an account."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import RawSQL


class Action(models.Model):
    """One thing to do to many accounts through one connection, from its draft to its undoing."""

    class Kind(models.TextChoices):
        """The verbs of `connectors.base.Action`, as buttons say them."""

        LOCK_ACCOUNT = "lock_account", "Disable sign-in"
        UNLOCK_ACCOUNT = "unlock_account", "Enable sign-in"
        END_SESSIONS = "end_sessions", "End sessions"
        REQUIRE_PASSWORD_CHANGE = "require_password_change", "Require a password change"
        RESTRICT_REMOTE_ACCESS = "restrict_remote_access", "Restrict remote access"
        RESTORE_REMOTE_ACCESS = "restore_remote_access", "Restore remote access"
        READ_STATE = "read_state", "Read back"

    class Scope(models.TextChoices):
        SELECTION = "selection", "Chosen accounts"
        EVERYONE = "everyone", "Everyone"

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        AWAITING_APPROVAL = "awaiting_approval", "Waiting for a second person"
        APPROVED = "approved", "Approved"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        DONE = "done", "Done"
        DONE_WITH_FAILURES = "done_with_failures", "Done with failures"
        CANCELLED = "cancelled", "Cancelled"
        ROLLED_BACK = "rolled_back", "Rolled back"

    BEGUN = (Status.APPROVED, Status.RUNNING, Status.PAUSED, Status.DONE, Status.DONE_WITH_FAILURES, Status.ROLLED_BACK)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="actions", db_index=False)
    number = models.IntegerField(help_text="1, 2, 3 ... within the incident.")
    kind = models.CharField(max_length=30, choices=Kind.choices)
    connection = models.CharField(max_length=60, help_text="Name in settings.CONNECTIONS.")
    scope = models.CharField(max_length=10, choices=Scope.choices, default=Scope.SELECTION)
    step = models.ForeignKey("runbooks.Step", on_delete=models.PROTECT, null=True, blank=True, related_name="actions")
    undoes = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="undone_by",
        help_text="The action whose before-values this one puts back.",
    )
    stage = models.ForeignKey(
        "runbooks.RestorationStage", on_delete=models.PROTECT, null=True, blank=True, related_name="actions"
    )
    reason = models.TextField()
    expected_harm = models.TextField(blank=True, help_text="Decision record of a lock-down.")
    review_at = models.DateTimeField(null=True, blank=True, help_text="When the lock-down is looked at again.")
    batch_size = models.IntegerField()
    stop_after_failures = models.IntegerField(help_text="Failures in one batch above which it pauses and asks.")
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.DRAFT)
    version = models.IntegerField(default=1)
    needs_approval = models.BooleanField()
    drafted_by = models.CharField(max_length=160)
    drafted_at = models.DateTimeField()
    authors = ArrayField(
        models.BigIntegerField(),
        default=list,
        help_text="Users who drafted, changed or asked for it: none may approve.",
    )
    # The preview, read from the identity system by a worker.
    previewed_at = models.DateTimeField(null=True, blank=True)
    preview_problem = models.CharField(max_length=400, blank=True)
    # The request. `digest` is over the parameters and the list of accounts as they were asked for.
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    requested_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    is_break_glass = models.BooleanField(default=False, help_text="Begun by one person, to be reviewed by another.")
    # The run. One worker at a time holds the action's advisory lock, and writes under its token.
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    paused_because = models.CharField(max_length=400, blank=True)
    not_before = models.DateTimeField(null=True, blank=True, help_text="The system asked for patience until then.")
    token = models.UUIDField(null=True, blank=True)
    # Reading back, again and again.
    verify_at = models.DateTimeField(null=True, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    verifications = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["incident", "number"], name="action_number_once"),
            models.CheckConstraint(condition=~Q(reason=""), name="action_has_reason"),
            # Two people. A NULL would satisfy a comparison, so both must be there.
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True)
                | Q(requested_by__isnull=False) & ~Q(approved_by=F("requested_by")),
                name="action_approved_by_another",
            ),
            models.CheckConstraint(
                condition=Q(approved_by__isnull=True)
                | Q(RawSQL("approved_by_id <> ALL (authors)", [], output_field=models.BooleanField())),
                name="action_approved_by_no_author",
            ),
            models.CheckConstraint(
                condition=Q(needs_approval=False)
                | Q(approved_by__isnull=False)
                | Q(is_break_glass=True)
                | Q(status__in=["draft", "awaiting_approval", "cancelled"]),
                name="action_begun_with_two",
            ),
            # What takes access away or gives it back needs two, whatever the row says of itself.
            models.CheckConstraint(
                condition=Q(needs_approval=True)
                | Q(kind__in=["end_sessions", "require_password_change", "read_state"], undoes__isnull=True),
                name="action_needs_two_where_it_must",
            ),
            models.CheckConstraint(
                condition=~Q(status="awaiting_approval") | Q(requested_by__isnull=False, expires_at__isnull=False),
                name="action_asked_by_somebody",
            ),
        ]
        indexes = [
            models.Index(fields=["not_before"], condition=Q(status__in=["approved", "running"]), name="action_to_run"),
            models.Index(fields=["verify_at"], condition=Q(verify_at__isnull=False), name="action_to_verify"),
            models.Index(fields=["expires_at"], condition=Q(status="awaiting_approval"), name="action_to_expire"),
        ]

    def __str__(self) -> str:
        return f"Action {self.number}"


class ActionAccount(models.Model):
    """The ledger: what became of one account in one action, with times. Never removed once the action was asked for."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENDING = "sending", "Being sent"
        DONE = "done", "Done"
        ALREADY = "already", "Was so already"
        PENDING = "pending", "With a person"
        FAILED = "failed", "Failed"
        UNKNOWN = "unknown", "Not known"
        SKIPPED = "skipped", "Left out"

    class Verdict(models.TextChoices):
        NONE = "", "Not read back"
        HOLDS = "holds", "Holds"
        DIFFERS = "differs", "Differs"
        UNREADABLE = "unreadable", "Cannot be read"

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="accounts", db_index=False)
    account = models.ForeignKey("runbooks.Account", on_delete=models.PROTECT, related_name="+", db_index=False)
    affected_account = models.ForeignKey(
        "runbooks.AffectedAccount", on_delete=models.PROTECT, null=True, blank=True, related_name="actions"
    )
    # As the directory had them when the list was made; the digest is over these.
    login = models.CharField(max_length=320)
    external_id = models.CharField(max_length=160, blank=True)
    mail = models.CharField(max_length=320, blank=True)
    position = models.IntegerField(help_text="The most dangerous first.")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.WAITING)
    was_so = models.BooleanField(null=True, blank=True, help_text="As the preview found it.")
    before = models.JSONField(null=True, blank=True, help_text="Before-values, read just before acting.")
    before_facts = models.JSONField(null=True, blank=True, help_text="{Fact: value} read with them.")
    attempts = models.SmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.CharField(max_length=160, blank=True, help_text="The connection, or who did it by hand.")
    message = models.CharField(max_length=1000, blank=True)
    is_permanent = models.BooleanField(default=False)
    retry_at = models.DateTimeField(null=True, blank=True)
    verdict = models.CharField(max_length=10, choices=Verdict.choices, default=Verdict.NONE, blank=True)
    read_back = models.JSONField(null=True, blank=True, help_text="{Fact: value} as read last.")
    read_back_at = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(Action, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["action", "account"], name="action_account_once"),
            models.UniqueConstraint(fields=["action", "position"], name="action_position_once"),
        ]
        indexes = [
            models.Index(fields=["action", "status", "position"], name="action_account_by_status"),
            models.Index(fields=["account", "id"], name="action_account_by_account"),
            models.Index(fields=["action", "position"], condition=Q(verdict="differs"), name="action_account_differs"),
        ]

    def __str__(self) -> str:
        return f"{self.login}: {self.get_status_display()}"


class ActionExclusion(models.Model):
    """An account of the scope that the action leaves alone, or that somebody took in although it is protected."""

    class Kind(models.TextChoices):
        BREAK_GLASS = "break_glass", "Break-glass account"
        SERVICE = "service", "Service account"
        RESPONDER = "responder", "Incident team"
        DUTY = "duty", "On duty"
        GATE = "gate", "Gate not passed"
        LATER = "later", "Changed by a later action"
        CHOSEN = "chosen", "Chosen for this action"

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="exclusions", db_index=False)
    account = models.ForeignKey("runbooks.Account", on_delete=models.PROTECT, related_name="+", db_index=False)
    login = models.CharField(max_length=320)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    reason = models.CharField(max_length=400)
    added_by = models.CharField(max_length=160)
    added_at = models.DateTimeField()
    taken_in_at = models.DateTimeField(null=True, blank=True)
    taken_in_by = models.CharField(max_length=160, blank=True)
    taken_in_reason = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["action", "account"], name="action_exclusion_once"),
            models.CheckConstraint(
                condition=Q(taken_in_at__isnull=True) | ~Q(taken_in_reason=""), name="action_taken_in_with_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.login}: {self.reason}"


class ActionDecision(models.Model):
    """What a second person decided on a request, or one person in an emergency. Rows are only added."""

    class Kind(models.TextChoices):
        APPROVED = "approved", "Approved"
        CHANGE_ASKED = "change_asked", "Asked for a change"
        REFUSED = "refused", "Refused"
        BREAK_GLASS = "break_glass", "Begun without a second person"
        REVIEWED = "reviewed", "Reviewed afterwards"
        VOID = "void", "Void"

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="decisions")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    digest = models.CharField(max_length=64, help_text="What it was decided on.")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_by_name = models.CharField(max_length=160)
    credential = models.CharField(max_length=40, blank=True, help_text="What they proved themselves with.")
    comment = models.CharField(max_length=1000, blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind__in=["approved", "reviewed"])
                | Q(requested_by__isnull=False, decided_by__isnull=False) & ~Q(decided_by=F("requested_by")),
                name="decision_by_another",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=["approved", "reviewed", "break_glass"]) | ~Q(credential=""),
                name="decision_with_credential",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} by {self.decided_by_name}"


class RestorationStage(models.Model):
    """A stage of the way back from a lock-down, planned with it: who, when, behind which gate, and when to stop."""

    class Selector(models.TextChoices):
        NAMED = "named", "These accounts"
        SECOND_FACTOR = "second_factor", "Those with two-step sign-in"
        DEPARTMENTS = "departments", "Departments"
        REST = "rest", "Everybody left"

    lock_down = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="stages", db_index=False)
    position = models.IntegerField()
    title = models.CharField(max_length=120)
    selector = models.CharField(max_length=14, choices=Selector.choices)
    names = models.JSONField(default=list, help_text="Logins or departments, by the selector.")
    size = models.IntegerField(null=True, blank=True, help_text="At most so many accounts.")
    planned_at = models.DateTimeField(null=True, blank=True)
    stop_after = models.IntegerField(
        default=0, help_text="Accounts seen harmed again above which the next stage waits."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["lock_down", "position"], name="stage_position_once")]

    def __str__(self) -> str:
        return self.title
