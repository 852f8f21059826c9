"""Who may do what: one table. Operations ask `require`; pages ask `can` to say beforehand what would be refused."""

from dataclasses import dataclass
from uuid import UUID

from runbooks.access.models import Membership, Role, User
from runbooks.errors import NotAllowedError, NotFoundError

LEADING = frozenset({Role.COORDINATOR})
WORKING = frozenset({Role.COORDINATOR, Role.RESPONDER})
TALKING = frozenset({Role.COORDINATOR, Role.RESPONDER, Role.DESK, Role.COMMUNICATIONS})
HELPING = frozenset({Role.COORDINATOR, Role.RESPONDER, Role.DESK})
TAKING_AWAY = frozenset({Role.COORDINATOR, Role.RESPONDER, Role.COMMUNICATIONS, Role.AUDITOR})
CHECKING = frozenset({Role.COORDINATOR, Role.AUDITOR})
EVERYBODY = frozenset(Role)

# Within an incident: the role must be listed and the person a current member.
IN_INCIDENT: dict[str, frozenset[Role]] = {
    "view_incident": EVERYBODY,
    "edit_incident": LEADING,
    "change_status": LEADING,
    "manage_people": LEADING,
    "work_steps": TALKING,
    "waive_step": LEADING,
    "reopen_step": WORKING,
    "add_step": LEADING,
    "assign_step": WORKING,
    "answer_call": TALKING,
    "add_entry": TALKING,
    "correct_entry": TALKING,
    "pin_entry": WORKING,
    "attach_file": TALKING,
    "hold_attachment": LEADING,
    "view_access_log": CHECKING,
    "import_affected": WORKING,
    "import_entries": WORKING,
    "assess_account": WORKING,
    "record_fact": WORKING,
    "assign_account": TALKING,
    "log_contact": TALKING,
    "request_action": WORKING,
    "control_action": WORKING,
    "settle_action": WORKING,
    "approve_action": LEADING,
    "break_glass": LEADING,
    "view_seal": EVERYBODY,
    "export_timeline": TAKING_AWAY,
    "control_export": TAKING_AWAY - {Role.AUDITOR},
    "ask_redaction": WORKING,
    "decide_redaction": LEADING,
    "issue_code": HELPING,
    "call_holders": HELPING,
    "manage_incident_subscriptions": LEADING,
}
# Anywhere: the role alone decides.
ANYWHERE: dict[str, frozenset[Role]] = {
    "declare_incident": LEADING,
    "import_directory": frozenset({Role.ADMINISTRATOR, Role.COORDINATOR}),
    "view_directory": EVERYBODY - {Role.AUDITOR},
    "protect_account": frozenset({Role.ADMINISTRATOR, Role.COORDINATOR}),
    "view_catalog": EVERYBODY,
    # Auditors only read, truly: an administrator keeps the address that they are reached at.
    "change_own_contacts": EVERYBODY - {Role.AUDITOR},
    "answer_notices": EVERYBODY - {Role.AUDITOR},
    "view_undelivered": frozenset({Role.ADMINISTRATOR, Role.COORDINATOR}),
    "send_portal_notices": frozenset({Role.ADMINISTRATOR}),
    "manage_witnesses": frozenset({Role.ADMINISTRATOR, Role.COORDINATOR}),
    "manage_rotas": frozenset({Role.ADMINISTRATOR, Role.COORDINATOR}),
    "view_reachability": frozenset({Role.ADMINISTRATOR, Role.COORDINATOR}),
    "manage_subscriptions": frozenset({Role.ADMINISTRATOR, Role.COORDINATOR}),
    "view_health": frozenset({Role.ADMINISTRATOR, Role.COORDINATOR}),
    "reset_channel": frozenset({Role.ADMINISTRATOR, Role.COORDINATOR}),
    "view_escalation": frozenset({Role.ADMINISTRATOR, Role.COORDINATOR}),
    "manage_escalation": frozenset({Role.ADMINISTRATOR}),
    "view_notice_texts": frozenset({Role.ADMINISTRATOR, Role.COORDINATOR}),
    "edit_notices": frozenset({Role.ADMINISTRATOR}),
    "view_connections": frozenset({Role.ADMINISTRATOR, Role.COORDINATOR, Role.RESPONDER}),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: a person, the portal itself, or whoever holds the command line."""

    name: str
    user_id: int | None = None
    role: Role | None = None
    is_automated: bool = False

    def __str__(self) -> str:
        return self.name


# Whoever runs commands on the host can read the database anyway: the name says so, and nothing is refused.
COMMAND_LINE = Actor("Command line")
PORTAL = Actor("IR Portal", is_automated=True)


def actor_for(user: User) -> Actor:
    return Actor(name=str(user), user_id=user.pk, role=Role(user.role))


def can(actor: Actor, action: str) -> bool:
    """Whether the role allows the action. Membership is asked apart: a page that is shown has asked it already."""
    return actor.user_id is None or actor.role in (IN_INCIDENT.get(action) or ANYWHERE[action])


def is_member(actor: Actor, incident_id: UUID) -> bool:
    if actor.user_id is None:
        return True
    return Membership.objects.filter(user_id=actor.user_id, incident_id=incident_id, ended_at__isnull=True).exists()


def require(actor: Actor, action: str, incident_id: UUID | None = None) -> None:
    """Raise NotFoundError to outsiders of the incident, NotAllowedError to members whose role may not."""
    if (incident_id is None) != (action in ANYWHERE):
        raise ValueError(f"{action} and the incident do not go together")
    if incident_id is not None and not is_member(actor, incident_id):
        raise NotFoundError("There is no such incident, or you are not in it. Ask a coordinator to add you.")
    if not can(actor, action):
        role = actor.role.label.lower() if actor.role else "this role"
        raise NotAllowedError(f"Your role ({role}) may not {action.replace('_', ' ')}. Ask a coordinator.")
