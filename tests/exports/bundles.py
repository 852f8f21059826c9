"""A real bundle of 200 entries, made once a module, and ways to take it apart and put it together again."""

import hashlib
import importlib.util
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from django.db import connection

from runbooks.exports import signing
from runbooks.exports.bundle import BundleFile, Facts, Written, write_bundle
from runbooks.exports.chain import ChainLines, SignedCheckpoint, checkpoint_statement
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from tests.factories import make_entry, make_incident

PROGRAM = Path(__file__).resolve().parents[2] / "docs" / "verify_export.py"
AT = datetime(2017, 6, 23, 8, 47, 0, 1500, tzinfo=UTC)
ENTRIES = 200
REDACTIONS = {120: 40, 160: 41}
WITHHELD = range(10, 21)
CHECKPOINTS = (1, 50, 100, 150, 200)
KEY = signing.make_key()
OTHER = signing.make_key()
WORDS = ("Étape “faite”", "🔒", 'tab\tand\nline \x1f \x7f \u2028 \\ "', "Looked at by the desk")


def load() -> ModuleType:
    """The verifier as a module of its own."""
    spec = importlib.util.spec_from_file_location("verify_export", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


VERIFIER = load()


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The verifier as an auditor runs it: no environment, no site packages."""
    command = [sys.executable, "-S", "-I", str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def make_chain(entries: int = ENTRIES, redactions: Mapping[int, int] = REDACTIONS) -> Incident:
    """An incident with so many entries; those that `redactions` names have lost their content."""
    incident = make_incident(declared_at=AT)
    for number in range(1, entries + 1):
        redacted = redactions.get(number)
        # Beyond the basic plane the order of names is another in UTF-16, and the verifier takes its careful way.
        names = {"\ue000": "x", "\U00010000": "y"} if number % 7 == 0 else {"b": "x", "a": "é"}
        details = {"n": number, "list": [None, True, names]} if number % 5 else {}
        make_entry(
            incident,
            f"{number}: {WORDS[number % len(WORDS)]}",
            kind="entry.redacted" if redacted else "entry.added",
            at=AT + timedelta(minutes=number),
            details=details,
            corrects=redacted or (number - 5 if number % 50 == 30 else None),
        )
    for redacted in redactions.values():
        erase(incident, redacted)
    return incident


def erase(incident: Incident, sequence: int) -> None:
    tamper(incident, sequence, salt=None, summary="", details={})


def tamper(incident: Incident, sequence: int, **changes: Any) -> None:
    """What somebody with the database's own password can do."""
    event = TimelineEvent.objects.get(incident=incident, sequence=sequence)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE runbooks_timelineevent DISABLE TRIGGER timeline_refuses_change")
        TimelineEvent.objects.filter(pk=event.pk).update(**changes)
        cursor.execute("ALTER TABLE runbooks_timelineevent ENABLE ALWAYS TRIGGER timeline_refuses_change")


def signed(incident_id: Any, sequence: int, digest: str, time: datetime = AT) -> SignedCheckpoint:
    signature = signing.sign(KEY.private, checkpoint_statement(incident_id, sequence, digest, time))
    return SignedCheckpoint(incident_id, sequence, digest, time, signing.fingerprint(KEY.public), signature)


def checkpoints_of(incident: Incident, sequences: tuple[int, ...] = CHECKPOINTS) -> list[SignedCheckpoint]:
    rows = TimelineEvent.objects.filter(incident=incident, sequence__in=sequences).order_by("sequence")
    return [signed(incident.pk, *row) for row in rows.values_list("sequence", "hash")]


def evidence() -> Iterator[BundleFile]:
    yield BundleFile("evidence/1 note.txt", [b"What the gateway wrote.\n" * 4])
    yield BundleFile("evidence/2 picture.bin", [bytes(range(100)), bytes(50)], 150)


def write(incident: Incident, **changes: Any) -> tuple[bytes, Written]:
    """A bundle of the whole incident, with what the changes say otherwise."""
    given = {
        "facts": Facts("2017-003", "lane: action", AT + timedelta(days=1), "An auditor"),
        "chain": ChainLines(incident.pk, withheld=WITHHELD),
        "checkpoints": checkpoints_of(incident),
        "signers": signing.allowed_signers([KEY.public]),
        "files": evidence(),
        "sign": lambda data: signing.sign(KEY.private, data),
        **changes,
    }
    out = io.BytesIO()
    written = write_bundle(out, **given)
    return out.getvalue(), written


@dataclass(frozen=True)
class Parts:
    """The files of a bundle, to change and to put together again."""

    files: dict[str, bytes]

    @classmethod
    def of(cls, raw: bytes) -> "Parts":
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return cls({name: archive.read(name) for name in archive.namelist()})

    def zipped(self, **changes: bytes | None) -> bytes:
        """The ZIP with these files changed; "chain__jsonl" stands for "chain.jsonl", None takes a file away."""
        return zipped(self.files | {name.replace("__", "."): value for name, value in changes.items()})

    def resigned(self, changes: Mapping[str, bytes | None], key: signing.KeyPair = KEY, **facts: Any) -> bytes:
        """As somebody makes it who holds the key: the manifest agrees with the changed files, and is signed."""
        files = {**self.files, **changes}
        manifest = json.loads(files["manifest.json"] or b"{}") | facts
        manifest["files"] = {
            name: {"size": len(value), "sha256": hashlib.sha256(value).hexdigest()}
            for name, value in files.items()
            if value is not None and not name.startswith("manifest.json")
        }
        raw = json.dumps(manifest).encode()
        return zipped({**files, "manifest.json": raw, "manifest.json.sig": signing.sign(key.private, raw).encode()})

    @property
    def lines(self) -> list[bytes]:
        return self.files["chain.jsonl"].splitlines(keepends=False)


def zipped(files: Mapping[str, bytes | None]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, value in files.items():
            if value is not None:
                archive.writestr(name, value)
    return out.getvalue()


def verified(raw: bytes, signers: bytes | None = None, witnessed: Any = ()) -> Any:
    """The verification of these bytes, in this process."""
    verification = VERIFIER.Verification(signers, witnessed)
    verification.run(io.BytesIO(raw))
    return verification
