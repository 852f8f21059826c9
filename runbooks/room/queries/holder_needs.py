"""What holders need of the desk now, most dangerous first."""

from django.urls import reverse

from runbooks.access.permissions import Actor, can
from runbooks.confirmations.queries.needs import HolderNeeds
from runbooks.incidents.models import Incident
from runbooks.presentation import plural
from runbooks.room.queries.need import Need


def holder_lines(incident: Incident, counted: HolderNeeds, actor: Actor) -> list[Need]:
    """Those who say it was not them, whose claim the directory does not bear out, who are silent though it shows a new
    password, whose answer nobody could check, and whose text did not go out."""
    if incident.is_over:
        return []
    page, found = reverse("desk", args=[incident.reference]), []
    if can(actor, "call_holders"):
        if counted.not_me:
            title = f"{plural(counted.not_me, 'holder')} answered “not me, or not sure”"
            found.append(Need("warn", "bad", title, page, "Somebody else may be in the account. Call first.", "Call"))
        if counted.differs:
            title = f"{plural(counted.differs, 'holder')} answered “changed”, and the directory does not show it"
            found.append(Need("warn", "bad", title, page, "Go through it together on the telephone.", "Call"))
        if counted.unclaimed:
            title = f"{plural(counted.unclaimed, 'password')} changed, and the holder has said nothing"
            found.append(Need("warn", "wait", title, page, "Ask whether it was them.", "Call"))
    if counted.unchecked and can(actor, "view_connections"):
        title = f"{plural(counted.unchecked, 'answer')} of holders not checked: the directory cannot be read"
        found.append(Need("warn", "wait", title, reverse("connections"), counted.trouble, "Show"))
    if can(actor, "issue_code") and counted.failed_texts:
        title = f"{plural(counted.failed_texts, 'text message')} with a code did not go out"
        found.append(Need("fail", "bad", title, page, "Send the code another way.", "Show"))
    return found
