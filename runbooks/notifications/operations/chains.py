"""Starting the chain that calls the next person while nobody answers."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from runbooks.notifications.events import Chain, Event
from runbooks.notifications.models import Escalation, EscalationPolicy
from runbooks.notifications.wording import Announcing, Text


def chain_of(event: Event) -> Chain | None:
    """Whom this event calls now: as an administrator last decided, else as shipped; None where it calls nobody.

    A version without steps that is active takes back what was decided before it: as shipped again.
    """
    edited = EscalationPolicy.objects.filter(event=event.name).order_by("-version").first()
    if edited is None or (edited.is_active and not edited.steps):
        return event.chain
    return Chain(edited.severity_at_most, edited.repeats, edited.steps) if edited.is_active else None


def start_chain(
    incident: Announcing, event: Event, about: str, texts: Mapping[str, Text], *, at: datetime
) -> Escalation | None:
    """Begin it in the transaction of the event; None where none is begun, since it is not meant to or runs already."""
    if event.chain is None:
        return None
    chain = chain_of(event)
    if chain is None or not chain.steps or incident.severity > chain.severity_at_most:
        return None
    about = about or f"entry:{incident.head_sequence}"
    running = Escalation.objects.filter(incident_id=incident.id, event=event.name, status=Escalation.Status.RUNNING)
    if (running if event.one_chain else running.filter(about=about)).exists():
        return None
    return Escalation.objects.create(
        incident_id=incident.id,
        event=event.name,
        about=about,
        sequence=incident.head_sequence,
        texts={language: text.kept() for language, text in texts.items()},
        steps=chain.steps,
        repeats=chain.repeats,
        started_at=at,
        next_at=at + timedelta(minutes=chain.steps[0]["wait"]),
        moved_at=at,
    )
