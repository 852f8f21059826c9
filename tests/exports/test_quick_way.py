"""The verifier has two ways through a line, and the quick one must never be the kinder one."""

import hashlib
import json
import re
from collections.abc import Iterator
from uuid import UUID

import rfc8785

from tests.exports.bundles import VERIFIER

INCIDENT = UUID(int=7)
SALT = b"0f" * 16
PIECES = [
    b"", b'"', b"\\", b'\\"', b"\\u0041", b"\x00", b"\n", b" ", b"0", b"9", b"f", b"F", b"-", b".", b",", b":", b"{",
    b"}", b"null", b"true", b'"a":1,', b'"hash":"', "é".encode(), "🔒".encode(), b"\xff", b"\xed\xa0\x80",
]  # fmt: skip
CONTENT = rfc8785.dumps({"summary": "Café 7", "details": {"a": [1, None], "b": {"c": "d"}}})
RECORD = rfc8785.dumps({
    "v": 1, "incident": str(INCIDENT), "sequence": 12, "previous": "0" * 64, "kind": "entry.added", "actor": "Mira",
    "occurred_at": "2017-06-24T10:40:00.000000Z", "occurred_precision": "second",
    "recorded_at": "2017-06-24T10:40:00.000000Z", "corrects": 3, "commitment": "0" * 64,
})  # fmt: skip


def resealed(content: bytes, record: bytes) -> bytes:
    """A line of somebody who hashes what they wrote, whatever it is."""
    commitment = hashlib.sha256(bytes.fromhex(SALT.decode()) + content).hexdigest().encode()
    record = re.sub(rb'"commitment":"[0-9a-f]{64}"', b'"commitment":"' + commitment + b'"', record, count=1)
    return b'{"content":' + content + b"," + withheld(record)[1:-1] + b',"salt":"' + SALT + b'"}'


def withheld(record: bytes) -> bytes:
    """The same without content."""
    return b'{"hash":"' + hashlib.sha256(record).hexdigest().encode() + b'","record":' + record + b"}"


def spoilt(part: bytes) -> Iterator[bytes]:
    """Every piece put in at every place, beside and instead of what stands there."""
    for place in range(len(part) + 1):
        for piece in PIECES:
            yield part[:place] + piece + part[place:]
            yield part[:place] + piece + part[place + 1 :]


def is_taken(line: bytes) -> bool:
    """Whether the chain takes it as entry 12. Whatever way it went then, the careful one must agree."""
    chain = VERIFIER.Chain(str(INCIDENT), [])
    chain.marks.extend(bytes(11))
    chain.take(line)
    if chain.broken:
        return False
    entry = VERIFIER.careful_entry(line)
    assert (entry.sequence, entry.incident, entry.previous) == (12, str(INCIDENT), "0" * 64), line
    assert VERIFIER.quick_entry(line) in (None, entry), line
    return True


def test_what_the_portal_writes_goes_the_quick_way() -> None:
    for line in (resealed(CONTENT, RECORD), withheld(RECORD)):
        assert VERIFIER.quick_entry(line) == VERIFIER.careful_entry(line)
        assert is_taken(line)


def test_the_quick_way_takes_nothing_that_the_careful_way_reads_otherwise() -> None:
    """Whatever is written into a line at any place, and sealed as it is written."""
    lines = [resealed(part, RECORD) for part in spoilt(CONTENT)]
    lines += [resealed(CONTENT, part) for part in spoilt(RECORD)]
    lines += [withheld(part) for part in spoilt(RECORD)]
    lines += spoilt(resealed(CONTENT, RECORD))
    lines += spoilt(withheld(RECORD))
    assert sum(map(is_taken, lines)) > 500


def test_names_stand_in_the_order_of_their_utf_16_units() -> None:
    astral, other = '"🔒":1', '"ﬁ":2'
    right, wrong = f"{astral},{other}", f"{other},{astral}"
    for details, is_right in ((right, True), (wrong, False)):
        content = f'{{"details":{{{details}}},"summary":"x"}}'.encode()
        assert is_taken(resealed(content, RECORD)) is is_right


def test_a_content_that_is_none_is_not_taken() -> None:
    """Canonical and sealed as it is written, and yet not what the portal calls content."""
    for content in (
        {"summary": "x", "details": ["y"]},
        {"summary": "x", "details": []},
        {"summary": "x", "details": "y"},
        {"summary": "x", "details": 1},
        {"summary": 1, "details": {}},
        {"summary": "x", "details": {"n": 2**53}},
        {"summary": "x", "details": {"n": {"m": [-(2**53)]}}},
        {"summary": "x", "more": {}},
        {"summary": "x"},
        {"summary": "x", "details": {}, "more": 1},
        ["x", {}],
        "x",
        None,
    ):
        written = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        assert not is_taken(resealed(written, RECORD)), content
