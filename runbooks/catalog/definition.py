"""What a runbook is: frozen data, and the words a definition may use."""

import hashlib
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any, Final

import rfc8785

INCIDENT, ACCOUNT = "incident", "account"
SCOPES: Final = (INCIDENT, ACCOUNT)
TIERS: Final = ("A", "B", "C", "D")

ROLE_KEYS: Final = (
    "lead",
    "deputy",
    "scribe",
    "identity",
    "forensics",
    "network",
    "mail",
    "desk",
    "contact",
    "dpo",
    "legal",
    "communications",
    "intelligence",
    "holder",
    "executive",
)

# What a connector may be asked to do, with the technique of MITRE D3FEND it carries out.
AUTOMATIONS: Final = {
    "lock_account": "D3-AL",
    "end_sessions": "D3-ST",
    "revoke_credentials": "D3-CR",
    "clear_cached_credentials": "D3-ANCI",
    "rotate_password": "D3-PR",
    "reissue_credential": "D3-RIC",
    "unlock_account": "D3-ULA",
    "require_password_change": "D3-PR",
    "restrict_remote_access": "D3-UAP",
    "restore_remote_access": "D3-RUAA",
    "read_state": "D3-DAM",
}

# The dated facts of an affected account that can close a step for it, as its page names them.
FACTS: Final = {
    "sign_in_disabled": "Sign-in disabled",
    "sessions_revoked": "Sessions revoked",
    "password_changed": "Password changed",
    "rules_checked": "Mailbox rules checked",
    "holder_reached": "Holder reached",
    "holder_confirmed": "Holder confirmed",
    "data_loss_assessed": "Data loss assessed",
}


@dataclass(frozen=True, slots=True)
class Phase:
    key: str
    title: str


@dataclass(frozen=True, slots=True)
class Role:
    key: str
    title: str


@dataclass(frozen=True, slots=True)
class EvidenceRule:
    """One piece of evidence a step needs before it can be completed."""

    key: str
    label: str


@dataclass(frozen=True, slots=True)
class RunbookStep:
    """One step as its author wrote it. An incident works on a copy of it, never on this."""

    id: str
    number: str
    """Phase and position, "3.2": both counted from 1."""
    phase: str
    title: str
    instruction: str
    """Markdown."""
    role: str
    scope: str
    """INCIDENT: done once. ACCOUNT: done for each affected account, and counted from the accounts."""
    depends_on: tuple[str, ...]
    """Ids of steps of the same runbook."""
    target: timedelta | None
    """From the declaration; in account scope from the account's entry on the list. None: no clock."""
    deadline_label: str
    """Short name in the overview's list of deadlines, where somebody outside set the target; else empty."""
    evidence: tuple[EvidenceRule, ...]
    automation: str
    """A key of AUTOMATIONS, or empty."""
    reversible_by: str
    """The id of the step that undoes this one, or empty."""
    two_person: bool
    fact: str
    """Account scope: the fact of FACTS that closes the step for an account; empty: see `counted`."""
    counted: str
    """Account scope without a fact: how the step is told to be done for an account, in words."""
    tiers: tuple[str, ...]
    """Account scope: the tiers it applies to; empty: every compromised account."""

    @property
    def deadline(self) -> bool:
        return bool(self.deadline_label)

    @property
    def is_account_step(self) -> bool:
        return self.scope == ACCOUNT


@dataclass(frozen=True, slots=True)
class Runbook:
    slug: str
    title: str
    version: str
    summary: str
    """Markdown."""
    phases: tuple[Phase, ...]
    roles: tuple[Role, ...]
    steps: tuple[RunbookStep, ...]
    """In phase order, and within a phase as written."""
    digest: str = ""
    """SHA-256 of the definition, hex: see `sealed`."""

    def step(self, step_id: str) -> RunbookStep:
        """The step of that id; KeyError when the runbook has none."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)

    def role_title(self, key: str) -> str:
        return next(role.title for role in self.roles if role.key == key)

    def phase_title(self, key: str) -> str:
        return next(phase.title for phase in self.phases if phase.key == key)


def canonical_definition(runbook: Runbook) -> dict[str, Any]:
    """The definition as JSON values: targets in whole seconds, everything else as it stands, without the digest."""
    content = asdict(runbook)
    del content["digest"]
    for step in content["steps"]:
        target: timedelta | None = step["target"]
        step["target"] = None if target is None else int(target.total_seconds())
        step["depends_on"] = list(step["depends_on"])
        step["evidence"] = list(step["evidence"])
        step["tiers"] = list(step["tiers"])
    for key in ("phases", "roles", "steps"):
        content[key] = list(content[key])
    return content


def sealed(runbook: Runbook) -> Runbook:
    """The runbook with its digest: SHA-256 over the canonical JSON (RFC 8785) of the definition.

    A comment or a line break in the file does not change it; a word that a responder reads does.
    """
    return replace(runbook, digest=hashlib.sha256(rfc8785.dumps(canonical_definition(runbook))).hexdigest())
