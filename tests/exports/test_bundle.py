"""Bundles from the database: what is in them, that they are the same each time, and that they verify."""

import hashlib
import io
import json
import subprocess
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runbooks.exports import signing
from runbooks.exports.bundle import BundleFile, Facts
from runbooks.exports.chain import ChainLines, checkpoint_statement
from runbooks.incidents.models import Incident
from runbooks.timeline.queries.filtering import Filter, conditions
from runbooks.timeline.seal import instant
from runbooks.timeline.verify import BATCH, verify_chain
from tests.exports import bundles
from tests.exports.bundles import AT, KEY, PROGRAM, Parts, checkpoints_of, make_chain, verified, write
from tests.factories import make_entry, make_incident
from tests.timeline.entries import fill_timeline

# Every character that JSON escapes and some that it does not, and names whose order depends on the encoding.
AWKWARD = "".join(map(chr, range(1, 0x21))) + '\x7f\x80\u2028\u2029\\"/ é \ufeff \uffff \U0001f512'
NAMES = {"\ue000": 1, "\U00010000": 2, "é": 3, "e": 4, AWKWARD.strip(): [AWKWARD, {"b": None, "a": True}, 2**53 - 1]}


def small() -> Incident:
    return make_chain(12, {9: 3})


@pytest.mark.django_db
def test_a_bundle_holds_what_the_format_says() -> None:
    incident = small()
    raw, written = write(incident, chain=ChainLines(incident.pk, withheld={2, 5}), checkpoints=checkpoints_of(incident))
    assert (written.size, written.sha256) == (len(raw), hashlib.sha256(raw).hexdigest())
    parts = Parts.of(raw)
    assert list(parts.files) == [
        "verify_export.py", "allowed_signers", "checkpoints.jsonl", "chain.jsonl", "evidence/1 note.txt",
        "evidence/2 picture.bin", "manifest.json", "manifest.json.sig",
    ]  # fmt: skip
    manifest = json.loads(parts.files["manifest.json"])
    incident.refresh_from_db()
    assert manifest == written.manifest
    assert manifest | {"files": {}} == {
        "incident": str(incident.pk),
        "reference": "2017-003",
        "head": {"sequence": 12, "hash": incident.head_hash},
        "filter": "lane: action",
        "left_out": 2,
        "exported_at": instant(AT + timedelta(days=1)),
        "exported_by": "An auditor",
        "files": {},
    }
    others = {name: value for name, value in parts.files.items() if not name.startswith("manifest.json")}
    assert manifest["files"] == {
        name: {"size": len(value), "sha256": hashlib.sha256(value).hexdigest()} for name, value in others.items()
    }
    assert parts.files["verify_export.py"] == PROGRAM.read_bytes()
    signature = parts.files["manifest.json.sig"].decode()
    assert signing.verify([KEY.public], parts.files["manifest.json"], signature) == signing.fingerprint(KEY.public)


@pytest.mark.django_db
def test_lines_have_content_and_salt_where_nothing_was_taken_out_or_withheld() -> None:
    incident = small()
    lines = list(ChainLines(incident.pk, withheld={2, 5}))
    values = [json.loads(line) for line in lines]
    assert [value["record"]["sequence"] for value in values] == list(range(1, 13))
    without = {value["record"]["sequence"] for value in values if "content" not in value}
    assert without == {value["record"]["sequence"] for value in values if "salt" not in value} == {2, 3, 5}
    assert [rfc8785.dumps(value) + b"\n" for value in values] == lines
    for value in values:
        assert hashlib.sha256(rfc8785.dumps(value["record"])).hexdigest() == value["hash"]
        if "content" in value:
            sealed = hashlib.sha256(bytes.fromhex(value["salt"]) + rfc8785.dumps(value["content"])).hexdigest()
            assert sealed == value["record"]["commitment"]


@pytest.mark.django_db
def test_every_awkward_character_goes_through_unharmed() -> None:
    incident = make_incident()
    make_entry(incident, AWKWARD, details=NAMES, kind="entry.ädded")
    assert verify_chain(incident.pk).broken_at is None
    (line,) = ChainLines(incident.pk)
    value = json.loads(line)
    assert rfc8785.dumps(value) + b"\n" == line
    assert value["content"] == {"summary": AWKWARD.strip(), "details": NAMES}
    raw, _ = write(incident, chain=ChainLines(incident.pk), files=[])
    assert verified(raw).faults == []


