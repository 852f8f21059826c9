"""What every page about one action is drawn from, and what a refused form leaves on it."""

from dataclasses import dataclass
from datetime import datetime

from django import forms
from django.utils.functional import cached_property

from runbooks.access.http import PortalRequest, actor_of
from runbooks.access.permissions import Actor, can
from runbooks.actions.models import Action
from runbooks.actions.queries.found import action_for
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.timeline.operations import now


@dataclass(frozen=True, slots=True)
class Refused:
    """A verb that was not done, why, and what was typed. `message` is empty where the form's own errors say it."""

    verb: str
    message: str
    form: forms.Form | None = None


@dataclass(frozen=True)
class Seen:
    """An action as somebody in its incident sees it at this moment."""

    incident: Incident
    action: Action
    actor: Actor
    at: datetime
    refused: Refused | None = None

    @cached_property
    def is_author(self) -> bool:
        """Who drafted, changed or asked for it decides nothing about it."""
        return self.actor.user_id is not None and self.actor.user_id in {
            *self.action.authors,
            self.action.requested_by_id,
        }

    def may(self, permission: str) -> bool:
        return can(self.actor, permission) and not self.incident.is_over

    def form(self, verb: str) -> forms.Form | None:
        """What was typed where this verb was refused."""
        return self.refused.form if self.refused is not None and self.refused.verb == verb else None


def see(request: PortalRequest, reference: str, number: int) -> Seen:
    """Raises NotFoundError to everybody who is not in the incident, and where it has no such action."""
    actor = actor_of(request)
    incident = incident_for(actor, reference)
    return Seen(incident, action_for(incident.pk, number), actor, now())
