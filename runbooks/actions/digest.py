"""What an approval is bound to: the exact parameters, and the exact list."""

import hashlib

import rfc8785

from runbooks.actions.models import Action, ActionAccount, ActionExclusion
from runbooks.timeline.seal import instant


def digest_of(action: Action) -> str:
    """SHA-256 over JCS of the parameters and of the list as the ledger holds it, hex. Two queries."""
    return hashlib.sha256(rfc8785.dumps(parameters_of(action))).hexdigest()  # type: ignore[arg-type]  # JSON by make


def parameters_of(action: Action) -> dict[str, object]:
    """What is hashed. `accounts` is a hash of its own, so that the rest stays readable in an entry."""
    count, of_list = _list_of(action)
    excluded = ActionExclusion.objects.filter(action=action, taken_in_at__isnull=True).order_by("login")
    return {
        "v": 1,
        "action": str(action.pk),
        "incident": str(action.incident_id),
        "kind": action.kind,
        "connection": action.connection,
        "scope": action.scope,
        "undoes": str(action.undoes_id) if action.undoes_id else None,
        "stage": action.stage_id,
        "reason": action.reason,
        "expected_harm": action.expected_harm,
        "review_at": instant(action.review_at) if action.review_at else None,
        "batch_size": action.batch_size,
        "stop_after_failures": action.stop_after_failures,
        "accounts": {"count": count, "sha256": of_list},
        "exclusions": [list(row) for row in excluded.values_list("login", "kind", "reason")],
    }


def _list_of(action: Action) -> tuple[int, str]:
    digest, count = hashlib.sha256(), 0
    rows = ActionAccount.objects.filter(action=action).order_by("position")
    for account_id, login, external_id, mail in rows.values_list(
        "account_id", "login", "external_id", "mail"
    ).iterator():
        digest.update(rfc8785.dumps([account_id, login, external_id, mail]) + b"\n")
        count += 1
    return count, digest.hexdigest()
