"""The verifier is one file for any Python from 3.9 on: by its text, and on every one that this machine has."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.exports.bundles import PROGRAM

# The bundle comes from a database, which is made only where a test says so.
pytestmark = pytest.mark.django_db

TELL = "import sys; print('%d.%d' % sys.version_info[:2])"


def pythons() -> dict[str, str]:
    """Python 3.9 and later by version, from the path and from pyenv; the one of the tests at least."""
    places = [Path(place) for place in os.environ["PATH"].split(os.pathsep)]
    places += Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin")
    named = [file for place in places for file in place.glob("python3.*") if re.fullmatch(r"python3\.\d+", file.name)]
    found = {}
    for program in (sys.executable, *map(str, named)):
        told = subprocess.run([program, "-c", TELL], capture_output=True, text=True, check=False)
        if told.returncode == 0 and int(told.stdout.partition(".")[2]) >= 9:
            found.setdefault(told.stdout.strip(), program)
    return found


def test_nothing_in_it_is_newer_than_python_3_9() -> None:
    command = [
        sys.executable,
        "-c",
        "import vermin; vermin.main()",
        "--no-tips",
        "--violations",
        "-t=3.9-",
        str(PROGRAM),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    # What stands in annotations alone nobody evaluates.
    assert "from __future__ import annotations" in PROGRAM.read_text(encoding="utf-8")


def test_it_imports_the_standard_library_alone() -> None:
    tree = ast.parse(PROGRAM.read_text(encoding="utf-8"), feature_version=(3, 9))
    names = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names
    assert names <= set(sys.stdlib_module_names)


def test_every_python_of_this_machine_comes_to_the_same_verdict(real: bytes, tmp_path: Path) -> None:
    good, spoilt = tmp_path / "good.zip", tmp_path / "spoilt.zip"
    good.write_bytes(real)
    middle = len(real) // 2
    spoilt.write_bytes(real[:middle] + bytes([real[middle] ^ 1]) + real[middle + 1 :])
    told: dict[str, set[tuple[str, ...]]] = {}
    for version, program in pythons().items():
        for bundle, status in ((good, 0), (spoilt, 1)):
            command = [program, "-S", "-I", "-W", "error", str(PROGRAM), str(bundle)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
            assert (done.returncode, done.stderr) == (status, ""), (version, done.stdout, done.stderr)
            lines = [line for line in done.stdout.splitlines() if "cannot be unpacked" not in line]
            told.setdefault(bundle.name, set()).add(tuple(lines))
    assert {name: len(words) for name, words in told.items()} == {"good.zip": 1, "spoilt.zip": 1}
