"""Every kind of change at every position of a bundle of 200 entries: the verifier finds each of them.

The changes of the chain are made by somebody who holds the signing key: the manifest agrees with the changed files and
its signature is good, so that only the chain itself can show them.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from runbooks.exports import signing
from tests.exports.bundles import (
    AT,
    ENTRIES,
    KEY,
    OTHER,
    REDACTIONS,
    VERIFIER,
    WITHHELD,
    Parts,
    run,
    signed,
    verified,
    zipped,
)

# The bundle comes from a database, which is made only where a test says so.
pytestmark = pytest.mark.django_db

Lines = list[bytes]
Change = Callable[[Lines, int], None]
WITHOUT = {*REDACTIONS.values(), *WITHHELD}
SIGNERS = signing.allowed_signers([KEY.public]).encode()


def flipped(raw: bytes, place: int) -> bytes:
    return raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]


def faults_of(parts: Parts, changes: dict[str, bytes | None], **facts: Any) -> list[str]:
    return list(verified(parts.resigned(changes, **facts), SIGNERS).faults)


def joined(lines: Lines) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def edited(line: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    value = json.loads(line)
    change(value)
    return rfc8785.dumps(value)


def test_what_nobody_changed_is_sound(real: bytes, parts: Parts) -> None:
    for raw in (real, parts.zipped(), parts.resigned({})):
        verification = verified(raw, SIGNERS)
        assert (verification.faults, verification.verdict()) == ([], "SOUND, and signed by a key you gave.")


# The chain


def test_any_byte_of_any_entry_that_changes_is_the_first_break_there(parts: Parts) -> None:
    incident = json.loads(parts.files["manifest.json"])["incident"]
    chain = VERIFIER.Chain(incident, [])
    for number, line in enumerate(parts.lines, start=1):
        before = (bytes(chain.marks), chain.head)
        for place in range(len(line)):
            chain.take(flipped(line, place))
            assert chain.broken.startswith(f"entry {number}: "), (number, place)
            assert (bytes(chain.marks), chain.head) == before or REDACTIONS.get(number)
            chain.marks[:], chain.head, chain.broken = before[0], before[1], ""
        chain.take(line)
        assert not chain.broken


def removed(lines: Lines, at: int) -> None:
    del lines[at]


def swapped(lines: Lines, at: int) -> None:
    other = at + 1 if at + 1 < len(lines) else 0
    lines[at], lines[other] = lines[other], lines[at]


def inserted(lines: Lines, at: int) -> None:
    """One that is sound in itself and follows the entry before it."""
    lines.insert(at, edited(lines[at], rehashed))


def rehashed(value: dict[str, Any]) -> None:
    value["record"]["actor"] = "Somebody else"
    value["hash"] = hashlib.sha256(rfc8785.dumps(value["record"])).hexdigest()


def twice(lines: Lines, at: int) -> None:
    lines.insert(at, lines[at])


def cut_off(lines: Lines, at: int) -> None:
    del lines[at:]


def rewritten(lines: Lines, at: int) -> None:
    """Sealed anew with other words, and left to hope that nobody looks at the next one."""

    def change(value: dict[str, Any]) -> None:
        value["content"] = {"summary": "Nothing happened", "details": {}}
        value["salt"] = "00" * 16
        sealed = hashlib.sha256(bytes(16) + rfc8785.dumps(value["content"])).hexdigest()
        value["record"]["commitment"] = sealed
        value["hash"] = hashlib.sha256(rfc8785.dumps(value["record"])).hexdigest()

    lines[at] = edited(lines[at], change)


def emptied(lines: Lines, at: int) -> None:
    """Passed off as withheld by the filter; or, where it was, as a line that is not there."""
    value = json.loads(lines[at])
    if "content" in value:
        del value["content"], value["salt"]
        lines[at] = rfc8785.dumps(value)
    else:
        lines[at] = b""


def half_emptied(lines: Lines, at: int) -> None:
    value = json.loads(lines[at])
    value.pop("salt", None) or value.update(salt="00" * 16)
    lines[at] = rfc8785.dumps(value)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "change",
    [removed, swapped, inserted, twice, cut_off, rewritten, emptied, half_emptied],
    ids=lambda change: change.__name__,
)
def test_a_changed_chain_is_found_wherever_it_changed(parts: Parts, change: Change) -> None:
    assert len(parts.lines) == ENTRIES
    for at in range(ENTRIES):
        lines = parts.lines
        change(lines, at)
        assert faults_of(parts, {"chain.jsonl": joined(lines)}), at


@pytest.mark.usefixtures("quick")
def test_a_tail_that_was_cut_off_with_the_head_moved_is_found_by_a_checkpoint(parts: Parts) -> None:
    for length in range(ENTRIES):
        lines = parts.lines[:length]
        last = json.loads(lines[-1])["hash"] if lines else "0" * 64
        changes = {"chain.jsonl": joined(lines)}
        left_out = sum(b'"content"' not in line for line in lines)
        left_out -= sum(by <= length for by in REDACTIONS)
        faults = faults_of(parts, changes, head={"sequence": length, "hash": last}, left_out=left_out)
        assert faults
        assert all(fault.startswith("Checkpoints: ") for fault in faults), (length, faults)


@pytest.mark.usefixtures("quick")
def test_a_changed_salt_is_found_in_every_entry(parts: Parts) -> None:
    for at in range(ENTRIES):
        value = json.loads(parts.lines[at])
        if at + 1 in WITHOUT:
            assert "salt" not in value
            continue
        lines = parts.lines
        lines[at] = edited(lines[at], lambda value: value.update(salt=flipped(bytes.fromhex(value["salt"]), 7).hex()))
        (fault,) = [fault for fault in faults_of(parts, {"chain.jsonl": joined(lines)}) if fault.startswith("Chain: ")]
        assert fault == f"Chain: the first break is at entry {at + 1}: its salt or content is not what was sealed"


@pytest.mark.usefixtures("quick")
def test_a_redacted_entry_cannot_be_passed_off_as_absent_or_as_withheld(parts: Parts) -> None:
    """Without the entry; with the numbers after it moved; and without the entry that tells of the redaction."""
    for by, redacted in REDACTIONS.items():
        for gone in (redacted, by):
            lines = parts.lines
            del lines[gone - 1]
            moved = [*lines[: gone - 1], *(edited(line, renumbered) for line in lines[gone - 1 :])]
            for changed in (lines, moved):
                assert any(fault.startswith("Chain: ") for fault in faults_of(parts, {"chain.jsonl": joined(changed)}))
    assert faults_of(parts, {}, left_out=len(WITHOUT)) != []


def renumbered(value: dict[str, Any]) -> None:
    value["record"]["sequence"] -= 1
    value["hash"] = hashlib.sha256(rfc8785.dumps(value["record"])).hexdigest()


# Files, manifest and signature, changed by somebody without the key


@pytest.mark.usefixtures("quick")
def test_any_byte_of_any_other_file_that_changes_is_found(parts: Parts) -> None:
    """Beside a chain without entries, which takes no time: nothing of these files is in it."""
    changes: dict[str, bytes | None] = {"chain.jsonl": b"", "checkpoints.jsonl": b""}
    light = Parts.of(parts.resigned(changes, head={"sequence": 0, "hash": "0" * 64}, left_out=0))
    assert verified(light.zipped(), SIGNERS).faults == []
    for name in sorted({*light.files} - {*changes, "verify_export.py"}):
        raw = light.files[name]
        for place in range(len(raw)):
            changed = zipped({**light.files, name: flipped(raw, place)})
            assert verified(changed, SIGNERS).faults, (name, place)


@pytest.mark.usefixtures("quick")
def test_any_byte_of_any_checkpoint_that_changes_is_found(parts: Parts) -> None:
    """By the checkpoint's own signature, whatever the manifest says."""
    signers = VERIFIER.Signers(SIGNERS)

    def holds(line: bytes) -> bool:
        one = VERIFIER.checkpoint_of(VERIFIER.parse(line))
        return bool(signers.check(one.signature, one.statement) == one.key)

    for number, line in enumerate(parts.files["checkpoints.jsonl"].splitlines(), start=1):
        assert holds(line)
        for place in range(len(line)):
            with suppress(VERIFIER.BadError):
                assert not holds(flipped(line, place)), (number, place)
        changed = parts.files["checkpoints.jsonl"].replace(line, flipped(line, len(line) // 2))
        assert any(fault.startswith("Checkpoints: ") for fault in faults_of(parts, {"checkpoints.jsonl": changed}))


@pytest.mark.usefixtures("quick")
def test_a_file_more_or_less_is_found(parts: Parts) -> None:
    for name in parts.files:
        assert verified(zipped({**parts.files, name: None}), SIGNERS).faults, name
    assert verified(zipped({**parts.files, "evidence/3 more.txt": b"x"}), SIGNERS).faults


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "facts",
    [
        {"reference": ["2017-004"]},
        {"incident": "00000000-0000-4000-8000-000000000000"},
        {"head": {"sequence": 199, "hash": "0" * 64}},
        {"head": {"sequence": 200, "hash": "0" * 64}},
        {"left_out": 10},
        {"left_out": True},
        {"exported_at": "yesterday"},
    ],
)
def test_a_manifest_that_does_not_fit_its_bundle_is_found_though_it_is_signed(parts: Parts, facts: Any) -> None:
    assert faults_of(parts, {}, **facts)


@pytest.mark.usefixtures("quick")
def test_a_signature_by_an_unknown_key_is_found(parts: Parts) -> None:
    own = parts.resigned({}, OTHER)
    assert any("not among the signers" in fault for fault in verified(own).faults)
    replaced = parts.resigned({"allowed_signers": signing.allowed_signers([OTHER.public, KEY.public]).encode()}, OTHER)
    # The bundle agrees with itself: who was given no signers is told what that is worth.
    assert verified(replaced).verdict() == "SOUND in itself. Whose it is was not checked: no signers were given."
    assert any("not among the signers" in fault for fault in verified(replaced, SIGNERS).faults)


# Somebody who holds the database and the key


def insider(parts: Parts, at: int) -> bytes:
    """The past written anew from entry `at` on: every seal, every later checkpoint and the manifest fit."""
    previous, lines, hashes = "", parts.lines, {}
    for number, line in enumerate(lines, start=1):
        value = json.loads(line)
        if number >= at:
            if number > at:
                value["record"]["previous"] = previous
            rehashed(value)
            lines[number - 1] = rfc8785.dumps(value)
        previous = hashes[number] = value["hash"]
    manifest = json.loads(parts.files["manifest.json"])
    kept = [json.loads(line)["sequence"] for line in parts.files["checkpoints.jsonl"].splitlines()]
    checkpoints = b"".join(signed(manifest["incident"], number, hashes[number]).line for number in kept)
    changes = {"chain.jsonl": joined(lines), "checkpoints.jsonl": checkpoints}
    return parts.resigned(changes, head={"sequence": ENTRIES, "hash": previous})


@pytest.mark.usefixtures("quick")
def test_an_insider_with_database_and_key_is_found_by_what_a_witness_kept(parts: Parts) -> None:
    line = parts.files["checkpoints.jsonl"].splitlines()[2]
    witness = VERIFIER.checkpoint_of(json.loads(line))
    assert witness.sequence == 100
    assert verified(parts.resigned({}), SIGNERS, [("mail", witness)]).faults == []
    for at in range(1, ENTRIES + 1):
        raw = insider(parts, at)
        if at % 20 == 1:
            assert verified(raw, SIGNERS).faults == []
        found = verified(raw, SIGNERS, [("mail", witness)]).faults
        told = "Witness: mail, entry 100 of 2017-06-23T08:47:00.001500Z: at that entry the chain has another hash"
        assert found == ([told] if at <= 100 else []), at


@pytest.mark.usefixtures("quick")
def test_a_witness_of_more_than_the_bundle_holds_is_not_passed_over(parts: Parts) -> None:
    incident = json.loads(parts.files["manifest.json"])["incident"]
    cases = ((AT, "the chain of the bundle ends before it"), (AT.replace(year=2018), "ask for a bundle that is newer"))
    for time, words in cases:
        one = VERIFIER.checkpoint_of(json.loads(signed(incident, 201, "0" * 64, time).line))
        (fault,) = verified(parts.resigned({}), SIGNERS, [("mail", one)]).faults
        assert words in fault


@pytest.mark.usefixtures("quick")
def test_a_witness_of_another_incident_or_key_is_not_passed_over(parts: Parts) -> None:
    other = signed("00000000-0000-4000-8000-000000000000", 100, "0" * 64)
    (fault,) = verified(parts.resigned({}), SIGNERS, [("x", VERIFIER.checkpoint_of(json.loads(other.line)))]).faults
    assert "it is of another incident" in fault
    line = json.loads(parts.files["checkpoints.jsonl"].splitlines()[2])
    line["signature"] = signing.sign(OTHER.private, b"")
    assert any(
        "Witness" in fault
        for fault in verified(parts.resigned({}), SIGNERS, [("x", VERIFIER.checkpoint_of(line))]).faults
    )


# As an auditor runs it


def test_the_program_says_the_same(real: bytes, parts: Parts, tmp_path: Path) -> None:
    bundle, signers, witness = tmp_path / "b.zip", tmp_path / "signers", tmp_path / "mail.txt"
    signers.write_bytes(SIGNERS)
    line = parts.files["checkpoints.jsonl"].splitlines()[2]
    witness.write_bytes(b"Subject: checkpoint of entry 100\r\n\r\nKeep this.\r\n" + line + b"\r\n")
    bundle.write_bytes(real)
    sound = run(bundle, "--signers", signers, "--checkpoint", witness)
    assert (sound.returncode, sound.stderr) == (0, "")
    assert sound.stdout.splitlines()[-1] == "SOUND, and signed by a key you gave."
    for said in (
        "ssh-keygen says the same",
        "200 entries verify",
        "2 entries, by a later entry each: 40 to 41",
        "11 entries, by the filter: 10 to 20",
        "5 of 5 agree with the chain, the last at entry 200",
    ):
        assert said in sound.stdout
    lines = parts.lines
    del lines[99]
    mutants = {
        "first break is at entry 100": parts.resigned({"chain.jsonl": joined(lines)}),
        "evidence/1 note.txt": zipped({**parts.files, "evidence/1 note.txt": b"x"}),
        "not one of these bytes": zipped({**parts.files, "manifest.json": parts.files["manifest.json"] + b" "}),
        "not among the signers": parts.resigned({}, OTHER),
        "at that entry the chain has another hash": insider(parts, 70),
    }
    for words, raw in mutants.items():
        bundle.write_bytes(raw)
        done = run(bundle, "--signers", signers, "--checkpoint", witness)
        assert (done.returncode, done.stderr) == (1, "")
        assert words in done.stdout
        assert done.stdout.splitlines()[-1].startswith("NOT SOUND.")
