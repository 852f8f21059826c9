"""What holders confirm, by codes that never travel by their mailbox; and the service desk's calls to them."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class Code(models.Model):
    """A code that one holder may use once. Only its keyed hash is kept; a newer one supersedes it."""

    class Channel(models.TextChoices):
        """How it reaches the holder. The mailbox is none of them, and a constraint says so."""

        TEXT = "text", "Text message"
        LETTER = "letter", "Letter"
        READ_OUT = "read_out", "Read out by the desk"
        IN_PERSON = "in_person", "Handed over in person"
        COLLEAGUE = "colleague", "Through a colleague"

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="codes", db_index=False)
    affected_account = models.ForeignKey(
        "runbooks.AffectedAccount", on_delete=models.PROTECT, related_name="codes", db_index=False
    )
    purpose = models.CharField(max_length=20, default="confirm_password")
    digest = models.CharField(
        max_length=64, unique=True, help_text="HMAC-SHA-256 over purpose, account and code; see codes.py."
    )
    channel = models.CharField(max_length=10, choices=Channel.choices)
    address = models.CharField(max_length=200, blank=True, help_text="Number or office it was sent to.")
    address_source = models.CharField(max_length=120, blank=True)
    colleague = models.CharField(max_length=160, blank=True, help_text="Who vouches for the holder and hands it over.")
    issued_by = models.CharField(max_length=160)
    issuer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    seconded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    superseded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["affected_account", "purpose"],
                condition=Q(used_at__isnull=True, superseded_at__isnull=True),
                name="code_open_once",
            ),
            models.CheckConstraint(
                condition=Q(channel__in=["text", "letter", "read_out", "in_person", "colleague"]),
                name="code_never_by_mail",
            ),
            models.CheckConstraint(condition=~Q(address__contains="@"), name="code_to_no_mail_address"),
            # Through a colleague: two of ours, and somebody named who vouches.
            models.CheckConstraint(
                condition=~Q(channel="colleague")
                | Q(issuer__isnull=False, seconded_by__isnull=False) & ~Q(colleague="") & ~Q(seconded_by=F("issuer")),
                name="code_colleague_needs_two",
            ),
            models.CheckConstraint(condition=Q(expires_at__gt=F("issued_at")), name="code_expires_later"),
        ]
        indexes = [
            models.Index(fields=["affected_account", "-id"], name="code_by_account"),
            models.Index(fields=["incident", "channel", "id"], name="code_by_incident"),
        ]

    def __str__(self) -> str:
        return f"Code {self.pk}, {self.get_channel_display()}"


class Confirmation(models.Model):
    """What a holder said, and what the directory says to it. A claim counts only when the two agree."""

    class Answer(models.TextChoices):
        CHANGED = "changed", "I changed it myself"
        WITH_HELP = "with_help", "Changed with the desk's help"
        NOT_ME = "not_me", "Not me, or not sure"

    class Truth(models.TextChoices):
        PENDING = "pending", "Not checked yet"
        AGREES = "agrees", "The directory agrees"
        DIFFERS = "differs", "The directory differs"
        NOT_ASKED = "not_asked", "Nothing to check"

    CLAIMS = (Answer.CHANGED, Answer.WITH_HELP)

    incident = models.ForeignKey(
        "runbooks.Incident", on_delete=models.PROTECT, related_name="confirmations", db_index=False
    )
    affected_account = models.ForeignKey(
        "runbooks.AffectedAccount", on_delete=models.PROTECT, related_name="confirmations"
    )
    code = models.OneToOneField(Code, on_delete=models.PROTECT, related_name="confirmation")
    receipt = models.CharField(max_length=20, unique=True)
    answer = models.CharField(max_length=10, choices=Answer.choices)
    questions = models.JSONField(default=dict, help_text="{question: answer}, as the holder gave them.")
    language = models.CharField(max_length=5)
    answered_at = models.DateTimeField()
    truth = models.CharField(max_length=10, choices=Truth.choices)
    check_at = models.DateTimeField(null=True, blank=True, help_text="When the directory is asked next.")
    checked_at = models.DateTimeField(null=True, blank=True)
    password_changed_at = models.DateTimeField(null=True, blank=True, help_text="As the directory said it.")
    checks = models.SmallIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["incident", "truth", "id"], name="confirmation_by_truth"),
            models.Index(fields=["check_at"], condition=Q(check_at__isnull=False), name="confirmation_to_check"),
        ]

    def __str__(self) -> str:
        return f"{self.receipt}: {self.get_answer_display()}"


class DirectoryWatch(models.Model):
    """How far the directory was asked about holders who have said nothing: it may show a new password all the same."""

    incident = models.OneToOneField("runbooks.Incident", on_delete=models.PROTECT, related_name="directory_watch")
    after_id = models.BigIntegerField(default=0, help_text="The affected account that was asked about last.")
    looked_at = models.DateTimeField(null=True, blank=True, help_text="When the directory answered last.")
    trouble = models.CharField(max_length=300, blank=True, help_text="Why it could not be asked; empty while it can.")

    def __str__(self) -> str:
        return f"watch of {self.incident_id}"


class LetterRun(models.Model):
    """Letters printed together. The file holds codes: it is fetched once, then gone."""

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="letter_runs")
    number = models.IntegerField()
    letters = models.IntegerField()
    made_by = models.CharField(max_length=160)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["incident", "number"], name="letter_run_once")]

    def __str__(self) -> str:
        return f"Letter run {self.number}"


class TextOrder(models.Model):
    """A text message with a code that somebody asked for. The code is made when it is sent, so none waits in a row."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"

    OPEN = (Status.WAITING, Status.SENDING)

    incident = models.ForeignKey(
        "runbooks.Incident", on_delete=models.PROTECT, related_name="text_orders", db_index=False
    )
    affected_account = models.ForeignKey(
        "runbooks.AffectedAccount", on_delete=models.PROTECT, related_name="text_orders"
    )
    number = models.CharField(max_length=64)
    number_source = models.CharField(max_length=120)
    language = models.CharField(max_length=5, default="en-gb")
    orderer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    ordered_by = models.CharField(max_length=160)
    ordered_at = models.DateTimeField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.WAITING)
    attempts = models.SmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(
        null=True, blank=True, help_text="While it is being sent: after this the worker is taken for dead."
    )
    code = models.ForeignKey(Code, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    sent_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text="Why the last attempt did not go out.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["affected_account"], condition=Q(status__in=["waiting", "sending"]), name="text_order_open_once"
            ),
            models.CheckConstraint(condition=~Q(number__contains="@"), name="text_order_to_no_mail_address"),
            models.CheckConstraint(
                condition=Q(status__in=["sent", "failed"]) | Q(next_attempt_at__isnull=False),
                name="text_order_open_has_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(status__in=["waiting", "sending"]), name="text_order_due"
            ),
            models.Index(fields=["incident", "status", "id"], name="text_order_by_incident"),
        ]

    def __str__(self) -> str:
        return f"text to {self.number}: {self.get_status_display()}"


