"""The verifier by its parts: JSON, canonical form, Ed25519, signers, and the lines of the chain."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from runbooks.exports import signing
from tests.exports.bundles import KEY, OTHER, VERIFIER, Parts, verified

# The bundle comes from a database, which is made only where a test says so.
pytestmark = pytest.mark.django_db

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


# JSON


@given(values)
@settings(max_examples=300, deadline=None)
def test_the_canonical_form_is_that_of_the_library(value: Any) -> None:
    assert VERIFIER.canonical(value) == rfc8785.dumps(value)
    assert VERIFIER.parse(rfc8785.dumps(value)) == value


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}', b'{"a":{"b":1,"b":2}}', b"1.0", b"1e3", b"-0.0", b"NaN", b"Infinity", b"9007199254740992",
        b"1" * 5000, b"\xff", b'"\xc0\x80"', b'"\xed\xa0\x80"', b"", b"{", b"[1,]", b"'a'", b"\xef\xbb\xbf{}",
        b'"a\nb"', b"[" * 100_000, b'{"a":' * 100_000, b"{} {}",
    ],
)  # fmt: skip
def test_json_that_can_be_read_in_two_ways_or_never_ends_is_refused(raw: bytes) -> None:
    with pytest.raises(VERIFIER.BadError):
        VERIFIER.parse(raw)


def test_half_of_a_surrogate_pair_has_no_canonical_form() -> None:
    for value in ({"\ud800": 1}, ["\udfff"], 1.5):
        with pytest.raises(VERIFIER.BadError):
            VERIFIER.canonical(value)


# Ed25519


@pytest.mark.parametrize(
    ("public", "message", "signature"),
    [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
            "4a7c15e9716ed28dc027beceea1ec40a",
        ),
    ],
)
def test_the_signatures_of_rfc_8032_hold_and_changed_ones_do_not(public: str, message: str, signature: str) -> None:
    parts = [bytes.fromhex(part) for part in (public, message, signature)]
    assert VERIFIER.ed25519_holds(*parts)
    for place in (0, 31, 32, 63):
        changed = bytearray(parts[2])
        changed[place] ^= 1
        assert not VERIFIER.ed25519_holds(parts[0], parts[1], bytes(changed))
    assert not VERIFIER.ed25519_holds(parts[0], parts[1] + b"!", parts[2])
    # The same point and s + order: a second signature for the same message, which RFC 8032 forbids.
    s = int.from_bytes(parts[2][32:], "little") + VERIFIER.ORDER
    assert not VERIFIER.ed25519_holds(parts[0], parts[1], parts[2][:32] + s.to_bytes(32, "little"))


def test_signatures_of_the_library_hold() -> None:
    for number in range(20):
        key, message = Ed25519PrivateKey.generate(), bytes(range(number))
        public, signature = key.public_key().public_bytes_raw(), key.sign(message)
        assert VERIFIER.ed25519_holds(public, message, signature)
        assert not VERIFIER.ed25519_holds(public, message + b"x", signature)


@pytest.mark.parametrize(
    "public", [bytes(32), bytes([1]) + bytes(31), b"\xed" + b"\xff" * 30 + b"\x7f", b"\xff" * 32, b"", b"x" * 31]
)
def test_keys_that_would_sign_anything_are_refused(public: bytes) -> None:
    neutral = bytes([1]) + bytes(31)
    for signature in (neutral + bytes(32), bytes(64), b"", b"x" * 64):
        assert not VERIFIER.ed25519_holds(public, b"anything", signature)


# Signers


def test_signers_are_read_as_openssh_writes_them() -> None:
    key = KEY.public.split()[1]
    taken = [
        f'ir-portal namespaces="ir-portal" ssh-ed25519 {key} printed in the report',
        f"ir-portal ssh-ed25519 {key}",
        f"somebody,ir-portal ssh-ed25519 {key}\r",
    ]
    for line in taken:
        signers = VERIFIER.Signers(f"# ours\n\n{line}\n".encode())
        assert (len(signers.keys), signers.skipped) == (1, 0)
    refused = [
        f"somebody ssh-ed25519 {key}",
        f'ir-portal namespaces="file" ssh-ed25519 {key}',
        f'ir-portal valid-before="20200101" ssh-ed25519 {key}',
        f"ir-portal cert-authority ssh-ed25519 {key}",
        "ir-portal ssh-ed25519",
        "ir-portal ssh-ed25519 AAAA",
        "ir-portal ssh-rsa AAAA",
        "\xff\xfe",
    ]
    for line in refused:
        signers = VERIFIER.Signers(line.encode("latin-1"))
        assert (signers.keys, signers.skipped) == ([], 1)


def test_a_key_signs_only_while_it_is_in_use() -> None:
    valid = 'namespaces="ir-portal",valid-after="20170623084700Z",valid-before="20170624084700Z"'
    signers = VERIFIER.Signers(f"ir-portal {valid} {KEY.public}\n".encode())
    made = signing.sign(KEY.private, b"x")
    for time in ("2017-06-23T08:47:00.000000Z", "2017-06-24T08:46:59.999999Z"):
        assert signers.check(made, b"x", time) == signing.fingerprint(KEY.public)
    for time in ("2017-06-23T08:46:59.999999Z", "2017-06-24T08:47:01.000000Z"):
        with pytest.raises(VERIFIER.BadError, match="not in use"):
            signers.check(made, b"x", time)


def test_a_signature_for_another_purpose_is_refused() -> None:
    signers = VERIFIER.Signers(signing.allowed_signers([KEY.public]).encode())
    assert signers.check(signing.sign(KEY.private, b"x"), b"x") == signing.fingerprint(KEY.public)
    good = signing.sign(KEY.private, b"x")
    blob = base64.b64decode("".join(good.splitlines()[1:-1]))
    for text in (
        signing.sign(KEY.private, b"x", "file"),
        signing.sign(OTHER.private, b"x"),
        good.replace("\n", "\n\n"),
        good.replace("SSH", "PGP"),
        good + "x",
        "",
        "x" * 10_000,
        armoured(blob + b"x"),
        armoured(blob[:-1]),
        armoured(blob[:30]),
        armoured(blob.replace(b"sha512", b"sha999")),
        armoured(b""),
    ):
        with pytest.raises(VERIFIER.BadError):
            signers.check(text, b"x")


def armoured(blob: bytes) -> str:
    body = base64.b64encode(blob).decode()
    lines = [body[start : start + 70] for start in range(0, len(body), 70)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


# Two ways through a line


def test_the_quick_way_says_what_the_careful_way_says(parts: Parts) -> None:
    quick = [VERIFIER.quick_entry(line) for line in parts.lines]
    careful = [VERIFIER.careful_entry(line) for line in parts.lines]
    assert sum(one is not None for one in quick) > len(quick) // 2
    assert [one for one in quick if one] == [other for one, other in zip(quick, careful, strict=True) if one]


def test_a_line_need_not_be_canonical_but_what_was_hashed_is(parts: Parts) -> None:
    lines = [json.dumps(json.loads(line), indent=None, sort_keys=False).encode() for line in parts.lines]
    assert all(VERIFIER.quick_entry(line) is None for line in lines)
    raw = parts.resigned({"chain.jsonl": b"\n".join(lines)})
    assert verified(raw).faults == []


def spoilt(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def spoil(line: bytes) -> bytes:
        value = json.loads(line)
        change(value)
        value["hash"] = hashlib.sha256(json.dumps(value["record"], sort_keys=True).encode()).hexdigest()
        return json.dumps(value).encode()

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: b"[]",
        lambda line: b"",
        lambda line: b"null",
        lambda line: b"\xff" + line,
        lambda line: line + line,
        lambda line: b"[" * 50_000,
        lambda line: b'{"record":{},' + line[1:],
        spoilt(lambda value: value.update(more=1)),
        spoilt(lambda value: value.update(salt=[])),
        spoilt(lambda value: value.update(content=None)),
        spoilt(lambda value: value["content"].update(more=1)),
        spoilt(lambda value: value["content"]["details"].update(n=1.5)),
        spoilt(lambda value: value["content"]["details"].update(n=10**30)),
        spoilt(lambda value: value["record"].update(sequence=True)),
        spoilt(lambda value: value["record"].update(sequence="1")),
        spoilt(lambda value: value["record"].update(corrects=False)),
        spoilt(lambda value: value["record"].update(corrects=1)),
        spoilt(lambda value: value["record"].update(corrects=-1)),
        spoilt(lambda value: value["record"].update(more=1)),
        spoilt(lambda value: value["record"].update(v=2)),
        spoilt(lambda value: value["record"].update(recorded_at="today")),
        spoilt(lambda value: value["record"].pop("kind")),
    ],
)
def test_a_line_of_any_other_shape_is_a_break(parts: Parts, spoil: Callable[[bytes], bytes]) -> None:
    lines = parts.lines
    lines[0] = spoil(lines[0])
    faults = verified(parts.resigned({"chain.jsonl": b"\n".join(lines)})).faults
    assert any(fault.startswith("Chain: the first break is at entry 1: ") for fault in faults)


def test_content_that_stays_though_it_was_redacted_is_told(parts: Parts) -> None:
    """What ought to be gone is here: the bundle does not say of itself what it is."""
    chain = VERIFIER.Chain("x", [])
    chain.marks[:] = bytes([0, 2, 0, 3])
    assert (chain.ranges(2), chain.ranges(3), chain.ranges(0)) == ("2", "4", "1, 3")
