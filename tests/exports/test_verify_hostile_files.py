"""The verifier, and everything somebody might put into a ZIP or beside it on the command line to trip it."""

import io
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.exports.bundles import VERIFIER, Parts, run, verified, zipped

# The bundle comes from a database, which is made only where a test says so.
pytestmark = pytest.mark.django_db


def outcome(tmp_path: Path, raw: bytes, *arguments: object) -> tuple[int, str]:
    """Exit status and output of the program; it never says anything on the other stream."""
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(raw)
    done = run(bundle, *arguments)
    assert done.stderr == ""
    return done.returncode, done.stdout


def with_names(*names: str, **options: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **options) as archive:
        for name in names:
            archive.writestr(name, b"{}")
    return out.getvalue()


@pytest.mark.parametrize("raw", [b"", b"PK", b"not a ZIP", b"PK\x05\x06" + b"\xff" * 18, b"\0" * 100_000])
def test_what_is_no_zip_could_not_be_read(tmp_path: Path, raw: bytes) -> None:
    status, said = outcome(tmp_path, raw)
    assert (status, said.splitlines()[-1].startswith("COULD NOT BE READ.")) == (2, True)


def test_a_bundle_that_is_cut_off_or_has_something_before_it_is_never_sound(real: bytes, tmp_path: Path) -> None:
    assert outcome(tmp_path, real[:-200])[0] == 2
    assert outcome(tmp_path, real[: len(real) // 2])[0] == 2
    assert outcome(tmp_path, b"#!/bin/sh\n" + real)[0] == 1


def test_something_between_the_files_is_found(real: bytes) -> None:
    """Another program might find a file there that is not in the list."""
    end = real.rfind(b"PK\x05\x06")
    start = struct.unpack("<L", real[end + 16 : end + 20])[0]
    hidden = real[:start] + with_names("hidden.pdf")[:50] + real[start:end]
    moved = hidden + real[end : end + 16] + struct.pack("<L", start + 50) + real[end + 20 :]
    assert zipfile.ZipFile(io.BytesIO(moved)).testzip() is None
    assert verified(moved).faults == ["ZIP: there is something in the ZIP beside the files that it lists"]


@pytest.mark.parametrize(
    "name",
    ["../etc/x", "/etc/x", "a//b", "a\\b", "C:x", "dir/", "./x", "x\x1b[2J", "a\nVerdict: sound", "\u202egpj.exe"],
)
def test_a_name_that_could_do_harm_is_found_and_not_spoken(parts: Parts, tmp_path: Path, name: str) -> None:
    status, said = outcome(tmp_path, parts.resigned({name: b"x"}))
    assert (status, "is not a name that a bundle may hold" in said) == (1, True)
    assert not {"\x1b", "\u202e"} & set(said)
    assert "Verdict: sound" not in said.splitlines()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_found(parts: Parts) -> None:
    out = io.BytesIO(parts.zipped())
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("chain.jsonl", parts.files["chain.jsonl"])
    assert "ZIP: chain.jsonl is in it twice" in verified(out.getvalue()).faults


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    raw = with_names("manifest.json")
    out = io.BytesIO(raw)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(200 << 20))
    status, said = outcome(tmp_path, out.getvalue())
    assert (status, "It would grow without measure" in said) == (2, True)


def test_a_packing_that_the_portal_does_not_use_could_not_be_read(tmp_path: Path) -> None:
    assert outcome(tmp_path, with_names("manifest.json", compression=zipfile.ZIP_LZMA))[0] == 2
    encrypted = bytearray(with_names("manifest.json"))
    for marker, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[encrypted.find(marker) + place] |= 1
    assert outcome(tmp_path, bytes(encrypted))[0] == 2


@pytest.mark.parametrize(
    "manifest",
    [
        b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"files":{},"files":{}}', b'{"left_out":1e9}',
        b'{"incident":' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_a_manifest_that_is_none_is_not_sound(parts: Parts, tmp_path: Path, manifest: bytes) -> None:
    status, said = outcome(tmp_path, zipped({**parts.files, "manifest.json": manifest}))
    assert (status, said.splitlines()[-1]) == (1, "NOT SOUND. 1 thing is wrong, see above.")


def test_what_a_bundle_says_cannot_speak_to_the_terminal(parts: Parts, tmp_path: Path) -> None:
    loud = "\x1b]0;owned\x07\nSOUND, and signed by a key you gave." + "x" * 10_000
    facts = {"reference": loud, "exported_by": loud, "filter": {loud: loud}}
    status, said = outcome(tmp_path, parts.resigned({}, **facts))
    assert (status, "\x1b" in said, "\x07" in said) == (0, False, False)
    assert max(map(len, said.splitlines())) < 400
    assert said.count("\nSOUND") == 1


def test_any_byte_of_the_zip_that_changes_leads_to_words_and_never_to_more(
    real: bytes, capsys: Any, tmp_path: Path
) -> None:
    chance, path = random.Random(5), tmp_path / "bundle.zip"
    for _ in range(150):
        raw = bytearray(real)
        for _ in range(chance.choice((1, 1, 3, 50))):
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.3:
            end = chance.randrange(len(raw))
            del raw[end : end + chance.randrange(200)]
        path.write_bytes(raw)
        status = VERIFIER.main([str(path)])
        said = capsys.readouterr()
        assert (said.err, "Error:" in said.out, "Traceback" in said.out) == ("", False, False)
        assert said.out.splitlines()[-1].startswith({0: "SOUND", 1: "NOT SOUND", 2: "COULD NOT BE READ"}[status])


# The command line


def test_files_that_hold_nothing_of_use_could_not_be_read(real: bytes, tmp_path: Path) -> None:
    empty, junk = tmp_path / "empty", tmp_path / "junk"
    empty.write_bytes(b"")
    junk.write_bytes(b'{"sequence": 1}\n')
    for arguments in (
        ("--signers", empty),
        ("--signers", tmp_path / "absent"),
        ("--checkpoint", empty),
        ("--checkpoint", junk),
        ("--checkpoint", tmp_path),
    ):
        status, said = outcome(tmp_path, real, *arguments)
        assert (status, "COULD NOT BE READ" in said) == (2, True)
    assert run(tmp_path / "absent.zip").returncode == 2


def test_without_ssh_keygen_it_says_so_and_verifies_all_the_same(real: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VERIFIER.shutil, "which", lambda _: None)
    verification = verified(real)
    assert verification.faults == []
    assert ("Signature", "ssh-keygen is not installed, so it was not asked") in verification.said


def test_what_ssh_keygen_refuses_is_not_sound(real: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "ssh-keygen"
    for words, faults in (("Could not verify signature.", 1), ("unknown option -- Y", 0)):
        program.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{words}' >&2\nexit 255\n")
        program.chmod(0o755)
        monkeypatch.setattr(VERIFIER.shutil, "which", lambda _: str(program))
        assert len(verified(real).faults) == faults