class DeskCall(models.Model):
    """A holder in the hands of one person of the desk, from taking the row to its outcome."""

    class Outcome(models.TextChoices):
        REACHED = "reached", "Reached"
        NO_ANSWER = "no_answer", "No answer"
        CALL_BACK = "call_back", "Call back later"
        REFUSED = "refused", "Refused"
        NOT_VERIFIED = "not_verified", "Not verified"
        PUT_BACK = "put_back", "Put back"

    class Check(models.TextChoices):
        """How the holder was recognised; none of it can be read in the mailbox."""

        CALLED_BACK = "called_back", "Called back on the number of record"
        TWO_FACTS = "two_facts", "Two facts that are not in the mailbox"
        PASS = "pass", "In person, with a pass"
        VOUCHED = "vouched", "A named colleague vouched"

    incident = models.ForeignKey(
        "runbooks.Incident", on_delete=models.PROTECT, related_name="desk_calls", db_index=False
    )
    affected_account = models.ForeignKey(
        "runbooks.AffectedAccount", on_delete=models.PROTECT, related_name="desk_calls"
    )
    taken_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    taken_at = models.DateTimeField()
    held_until = models.DateTimeField(help_text="After that somebody else may take the row.")
    reference_digest = models.CharField(max_length=64, blank=True, help_text="Keyed hash of the caller reference.")
    reference_until = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=14, choices=Outcome.choices, blank=True)
    check_method = models.CharField(max_length=12, choices=Check.choices, blank=True)
    note = models.CharField(max_length=1000, blank=True)
    call_back_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["affected_account"], condition=Q(ended_at__isnull=True), name="desk_call_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | ~Q(outcome=""), name="desk_call_ended_with_outcome"
            ),
            models.CheckConstraint(
                condition=~Q(outcome="reached") | ~Q(check_method=""), name="desk_call_reached_was_checked"
            ),
            models.CheckConstraint(
                condition=~Q(outcome="call_back") | Q(call_back_at__isnull=False), name="desk_call_back_has_time"
            ),
        ]
        indexes = [
            models.Index(fields=["incident", "ended_at"], name="desk_call_by_incident"),
            models.Index(fields=["reference_digest"], condition=~Q(reference_digest=""), name="desk_call_by_reference"),
        ]

    def __str__(self) -> str:
        return f"call by {self.taken_by}"


class Probe(models.Model):
    """That somebody guesses: wrong tries in a window, counted without the codes that were tried."""

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, null=True, related_name="probes")
    login = models.CharField(max_length=320, blank=True)
    wrong = models.IntegerField()
    networks = models.IntegerField()
    since = models.DateTimeField()
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["-at"], name="probe_newest_first")]

    def __str__(self) -> str:
        return f"{self.wrong} wrong tries"