@pytest.mark.django_db
def test_the_same_input_makes_the_same_bytes() -> None:
    incident = small()
    assert write(incident) == write(incident)
    first = Parts.of(write(incident)[0]).files
    later = Parts.of(write(incident, facts=Facts("2017-003", "", AT, "An auditor"))[0]).files
    assert {name for name in first if first[name] != later[name]} == {"manifest.json", "manifest.json.sig"}


@pytest.mark.django_db
def test_a_filter_withholds_contents_and_no_record() -> None:
    incident = small()
    shown = conditions(incident.pk, Filter(kind="entry.redacted", fold=False))
    chain = ChainLines(incident.pk, shown=shown)
    raw, written = write(incident, chain=chain)
    assert (chain.entries, chain.left_out, chain.redacted, written.manifest["left_out"]) == (12, 10, 1, 10)
    verification = verified(raw)
    assert (verification.faults, ("Withheld", "10 entries, by the filter: 1 to 2, 4 to 8, 10 to 12")) == (
        [], next(one for one in verification.said if one[0] == "Withheld"),
    )  # fmt: skip


@pytest.mark.django_db
def test_what_was_redacted_after_the_head_of_the_bundle_counts_as_left_out() -> None:
    incident = small()
    chain = ChainLines(incident.pk, until=8)
    raw, written = write(incident, chain=chain, checkpoints=checkpoints_of(incident, (1, 8)))
    assert (written.manifest["left_out"], chain.redacted, written.manifest["head"]["sequence"]) == (1, 0, 8)
    assert verified(raw).faults == []


@pytest.mark.django_db
def test_an_incident_without_entries_makes_a_bundle_too() -> None:
    incident = make_incident()
    raw, written = write(incident, chain=ChainLines(incident.pk), files=[])
    assert (written.manifest["head"], verified(raw).faults) == ({"sequence": 0, "hash": "0" * 64}, [])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["../x", "/etc/x", "a\\b", "a//b", "a/./b", "", "a\nb", "c:x", "dir/", "manifest.json", "chain.jsonl"]
)
def test_a_path_that_no_bundle_may_hold_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        write(small(), files=[BundleFile(path, [b"x"])])


@pytest.mark.django_db
def test_a_file_twice_or_of_another_size_is_refused() -> None:
    incident = small()
    with pytest.raises(ValueError, match="already"):
        write(incident, files=[BundleFile("a", [b"x"]), BundleFile("a", [b"y"])])
    with pytest.raises(ValueError, match="1 bytes and not 2"):
        write(incident, files=[BundleFile("a", [b"x"], 2)])


@pytest.mark.django_db
def test_a_bundle_is_written_to_what_can_only_be_written_to() -> None:
    class Response:
        parts: list[bytes] = []

        def write(self, part: bytes) -> int:
            self.parts.append(bytes(part))
            return len(part)

        def flush(self) -> None: ...

    incident = small()
    response: Any = Response()
    _, written = write(incident)
    bundles.write_bundle(
        response,
        facts=Facts("2017-003", "lane: action", AT + timedelta(days=1), "An auditor"),
        chain=ChainLines(incident.pk, withheld=bundles.WITHHELD),
        checkpoints=checkpoints_of(incident),
        signers=signing.allowed_signers([KEY.public]),
        files=bundles.evidence(),
        sign=lambda data: signing.sign(KEY.private, data),
    )
    assert hashlib.sha256(b"".join(response.parts)).hexdigest() == written.sha256


@pytest.mark.django_db
def test_entries_are_read_batch_by_batch_however_many() -> None:
    incident = make_incident()
    fill_timeline(incident, 2 * BATCH + 1, AT)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert sum(1 for _ in ChainLines(incident.pk)) == 2 * BATCH + 1
    assert len(queries) == 3


@pytest.mark.django_db
def test_openssh_and_unzip_know_what_to_do_with_it(tmp_path: Path) -> None:
    raw, _ = write(small())
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    command = ["ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", "ir-portal", "-n", "ir-portal"]
    command += ["-s", "manifest.json.sig"]
    for changed, status in ((b"", 0), (b" ", 255)):
        manifest = (tmp_path / "manifest.json").read_bytes() + changed
        done = subprocess.run(command, input=manifest, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == status


@pytest.mark.django_db
def test_a_checkpoint_is_a_line_that_says_what_was_signed() -> None:
    incident = small()
    (one,) = checkpoints_of(incident, (12,))
    value = json.loads(one.line)
    assert set(value) == {"incident", "sequence", "hash", "time", "key", "signature"}
    statement = rfc8785.dumps({name: value[name] for name in ("incident", "sequence", "hash", "time")})
    assert statement == checkpoint_statement(incident.pk, 12, value["hash"], AT)
    assert signing.verify([KEY.public], statement, value["signature"]) == value["key"]
