"""What a call says: docs/schema/subscription.schema.json. The sharing label decides whether content leaves."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.seal import instant

VERSION: Final = 1
PING: Final = "subscription.ping"
# Labels under which words may leave the institution; under all others only that something happened.
OPEN_LABELS: Final = frozenset({Incident.Tlp.CLEAR, Incident.Tlp.GREEN})
CONTENT: Final = ("summary", "actor")


def body_of_entry(delivery_id: UUID, incident: Incident, entry: TimelineEvent) -> str:
    said: dict[str, Any] = {
        "version": VERSION,
        "id": str(delivery_id),
        "kind": entry.kind,
        "incident": {
            "reference": incident.reference,
            "is_exercise": incident.is_exercise,
            "severity": incident.severity,
            "status": incident.status,
            "tlp": incident.tlp,
        },
        "sequence": entry.sequence,
        "recorded_at": instant(entry.recorded_at),
        "occurred_at": instant(entry.occurred_at),
        "hash": entry.hash,
        "url": _address("timeline_entry", incident.reference, entry.sequence),
    }
    if incident.tlp in OPEN_LABELS:
        said["actor"] = entry.actor
        if entry.salt is not None:  # else its content was taken out
            said["summary"] = entry.summary
    return _written(said)


def body_of_ping(delivery_id: UUID, subscription_id: UUID, at: datetime) -> str:
    """To see that a receiver is there and knows the signature. It tells of no incident."""
    address = _address("subscription", subscription_id)
    return _written(
        {"version": VERSION, "id": str(delivery_id), "kind": PING, "recorded_at": instant(at), "url": address}
    )


def allowed_now(body: str, *, tlp: str, is_redacted: bool) -> str:
    """The body as far as it may leave now: label and entry may have changed since it was written."""
    said = json.loads(body)
    incident = said.get("incident")
    if not isinstance(incident, dict):
        return body
    kept = {**said, "incident": {**incident, "tlp": tlp}}
    if tlp not in OPEN_LABELS:
        kept = _without(kept, *CONTENT)
    if is_redacted:
        kept = _without(kept, "summary")
    return body if kept == said else _written(kept)


def _without(said: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in names}


def _address(name: str, *arguments: object) -> str:
    return f"{settings.PORTAL_URL.rstrip('/')}{reverse(name, args=arguments)}"


def _written(said: Mapping[str, Any]) -> str:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))
