"""What people were reminded of, so that each is said once and never long after."""

from django.db import models


class Reminder(models.Model):
    """That this was said about this, as due then. A row is written with the notice it stands for."""

    incident = models.ForeignKey("runbooks.Incident", on_delete=models.PROTECT, related_name="reminders")
    event = models.CharField(max_length=60)
    about = models.CharField(max_length=80)
    due_at = models.DateTimeField(help_text="What the reminder is reckoned from; another due time is another reminder.")
    sent_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["incident", "event", "about", "due_at"], name="reminder_once"),
        ]

    def __str__(self) -> str:
        return f"{self.event} about {self.about}"
