"""A STIX 2.1 bundle, written as a stream: the library stix2 builds a bundle in memory, a millisecond an object.

The incident (with the incident core extension), the accounts as user-account, the steps as course-of-action, and each
entry as a note; an entry of the lane Detection that names accounts is observed-data as well. Every id follows from the
incident's, so a later export of the same incident updates what an earlier one brought.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final
from uuid import UUID, uuid5

import rfc8785

from runbooks.exports.formats.base import Format, Source, dumped, write_listed
from runbooks.exports.queries.entries import Account, Step
from runbooks.incidents.models import Incident
from runbooks.timeline.models import Lane

# Of all deterministic ids of cyber-observable objects (STIX 2.1, section 2.9).
OBSERVABLES: Final = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
INCIDENT_CORE: Final = "extension-definition--ef765651-680c-498d-9894-99799f2fa126"
TLP_2: Final = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
# The OASIS's own definitions of TLP 2.0.
MARKINGS: Final = {
    "CLEAR": "94868c89-83c2-464b-929b-a1a8aa3c8487",
    "GREEN": "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "AMBER": "55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "AMBER+STRICT": "939a9414-2ddd-4d32-a0cd-375ea402b003",
    "RED": "e828b379-4e03-4974-9ac4-e53a884c97c1",
}
Status = Incident.Status
DETERMINATION: Final = {Status.TRIAGE: "suspected", Status.DISMISSED: "false-positive"}
INVESTIGATION: Final = {Status.TRIAGE: "new", Status.DISMISSED: "closed", Status.CLOSED: "closed"}


def write(out: BinaryIO, source: Source) -> None:
    writing = _Writing(source)
    bundle_id = f"bundle--{uuid5(source.about.incident.id, source.about.number)}"
    out.write(b'{"type":"bundle","id":' + dumped(bundle_id) + b',"objects":[\n')
    write_listed(out, writing.objects())
    out.write(b"\n]}\n")


class _Writing:
    """What the objects of one bundle have in common."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._incident = source.about.incident
        self._marking = f"marking-definition--{MARKINGS[self._incident.tlp]}"
        self._portal = self._id("identity", "portal")
        self._incident_id = f"incident--{self._incident.id}"
        self._accounts: dict[str, str] = {}
        self._steps: dict[str, str] = {}

    def objects(self) -> Iterator[dict[str, Any]]:
        """Whatever is referred to comes before what refers to it."""
        entries = self._source.entries
        yield self._marking_definition()
        yield {
            **self._head("identity", self._portal, self._incident.declared_at, self._incident.declared_at),
            "name": "IR Portal",
            "identity_class": "system",
        }
        for account in entries.accounts():
            if account.login not in self._accounts:
                yield self._account(account)
        for step in entries.steps():
            yield self._step(step)
        yield self._incident_object()
        for entry in self._source.each():
            yield from self._entry(entry)

    def _id(self, kind: str, name: str) -> str:
        return f"{kind}--{uuid5(self._incident.id, f'{kind} {name}')}"

    def _head(self, kind: str, id: str, created: datetime, modified: datetime) -> dict[str, Any]:
        return {
            "type": kind,
            "spec_version": "2.1",
            "id": id,
            **({"created_by_ref": self._portal} if kind != "identity" else {}),
            "created": milliseconds(created),
            "modified": milliseconds(max(created, modified)),
            "object_marking_refs": [self._marking],
        }

    def _marking_definition(self) -> dict[str, Any]:
        return {
            "type": "marking-definition",
            "spec_version": "2.1",
            "id": self._marking,
            "created": "2022-10-01T00:00:00.000Z",
            "name": f"TLP:{self._incident.tlp}",
            "extensions": {TLP_2: {"extension_type": "property-extension", "tlp_2_0": self._incident.tlp.lower()}},
        }

    def _account(self, account: Account) -> dict[str, Any]:
        parts: dict[str, Any] = {"account_login": account.login}
        id = f"user-account--{uuid5(OBSERVABLES, rfc8785.dumps(parts).decode())}"
        self._accounts[account.login] = id
        named = {"display_name": account.display_name} if account.display_name else {}
        marked = {"object_marking_refs": [self._marking]}
        return {"type": "user-account", "spec_version": "2.1", "id": id, **marked, **parts, **named}

    def _step(self, step: Step) -> dict[str, Any]:
        id = self._id("course-of-action", step.key)
        self._steps[step.number] = id
        at = self._incident.declared_at
        described = {"description": step.instruction} if step.instruction else {}
        return {**self._head("course-of-action", id, at, at), "name": f"{step.number} {step.title}", **described}

    def _incident_object(self) -> dict[str, Any]:
        incident, about = self._incident, self._source.about
        status = Status(incident.status)
        core = {
            "extension_type": "property-extension",
            "determination": DETERMINATION.get(status, "confirmed"),
            "investigation_status": INVESTIGATION.get(status, "open"),
        }
        others = [*self._accounts.values(), *self._steps.values()]
        return {
            **self._head("incident", self._incident_id, incident.declared_at, about.exported_at),
            "name": incident.title,
            "description": about.sentence,
            "external_references": [{"source_name": "IR Portal", "external_id": incident.reference}],
            "extensions": {INCIDENT_CORE: {**core, **({"other_object_refs": others} if others else {})}},
        }

    def _entry(self, entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
        sequence, recorded = str(entry["sequence"]), datetime.fromisoformat(entry["recorded_at"])
        accounts = [self._accounts[login] for login in entry["accounts"] if login in self._accounts]
        refers = [self._incident_id, *accounts]
        if entry["step"] in self._steps:
            refers.append(self._steps[entry["step"]])
        if entry["lane"] == Lane.DETECTION and accounts:
            seen = self._id("observed-data", sequence)
            refers.append(seen)
            yield {
                **self._head("observed-data", seen, recorded, recorded),
                "first_observed": entry["occurred_at"],
                "last_observed": entry["occurred_at"],
                "number_observed": 1,
                "object_refs": accounts,
            }
        # What was taken out is a later version of the note that had it.
        changed = self._source.about.exported_at if entry["redacted_by"] else recorded
        yield {
            **self._head("note", self._id("note", sequence), recorded, changed),
            "abstract": f"#{sequence} {entry['kind']}, {entry['occurred_at']} (to the {entry['occurred_precision']})",
            "content": entry["summary"] or f"The content was taken out by entry #{entry['redacted_by']}.",
            "authors": [entry["actor"]],
            "external_references": [
                {"source_name": "IR Portal", "external_id": f"{self._incident.reference}#{sequence}",
                 "description": f"SHA-256 of the sealed record: {entry['hash']}"}
            ],
            "object_refs": refers,
        }  # fmt: skip


def milliseconds(moment: datetime) -> str:
    """As `created` and `modified` must be: exactly three digits."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


STIX = Format(
    slug="stix",
    label="STIX 2.1",
    purpose="For threat intelligence platforms and national teams: incident, accounts, steps, and entries as notes.",
    suffix=".stix.json",
    media_type="application/stix+json;version=2.1",
    write=write,
)
