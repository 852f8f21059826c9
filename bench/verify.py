"""1,000,000 entries verified, next to a bare SHA-256 over the same bytes.

The verifier is docs/verify_export.py over a bundle, in a process of its own as an auditor runs it: start, unpacking,
parsing, every commitment and every hash, the manifest and its signature. The bare side reads `chain.jsonl`, unpacked,
through hashlib. Target: the verifier takes at most 25 times as long. Beside it, without a target: the check of the same
chain in the database. The peak memory of both is told.
"""

import hashlib
import resource
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from harness import Claim, Side, alternate, conclude, is_quick, portal

from runbooks.access.permissions import COMMAND_LINE
from runbooks.exports import signing
from runbooks.exports.bundle import Facts, write_bundle
from runbooks.exports.chain import ChainLines, SignedCheckpoint, checkpoint_statement
from runbooks.exports.checking import check_chain
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.timeline.operations import Entry, record_many
from tests.factories import make_incident

TARGET = 25
BATCH = 10_000
CHUNK = 1 << 20
VERIFIER = settings.BASE_DIR / "docs" / "verify_export.py"
PEAK = """
import runpy, sys
sys.argv = ["verify_export.py", {path!r}]
try:
    runpy.run_path({verifier!r}, run_name="__main__")
except SystemExit as ended:
    assert not ended.code
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
SUMMARY = "Entry {} of the night: seeded{}@parliament.example was looked at by the desk, and the holder called"


def fill(entries: int) -> Incident:
    """A chain of so many entries, sealed as every other."""
    incident = make_incident()
    for start in range(0, entries, BATCH):
        batch = [
            Entry(
                "entry.added",
                SUMMARY.format(number, number % 9000),
                details={"login": f"seeded{number % 9000}@parliament.example", "number": number},
            )
            for number in range(start, min(start + BATCH, entries))
        ]
        with transaction.atomic():
            record_many(lock(incident.pk), batch, actor=COMMAND_LINE, at=timezone.now())
    incident.refresh_from_db()
    return incident


def write(incident: Incident, path: Path) -> None:
    key, at = signing.make_key(), timezone.now()
    statement = checkpoint_statement(incident.pk, incident.head_sequence, incident.head_hash, at)
    checkpoint = SignedCheckpoint(
        incident.pk,
        incident.head_sequence,
        incident.head_hash,
        at,
        signing.fingerprint(key.public),
        signing.sign(key.private, statement),
    )
    with path.open("wb") as file:
        write_bundle(
            file,
            facts=Facts(incident.reference, "", at, "A bench"),
            chain=ChainLines(incident.pk),
            checkpoints=[checkpoint],
            signers=signing.allowed_signers([key.public]),
            files=[],
            sign=lambda data: signing.sign(key.private, data),
        )


def verify(path: Path) -> None:
    command = [sys.executable, "-S", "-I", str(VERIFIER), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def peak_of_verifier(path: Path) -> int:
    """Bytes of memory at most, from a run of its own: what it inherited from this process does not count."""
    program = PEAK.format(path=str(path), verifier=str(VERIFIER))
    done = subprocess.run([sys.executable, "-S", "-I", "-c", program], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-2]) * 1024


def own_peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def hash_bare(path: Path) -> None:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    digest.hexdigest()


def main() -> int:
    entries, rounds = (50_000, 5) if is_quick(__doc__) else (1_000_000, 3)
    with portal() as folder:
        incident, bundle, chain = fill(entries), folder / "bundle.zip", folder / "chain.jsonl"
        began = time.perf_counter()
        write(incident, bundle)
        print(f"{entries:,} entries, bundle of {bundle.stat().st_size / 1e6:,.0f} MB", end="")
        print(f" written in {time.perf_counter() - began:.1f} s")
        with zipfile.ZipFile(bundle) as archive:
            archive.extract("chain.jsonl", folder)
        before = own_peak()
        print(f"chain.jsonl: {chain.stat().st_size / 1e6:,.0f} MB")
        seconds = alternate(
            {
                "verify_export.py": Side(lambda _: verify(bundle)),
                "check in the database": Side(lambda _: check(incident)),
                "bare SHA-256": Side(lambda _: hash_bare(chain)),
            },
            rounds=rounds,
        )
        bare = seconds.pop("bare SHA-256")
        for name, taken in seconds.items():
            print(f"{name}: {entries / taken:,.0f} entries a second, {taken / bare:.1f} times the bare side")
        print(f"verify_export.py: at most {peak_of_verifier(bundle) / 1e6:,.0f} MB of memory")
        print(f"check in the database: {(own_peak() - before) / 1e6:,.0f} MB beyond what there was before it")
        return conclude("verify", [Claim("verify", seconds["verify_export.py"] / bare, TARGET)])


def check(incident: Incident) -> None:
    finding = check_chain(incident.pk)
    assert finding.is_sound, finding


if __name__ == "__main__":
    sys.exit(main())
