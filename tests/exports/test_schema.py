"""The published schemas: what the portal writes fits them, and what the verifier refuses does not."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.exports.bundles import PROGRAM, VERIFIER, Parts

pytestmark = pytest.mark.django_db


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((PROGRAM.parent / "schema" / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_a_bundle_fits_the_schemas(parts: Parts) -> None:
    written = {
        "manifest": [parts.files["manifest.json"]],
        "chain": parts.files["chain.jsonl"].splitlines(),
        "checkpoint": parts.files["checkpoints.jsonl"].splitlines(),
    }
    for name, lines in written.items():
        wrong = [error.message for line in lines for error in validator(name).iter_errors(json.loads(line))]
        assert (len(lines) > 0, wrong) == (True, [])


def test_what_the_verifier_refuses_fits_no_schema(parts: Parts) -> None:
    lines, kept = validator("chain"), validator("checkpoint")
    whole = json.loads(parts.lines[0])
    for name in VERIFIER.FIELDS:
        assert not lines.is_valid({**whole, "record": without(whole["record"], name)})
    for changed in (without(whole, "salt"), without(whole, "hash"), {**whole, "more": 1}, {**whole, "hash": "x"}):
        assert not lines.is_valid(changed)
    checkpoint = json.loads(parts.files["checkpoints.jsonl"].splitlines()[0])
    for name in checkpoint:
        assert not kept.is_valid(without(checkpoint, name))
    manifest = json.loads(parts.files["manifest.json"])
    for name in manifest:
        assert not validator("manifest").is_valid(without(manifest, name))


def without(value: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: one for key, one in value.items() if key != name}
