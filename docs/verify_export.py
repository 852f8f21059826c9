#!/usr/bin/env python3
"""Verify an evidence bundle of IR Portal, without the portal.

    python3 verify_export.py BUNDLE.zip [--signers FILE] [--checkpoint FILE ...]

Python 3.9 or newer and its standard library, nothing else; no network. Take this file from somewhere you trust: the one
inside a bundle comes from whoever made the bundle. `--signers` is the portal's list of public keys from elsewhere (its
address /.well-known/ir-portal-signers, or a printed report); `--checkpoint` is what a witness kept, as often as needed.

Exit status: 0 sound, 1 not sound, 2 could not be read. docs/auditors.md explains every line; docs/architecture.md the
format: RFC 8785 (canonical JSON), RFC 8032 (Ed25519), PROTOCOL.sshsig of OpenSSH.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from typing import Any, BinaryIO, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

PORTAL = "ir-portal"  # the principal and the namespace of every signature
MANIFEST, SIGNATURE, SIGNERS = "manifest.json", "manifest.json.sig", "allowed_signers"
CHAIN, CHECKPOINTS, VERIFIER = "chain.jsonl", "checkpoints.jsonl", "verify_export.py"
GENESIS = "0" * 64
REDACTED = "entry.redacted"

# What nobody's incident reaches, and nobody may make this program swallow.
CHUNK = 1 << 18
LINE_MAX = 8 << 20
QUICK_MAX = 1 << 16
MANIFEST_MAX = 16 << 20
SMALL_MAX = 1 << 20
DIRECTORY_MAX = 64 << 20
CHECKPOINTS_COUNTED = 100_000
EXPANDS_AT_MOST = 200
FAULTS_SHOWN = 20
LARGEST = 2**53 - 1

ZIP_ERRORS = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, OSError, ValueError, RuntimeError, EOFError,
    NotImplementedError, OverflowError, IndexError, KeyError,
)  # fmt: skip


class UnreadableError(Exception):
    """There is nothing here that could be checked; the text says why."""


class BadError(Exception):
    """Something is not as it must be; the text says what."""


# JSON, strictly, and its canonical form


def _unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadError("a name stands twice in one JSON object")
    return found


def _whole(text: str) -> int:
    number = int(text) if len(text) <= 17 else LARGEST + 1
    if abs(number) > LARGEST:
        raise BadError("a number is larger than JSON can carry exactly")
    return number


def _refuse_number(text: str) -> None:
    raise BadError("a number is not whole")


STRICT = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_whole, parse_float=_refuse_number, parse_constant=_refuse_number
)
# Lets a name stand twice: its caller writes the value again, and compares.
QUICK = json.JSONDecoder(parse_int=_whole, parse_float=_refuse_number, parse_constant=_refuse_number)
ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
quote = json.encoder.encode_basestring


def _encoder() -> Callable[[Any], str]:
    """ENCODER.encode without making the encoder anew each time, where this Python lets one: in half the time."""
    try:
        encode = vars(json.encoder)["c_make_encoder"](None, None, quote, None, ":", ",", True, False, False)
        if "".join(encode({"b": ["\n", 1], "a": None}, 0)) == '{"a":null,"b":["\\n",1]}':
            return lambda value: "".join(encode(value, 0))
    except (KeyError, TypeError):
        pass
    return ENCODER.encode


quick_encode = _encoder()


def parse(raw: bytes) -> Any:
    """The value of this JSON text; BadError for what is not UTF-8, not JSON, ambiguous, not whole or too deep."""
    try:
        return STRICT.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise BadError("it is not UTF-8") from None
    except ValueError:
        raise BadError("it is not JSON") from None
    except RecursionError:
        raise BadError("it is nested too deep") from None


def canonical(value: Any) -> bytes:
    """RFC 8785 for strings, whole numbers, true, false, null, lists and objects."""
    try:
        return _canonical(value).encode("utf-8")
    except UnicodeEncodeError:
        raise BadError("a text holds half of a surrogate pair") from None
    except RecursionError:
        raise BadError("it is nested too deep") from None


def _canonical(value: Any) -> str:
    if isinstance(value, dict):
        # By UTF-16 code units: other than by code points where a name leaves the basic plane.
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{ENCODER.encode(name)}:{_canonical(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_canonical(one) for one in value) + "]"
    if value is None or isinstance(value, (str, bool, int)):
        return ENCODER.encode(value)
    raise BadError("a number is not whole")


def need(value: Any, **kinds: Any) -> Dict[str, Any]:
    """This object, if it has these fields of these types; True and False are no numbers."""
    if not isinstance(value, dict):
        raise BadError("it is not a JSON object")
    for name, kind in kinds.items():
        if name not in value:
            raise BadError(f"{name} is missing")
        if not isinstance(value[name], kind) or (kind is int and isinstance(value[name], bool)):
            raise BadError(f"{name} is not of its type")
    return value


HEX64 = re.compile("[0-9a-f]{64}")
HEX32 = re.compile("[0-9a-f]{32}")
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def match(pattern: Any, value: str, name: str) -> None:
    if not pattern.fullmatch(value):
        raise BadError(f"{name} is not written as it must be")


def shown(text: Any, longest: int = 160) -> str:
    """What a bundle says, so that it cannot speak to the terminal."""
    words = "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in str(text)[: longest + 1])
    return words if len(words) <= longest else words[: longest - 3] + "..."


def plural(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


# Signatures: Ed25519 in OpenSSH's envelope

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
Point = Tuple[int, int, int, int]
NEUTRAL: Point = (0, 1, 1, 0)


def _add(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _double_sum(s: int, p: Point, k: int, q: Point) -> Point:
    """s * p + k * q."""
    both, total = _add(p, q), NEUTRAL
    for bit in range(max(s.bit_length(), k.bit_length()) - 1, -1, -1):
        total = _add(total, total)
        choice = (s >> bit & 1) + 2 * (k >> bit & 1)
        if choice:
            total = _add(total, (p, q, both)[choice - 1])
    return total


def _point(encoded: bytes) -> Optional[Point]:
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == P - u:
        x = x * ROOT % P
    if y >= P or v * x * x % P != u or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def _encoded(point: Point) -> bytes:
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little")) or NEUTRAL


def ed25519_holds(public: bytes, message: bytes, signature: bytes) -> bool:
    """RFC 8032, 5.1.7, without the cofactor as OpenSSH does it; keys of small order are refused."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, s = _point(public), int.from_bytes(signature[32:], "little")
    if key is None or s >= ORDER or _encoded(_double_sum(8, key, 0, NEUTRAL)) == _encoded(NEUTRAL):
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    minus = (P - key[0], key[1], key[2], P - key[3])
    return _encoded(_double_sum(s, BASE, k, minus)) == signature[:32]


def _ssh_string(blob: bytes) -> Tuple[bytes, bytes]:
    length = int.from_bytes(blob[:4], "big")
    if len(blob) < 4 + length or len(blob) < 4:
        raise BadError("the signature or key is cut off")
    return blob[4 : 4 + length], blob[4 + length :]


def _with_length(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


def public_of(blob: bytes) -> bytes:
    """The 32 bytes of an Ed25519 key in OpenSSH's wire format."""
    kind, rest = _ssh_string(blob)
    public, rest = _ssh_string(rest)
    if kind != b"ssh-ed25519" or len(public) != 32 or rest:
        raise BadError("the key is not an Ed25519 one")
    return public


def fingerprint(blob: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


HEAD, FOOT = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"


def _unarmoured(text: str) -> bytes:
    """The bytes of an armoured signature that is written as OpenSSH writes it, and in no other way."""
    body = text.replace("\r\n", "\n").strip("\n")
    try:
        blob = base64.b64decode("".join(body.split("\n")[1:-1]), validate=True)
    except (binascii.Error, ValueError):
        raise BadError("the signature is not base64") from None
    encoded = base64.b64encode(blob).decode()
    lines = [encoded[start : start + 70] for start in range(0, len(encoded), 70)]
    if body != "\n".join([HEAD, *lines, FOOT]):
        raise BadError("it is not an OpenSSH signature")
    return blob


VALID = re.compile(
    f'namespaces="{PORTAL}"' + r'(?:,valid-after="([0-9]{14})Z")?(?:,valid-before="([0-9]{14})Z")?', re.ASCII
)


def digits_of(time: str) -> str:
    """An instant as OpenSSH writes it, to the second: 20170624104000."""
    return re.sub("[^0-9]", "", time)[:14]


class Signers:
    """Public keys by their wire format, from a file in the format of `ssh-keygen -Y verify`."""

    def __init__(self, raw: bytes) -> None:
        self.keys: List[bytes] = []
        self.valid: Dict[bytes, Tuple[str, str]] = {}
        self.skipped = 0
        for line in raw.decode("utf-8", "replace").splitlines():
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            try:
                self._add(words)
            except (BadError, ValueError):
                self.skipped += 1

    def _add(self, words: List[str]) -> None:
        """principal [namespaces="ir-portal"[,valid-...]] ssh-ed25519 key [comment]; other options are refused."""
        options = words[1 : words.index("ssh-ed25519")]
        valid = VALID.fullmatch(options[0]) if len(options) == 1 else None
        blob = base64.b64decode(words[len(options) + 2] if len(words) > len(options) + 2 else "", validate=True)
        if PORTAL not in words[0].split(",") or (options and valid is None):
            raise BadError("not for this portal")
        public_of(blob)
        self.keys.append(blob)
        if valid is not None and any(valid.groups()):
            self.valid[blob] = (valid[1] or "", valid[2] or "")

    def check(self, text: str, message: bytes, time: str = "") -> str:
        """The fingerprint of the key whose good signature this is; BadError where it is not, or of nobody known.

        `time` is when it says that it was made: the key must have been in use then.
        """
        if len(text) > 8192:
            raise BadError("the signature is far too long")
        blob = _unarmoured(text)
        if blob[:10] != b"SSHSIG\x00\x00\x00\x01":
            raise BadError("it is not an OpenSSH signature of version 1")
        key, rest = _ssh_string(blob[10:])
        namespace, rest = _ssh_string(rest)
        reserved, rest = _ssh_string(rest)
        algorithm, rest = _ssh_string(rest)
        made, rest = _ssh_string(rest)
        kind, signature = _ssh_string(made)
        signature, beyond = _ssh_string(signature)
        public = public_of(key)
        if kind != b"ssh-ed25519" or algorithm not in (b"sha512", b"sha256") or rest or beyond or reserved:
            raise BadError("the signature is of a kind that the portal does not make")
        if namespace != PORTAL.encode():
            raise BadError("the signature was made for something else than this portal")
        digest = hashlib.new(algorithm.decode(), message).digest()
        signed = b"SSHSIG" + b"".join(map(_with_length, (namespace, reserved, algorithm, digest)))
        if not ed25519_holds(public, signed, signature):
            raise BadError("the signature is not one of these bytes")
        if key not in self.keys:
            raise BadError(f"the signature is by a key that is not among the signers: {fingerprint(key)}")
        after, before = self.valid.get(key, ("", ""))
        if time and not (after <= digits_of(time) <= (before or "9")):
            raise BadError(f"at the time it names, the key was not in use: {fingerprint(key)}")
        return fingerprint(key)


# The chain

ASTRAL = re.compile("[\U00010000-\U0010ffff]")
FIELDS = {
    "v": int, "incident": str, "sequence": int, "previous": str, "kind": str, "actor": str, "occurred_at": str,
    "occurred_precision": str, "recorded_at": str, "corrects": (int, type(None)), "commitment": str,
}  # fmt: skip


class Entry(NamedTuple):
    """What of one line the chain is checked by. `content` is SHA-256(salt, content) where both are there."""

    sequence: int
    previous: str
    incident: str
    kind: str
    corrects: Optional[int]
    hash: str
    record: str
    commitment: str
    content: Optional[str]


CONTENT = '{"content":'
# What stands in a line behind its content: every part in its place, and texts without anything that JSON escapes. What
# is compared later, letter by letter, may be anything of its length here.
REST = re.compile(
    r'"hash":"(.{64})","record":(\{"actor":"TEXT","commitment":"(.{64})","corrects":(null|NUMBER),"incident":"(.{36})",'
    r'"kind":"(TEXT)","occurred_at":"TIME","occurred_precision":"TEXT","previous":"(.{64})","recorded_at":"TIME",'
    r'"sequence":(NUMBER),"v":1\})(?:,"salt":"([0-9a-f]{32})")?\}'.replace("TEXT", r'[^"\\\x00-\x1f]*')
    .replace("NUMBER", "[1-9][0-9]{0,14}")
    .replace("TIME", INSTANT.pattern)
)


def quick_entry(line: bytes) -> Optional[Entry]:
    """The entry of a line that is canonical, as the portal writes it; None for what `careful_entry` has to look at.

    The content is read, written again, and must come out the same; the rest has one form only. So nothing stands in the
    line twice, in another order or in another form, and its own bytes are the ones that were hashed.
    """
    if len(line) > QUICK_MAX:
        return None
    try:
        text, start, hashed = line.decode("utf-8"), 1, None
        if text.startswith(CONTENT):
            content, end = QUICK.raw_decode(text, len(CONTENT))
            start, written = end + 1, _quick_content(content)
            if text[len(CONTENT) : start] != written + "," or (not text.isascii() and ASTRAL.search(written)):
                return None
        rest = REST.fullmatch(text, start)
        if rest is None:
            return None
        digest, sealed, commitment, corrects, incident, kind, previous, sequence, salt = rest.groups()
        if start > 1:
            hashed = hashlib.sha256(bytes.fromhex(salt) + written.encode()).hexdigest()
        elif text[0] != "{" or salt is not None or not HEX64.fullmatch(commitment):
            return None
        computed = hashlib.sha256(sealed.encode()).hexdigest()
        named = None if corrects == "null" else int(corrects)
        # The tuple itself: Entry(...) takes twice the time, a million times.
        parts = (int(sequence), previous, incident, kind, named, digest, computed, commitment, hashed)
        return tuple.__new__(Entry, parts)
    except (BadError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def _quick_content(content: Any) -> str:
    details, summary = content.values()
    if type(details) is not dict:
        raise BadError("its content is not a summary and details")
    written = quick_encode(details) if details else "{}"
    return f'{{"details":{written},"summary":{quote(summary)}}}'


def _is_content(value: Any) -> bool:
    return len(value) == 2 and isinstance(value.get("summary"), str) and isinstance(value.get("details"), dict)


def careful_entry(line: bytes) -> Entry:
    """The entry of any line; BadError says what is wrong with it."""
    value = need(parse(line), record=dict, hash=str)
    record = need(value["record"], **FIELDS)
    if set(record) != set(FIELDS) or record["v"] != 1 or isinstance(record["corrects"], bool):
        raise BadError("its record has other fields than version 1 has")
    for name in ("previous", "commitment"):
        match(HEX64, record[name], name)
    match(HEX64, value["hash"], "hash")
    match(UUID, record["incident"], "incident")
    for name in ("occurred_at", "recorded_at"):
        match(INSTANT, record[name], name)
    content = None
    if set(value) == {"record", "hash", "salt", "content"}:
        need(value, salt=str, content=dict)
        match(HEX32, value["salt"], "salt")
        if not _is_content(value["content"]):
            raise BadError("its content is not a summary and details")
        content = hashlib.sha256(bytes.fromhex(value["salt"]) + canonical(value["content"])).hexdigest()
    elif set(value) != {"record", "hash"}:
        raise BadError("it has other parts than a record and its hash, with salt and content or without both")
    hashed = hashlib.sha256(canonical(record)).hexdigest()
    return Entry(
        record["sequence"], record["previous"], record["incident"], record["kind"], record["corrects"], value["hash"],
        hashed, record["commitment"], content,
    )  # fmt: skip


class Chain:
    """Takes line by line, and remembers a byte an entry: 1 has no content, 2 is named by a redaction."""

    def __init__(self, incident: str, wanted: Iterable[int]) -> None:
        self.incident = incident
        self.wanted = set(wanted)
        self.hashes: Dict[int, str] = {}
        self.marks = bytearray()
        self.head = GENESIS
        self.broken = ""

    def take(self, line: bytes) -> None:
        """One more entry. After the first break there is nothing to hold the next one against."""
        if self.broken:
            return
        try:
            self._follow(quick_entry(line) or careful_entry(line))
        except BadError as error:
            self.broken = f"entry {len(self.marks) + 1:,}: {error}"

    def _follow(self, entry: Entry) -> None:
        due = len(self.marks) + 1
        sequence, previous, incident, kind, corrects, digest, record, commitment, content = entry
        if sequence != due:
            missing = "it is missing, and " if sequence > due else ""
            raise BadError(f"{missing}entry {sequence:,} stands in its place")
        if previous != self.head:
            raise BadError("it does not follow the entry before it")
        if record != digest:
            raise BadError("its record is not what was hashed")
        if incident != self.incident:
            raise BadError("it is of another incident")
        if content is not None and content != commitment:
            raise BadError("its salt or content is not what was sealed")
        if corrects is not None:
            if not 1 <= corrects < due:
                raise BadError("it names an entry that is not an earlier one")
            if kind == REDACTED:
                self.marks[corrects - 1] |= 2
        self.marks.append(content is None)
        self.head = digest
        if due in self.wanted:
            self.hashes[due] = digest

    def ranges(self, mark: int) -> str:
        """The entries with this mark, as "3, 5 to 9"; the first of them where they are many."""
        runs: List[str] = []
        place = self.marks.find(mark)
        while place >= 0 and len(runs) < 12:
            end = place
            while end < len(self.marks) and self.marks[end] == mark:
                end += 1
            runs.append(f"{place + 1}" if end == place + 1 else f"{place + 1} to {end}")
            place = self.marks.find(mark, end)
        return ", ".join(runs) + (" and others" if place >= 0 else "")


class Checkpoint(NamedTuple):
    incident: str
    sequence: int
    hash: str
    time: str
    key: str
    signature: str

    @property
    def statement(self) -> bytes:
        """The bytes that are signed."""
        named = {"incident": self.incident, "sequence": self.sequence, "hash": self.hash, "time": self.time}
        return canonical(named)


def checkpoint_of(value: Any) -> Checkpoint:
    need(value, incident=str, sequence=int, hash=str, time=str, key=str, signature=str)
    match(HEX64, value["hash"], "hash")
    match(INSTANT, value["time"], "time")
    return Checkpoint(*(value[name] for name in Checkpoint._fields))


# The ZIP


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        whole = (rest + chunk).split(b"\n")
        rest = whole.pop()
        if len(rest) > LINE_MAX:
            raise BadError("a line is far too long")
        yield from whole
    if rest:
        yield rest


def _directory_size(file: BinaryIO) -> int:
    """How large the list of files is, before zipfile reads it into memory."""
    length = file.seek(0, os.SEEK_END)
    start = max(0, length - 65_557 - 76)
    file.seek(start)
    tail = file.read()
    at = len(tail) - 22
    if not (tail[at : at + 4] == b"PK\x05\x06" and tail.endswith(b"\0\0")):
        at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise UnreadableError("It is not a ZIP file, or its end is missing.")
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    if at >= 76 and tail[at - 20 : at - 16] == b"PK\x06\x07" and tail[at - 76 : at - 72] == b"PK\x06\x06":
        size = int.from_bytes(tail[at - 36 : at - 28], "little")
    return size


class Bundle:
    """The files of the ZIP by name; what is wrong with how they lie in it is in `faults`."""

    def __init__(self, file: BinaryIO) -> None:
        if _directory_size(file) > DIRECTORY_MAX:
            raise UnreadableError("Its list of files is far too large.")
        try:
            self.zip = zipfile.ZipFile(file)
        except ZIP_ERRORS as error:
            raise UnreadableError(f"It is not a ZIP file that can be read: {shown(error)}.") from None
        members = self.zip.infolist()
        length = file.seek(0, os.SEEK_END)
        if sum(one.file_size for one in members) > EXPANDS_AT_MOST * length + (64 << 20):
            raise UnreadableError("It would grow without measure when it is unpacked.")
        self.files: Dict[str, zipfile.ZipInfo] = {}
        self.faults: List[str] = []
        for one in members:
            self._take(one)
        self._lies_close(file, members)

    def _take(self, one: zipfile.ZipInfo) -> None:
        name = one.filename
        parts = name.split("/")
        if (
            one.orig_filename != name
            or "\\" in name
            or ":" in name
            or not name.isprintable()
            or {"", ".", ".."} & set(parts)
        ):
            self.faults.append(f"{shown(name)} is not a name that a bundle may hold")
        if name in self.files:
            self.faults.append(f"{shown(name)} is in it twice")
        if one.flag_bits & 1 or one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnreadableError(f"{shown(name)} is encrypted or packed in a way that the portal does not use.")
        self.files[name] = one

    def _lies_close(self, file: BinaryIO, members: Sequence[zipfile.ZipInfo]) -> None:
        """Other programs may find what lies between the listed files, so nothing may."""
        due = {0}
        for one in sorted(members, key=lambda one: one.header_offset):
            file.seek(one.header_offset)
            head = file.read(30)
            if one.header_offset not in due or len(head) < 30:
                break
            end = one.header_offset + 30 + sum(struct.unpack("<HH", head[26:30])) + one.compress_size
            due = {end + gap for gap in (12, 16, 20, 24)} if one.flag_bits & 8 else {end}
        else:
            if getattr(self.zip, "start_dir", None) in due:
                return
        self.faults.append("there is something in the ZIP beside the files that it lists")

    def chunks(self, name: str) -> Iterator[bytes]:
        try:
            with self.zip.open(self.files[name]) as file:
                while True:
                    chunk = file.read(CHUNK)
                    if not chunk:
                        return
                    yield chunk
        except ZIP_ERRORS as error:
            raise BadError(f"it cannot be unpacked: {shown(error)}") from None

    def read(self, name: str, most: int) -> bytes:
        """The whole of a small file."""
        if name not in self.files:
            raise BadError(f"{name} is missing")
        if self.files[name].file_size > most:
            raise BadError(f"{name} is far too large")
        return b"".join(self.chunks(name))


# The verdict


class Verification:
    """One run over one bundle: what was said, and what was found wrong."""

    def __init__(self, signers: Optional[bytes] = None, witnessed: Sequence[Tuple[str, Checkpoint]] = ()) -> None:
        self.said: List[Tuple[str, str]] = []
        self.faults: List[str] = []
        self.given = None if signers is None else Signers(signers)
        self.witnessed = witnessed
        self.signers = self.given or Signers(b"")
        self.manifest: Dict[str, Any] = {}
        self.kept: List[Checkpoint] = []
        self.signed_by = ""

    def say(self, topic: str, text: str) -> None:
        self.said.append((topic, text))

    def fault(self, topic: str, text: str) -> None:
        self.faults.append(f"{topic}: {text}")
        if len(self.faults) <= FAULTS_SHOWN:
            self.say(topic, f"NOT SOUND: {text}")

    def run(self, file: BinaryIO) -> bool:
        """Whether the bundle is sound; UnreadableError where there is nothing to check."""
        bundle = Bundle(file)
        for text in bundle.faults:
            self.fault("ZIP", text)
        try:
            raw = bundle.read(MANIFEST, MANIFEST_MAX)
            self.manifest = _manifest(parse(raw))
        except BadError as error:
            self.fault("Manifest", f"{MANIFEST} cannot be used: {error}")
            return False
        self._introduce()
        self._signature(bundle, raw)
        self._checkpoints(bundle)
        chain = Chain(self.manifest["incident"], [one.sequence for one in self._all_checkpoints()])
        self._files(bundle, chain)
        self._chain(chain)
        self._against_chain(chain)
        self._trust()
        self._verifier()
        return not self.faults

    def _verifier(self) -> None:
        """Whether the verifier in the bundle is this one. Nothing hangs on it: who made the bundle put it there."""
        listed = self.manifest["files"].get(VERIFIER)
        try:
            with open(__file__, "rb") as file:
                own = hashlib.sha256(file.read()).hexdigest()
        except OSError:
            return
        if listed:
            same = "is this one" if listed["sha256"] == own else "is another than this one, and was not used"
            self.say("Verifier", f"{VERIFIER} in the bundle {same}")

    def _introduce(self) -> None:
        facts = self.manifest
        self.say("Incident", f"{shown(facts['reference'])}, {shown(facts['incident'])}")
        self.say("Exported", f"{shown(facts['exported_at'])} by {shown(facts['exported_by'])}")
        words = shown(facts["filter"] if isinstance(facts["filter"], str) else json.dumps(facts["filter"]))
        left = facts["left_out"]
        self.say(
            "Filter", f"{words or 'none'}; {plural(left, 'entry is', 'entries are')} without content because of it"
        )

    def _signature(self, bundle: Bundle, manifest: bytes) -> None:
        try:
            own = bundle.read(SIGNERS, SMALL_MAX)
            if self.given is None:
                self.signers = Signers(own)
            armour = bundle.read(SIGNATURE, SMALL_MAX).decode("ascii", "replace")
            self.signed_by = self.signers.check(armour, manifest, self.manifest["exported_at"])
        except BadError as error:
            self.fault("Signature", f"{MANIFEST}: {error}")
            return
        self.say("Signature", f"{MANIFEST} is signed by {self.signed_by}, checked by this program")
        says, holds = ask_ssh_keygen(self.signers, armour, manifest)
        (self.say if holds else self.fault)("Signature", says)

    def _checkpoints(self, bundle: Bundle) -> None:
        """Read and check the signatures of the bundle's own; the chain is held against them later."""
        good = 0
        try:
            if CHECKPOINTS not in bundle.files:
                raise BadError("the file is missing")
            for line in lines(bundle.chunks(CHECKPOINTS)):
                if len(self.kept) == CHECKPOINTS_COUNTED:
                    raise BadError("there are far too many")
                one = checkpoint_of(parse(line))
                self.kept.append(one)
                good += self._signed(one, f"the one of entry {one.sequence:,}", "Checkpoints")
        except BadError as error:
            self.fault("Checkpoints", f"{CHECKPOINTS}, line {len(self.kept) + 1:,}: {error}")
        self.say("Checkpoints", f"{good:,} of {len(self.kept):,} have a good signature")
        for name, one in self.witnessed:
            self._signed(one, f"the one of {shown(name)}", "Witness")

    def _signed(self, one: Checkpoint, which: str, topic: str) -> bool:
        try:
            if self.signers.check(one.signature, one.statement, one.time) != one.key:
                raise BadError("the signature is by another key than it names")
        except BadError as error:
            self.fault(topic, f"{which}: {error}")
            return False
        return True

    def _all_checkpoints(self) -> List[Checkpoint]:
        return [*self.kept, *(one for _, one in self.witnessed)]

    def _files(self, bundle: Bundle, chain: Chain) -> None:
        listed = self.manifest["files"]
        held = set(bundle.files) - {MANIFEST, SIGNATURE}
        for name in sorted(set(listed) - held):
            self.fault("Files", f"{shown(name)} is missing")
        for name in sorted(held - set(listed)):
            self.fault("Files", f"{shown(name)} is not in the manifest")
        good, size = 0, 0
        for name in sorted(held & set(listed)):
            try:
                size += self._file(bundle, name, chain)
                good += 1
            except BadError as error:
                self.fault("Files", f"{shown(name)}: {error}")
        if CHAIN not in held or CHAIN not in listed:
            chain.broken = chain.broken or f"{CHAIN} is missing"
        self.say(
            "Files", f"{good:,} of {plural(len(listed), 'file', 'files')} are as the manifest says, {size:,} bytes"
        )

    def _file(self, bundle: Bundle, name: str, chain: Chain) -> int:
        wanted = self.manifest["files"][name]
        digest, size = hashlib.sha256(), 0

        def hashed() -> Iterator[bytes]:
            nonlocal size
            for chunk in bundle.chunks(name):
                digest.update(chunk)
                size += len(chunk)
                yield chunk

        if name == CHAIN:
            for line in lines(hashed()):
                chain.take(line)
        else:
            for _ in hashed():
                pass
        if size != wanted["size"]:
            raise BadError(f"it has {size:,} bytes, and the manifest says {wanted['size']:,}")
        if digest.hexdigest() != wanted["sha256"]:
            raise BadError("its SHA-256 is not the one of the manifest")
        return size

    def _chain(self, chain: Chain) -> None:
        count = len(chain.marks)
        if chain.broken:
            self.fault("Chain", f"the first break is at {chain.broken}")
            self.say(
                "Chain",
                f"before it, {plural(count, 'entry verifies', 'entries verify')}; after it, nothing was checked",
            )
            return
        self.say("Chain", f"{plural(count, 'entry verifies', 'entries verify')}, without a gap and without a break")
        redacted, withheld = chain.marks.count(3), chain.marks.count(1)
        if redacted:
            self.say("Redacted", f"{plural(redacted, 'entry', 'entries')}, by a later entry each: {chain.ranges(3)}")
        if withheld:
            self.say("Withheld", f"{plural(withheld, 'entry', 'entries')}, by the filter: {chain.ranges(1)}")
        if withheld != self.manifest["left_out"]:
            text = f"{withheld:,} are without content and without a redaction; the manifest left out"
            self.fault("Withheld", f"{text} {self.manifest['left_out']:,}")
        if 2 in chain.marks:
            self.fault("Redacted", f"the content of a redacted entry is still here: {chain.ranges(2)}")
        self._head(count, chain.head)

    def _head(self, count: int, digest: str) -> None:
        head = self.manifest["head"]
        if head["sequence"] != count:
            self.fault("Head", f"the manifest's is entry {head['sequence']:,}, and the chain ends at {count:,}")
        elif head["hash"] != digest:
            self.fault("Head", "the last entry has another hash than the manifest says")
        else:
            self.say("Head", f"entry {count:,}, {digest[:16]}, as the manifest says")

    def _against_chain(self, chain: Chain) -> None:
        good, beyond = 0, 0
        for one in self.kept:
            text = self._differs(one, chain)
            if text and chain.broken and one.sequence > len(chain.marks):
                beyond += 1
            elif text:
                self.fault("Checkpoints", f"the one of entry {one.sequence:,}: {text}")
            else:
                good += 1
        last = max((one.sequence for one in self.kept), default=0)
        if self.kept:
            self.say("Checkpoints", f"{good:,} of {len(self.kept):,} agree with the chain, the last at entry {last:,}")
        if beyond:
            self.say("Checkpoints", f"{beyond:,} of them are of entries from the break on, and say nothing")
        for name, one in self.witnessed:
            self._witness(name, one, chain)

    def _witness(self, name: str, one: Checkpoint, chain: Chain) -> None:
        which, text = f"{shown(name)}, entry {one.sequence:,} of {one.time}", self._differs(one, chain)
        if text and one.sequence > len(chain.marks) and one.time > self.manifest["exported_at"]:
            text += ". It was made after this bundle says it was: ask for a bundle that is newer"
        if text:
            self.fault("Witness", f"{which}: {text}")
        else:
            self.say("Witness", f"{which}: the bundle agrees")

    def _differs(self, one: Checkpoint, chain: Chain) -> str:
        if one.incident != self.manifest["incident"]:
            return "it is of another incident"
        if one.sequence > len(chain.marks):
            return "it could not be compared" if chain.broken else "the chain of the bundle ends before it"
        return "" if chain.hashes.get(one.sequence) == one.hash else "at that entry the chain has another hash"

    def _trust(self) -> None:
        if self.signers.skipped:
            self.say("Trust", f"{plural(self.signers.skipped, 'line', 'lines')} of the signers were not understood")
        if self.given is None:
            self.say("Trust", "the signers in the bundle prove only that it agrees with itself; give --signers FILE")
        elif self.signed_by:
            self.say("Trust", f"you gave the signers, and {self.signed_by} is one of them")
        if not self.witnessed:
            text = "whoever holds both database and key could still have rewritten all of it"
            self.say("Trust", f"{text}; what a witness kept would show it: --checkpoint FILE")

    def verdict(self) -> str:
        if self.faults:
            return f"NOT SOUND. {plural(len(self.faults), 'thing is', 'things are')} wrong, see above."
        if self.given is None:
            return "SOUND in itself. Whose it is was not checked: no signers were given."
        return "SOUND, and signed by a key you gave."


def _manifest(value: Any) -> Dict[str, Any]:
    need(
        value, incident=str, reference=str, head=dict, filter=(str, dict, type(None)), left_out=int, exported_at=str,
        exported_by=str, files=dict,
    )  # fmt: skip
    need(value["head"], sequence=int, hash=str)
    match(UUID, value["incident"], "incident")
    match(INSTANT, value["exported_at"], "exported_at")
    for entry in value["files"].values():
        need(entry, size=int, sha256=str)
    return dict(value)


def ask_ssh_keygen(signers: Signers, armour: str, manifest: bytes) -> Tuple[str, bool]:
    """What OpenSSH says of the manifest's signature, where it is installed, and whether that is no contradiction.

    It is given the keys alone: older ones do not read how long a key was valid, which this program has checked.
    """
    program = shutil.which("ssh-keygen")
    if program is None:
        return "ssh-keygen is not installed, so it was not asked", True
    known = "".join(f"{PORTAL} ssh-ed25519 {base64.b64encode(key).decode()}\n" for key in signers.keys)
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in (SIGNERS, SIGNATURE)]
        for path, text in zip(paths, (known, armour)):
            with open(path, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
        command = [program, "-Y", "verify", "-f", paths[0], "-I", PORTAL, "-n", PORTAL, "-s", paths[1]]
        try:
            done = subprocess.run(command, input=manifest, capture_output=True, timeout=60, check=False)
        except (OSError, subprocess.SubprocessError):
            return "ssh-keygen could not be run, so it was not asked", True
    if done.returncode == 0:
        return "ssh-keygen says the same", True
    if b"option" in done.stderr or b"usage" in done.stderr:
        return "this ssh-keygen is too old to ask", True
    return f"ssh-keygen refuses it: {shown((done.stderr or done.stdout).decode('utf-8', 'replace').strip())}", False


# The command line


def _witnessed(path: str) -> List[Tuple[str, Checkpoint]]:
    """The checkpoints of a witness's file: JSON, JSON Lines, or a message with such lines in it."""
    raw = _small(path)
    try:
        return [(path, checkpoint_of(parse(raw)))]
    except BadError:
        pass
    found = []
    for line in raw.splitlines():
        if line.strip().startswith(b"{"):
            try:
                found.append((path, checkpoint_of(parse(line.strip()))))
            except BadError as error:
                raise UnreadableError(f"{shown(path)} holds a checkpoint that cannot be read: {error}.") from None
    if not found:
        raise UnreadableError(f"{shown(path)} holds no checkpoint.")
    return found


def _small(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            raw = file.read(10 * SMALL_MAX + 1)
    except OSError as error:
        raise UnreadableError(f"{shown(path)} cannot be read: {shown(error.strerror)}.") from None
    if len(raw) > 10 * SMALL_MAX:
        raise UnreadableError(f"{shown(path)} is far too large.")
    return raw


def _run(arguments: argparse.Namespace) -> Verification:
    signers = None if arguments.signers is None else _small(arguments.signers)
    if signers is not None and not Signers(signers).keys:
        raise UnreadableError(f"{shown(arguments.signers)} holds no key of a signer of {PORTAL}.")
    witnessed = [one for path in arguments.checkpoint for one in _witnessed(path)]
    verification = Verification(signers, witnessed)
    try:
        with open(arguments.bundle, "rb") as file:
            verification.run(file)
    except OSError as error:
        raise UnreadableError(f"It cannot be read: {shown(error.strerror)}.") from None
    return verification


def main(argv: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Verify an evidence bundle of IR Portal, without the portal.")
    parser.add_argument("bundle", metavar="BUNDLE.zip")
    parser.add_argument("--signers", metavar="FILE", help="the portal's public keys, from elsewhere than the bundle")
    parser.add_argument("--checkpoint", metavar="FILE", action="append", default=[], help="what a witness kept")
    arguments = parser.parse_args(argv)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        verification = _run(arguments)
    except UnreadableError as error:
        print(f"{shown(arguments.bundle)}\n\nCOULD NOT BE READ. {error}")
        return 2
    except Exception as error:  # noqa: BLE001  # an auditor gets words, whatever somebody put into the file
        print(f"{shown(arguments.bundle)}\n\nCOULD NOT BE READ. {shown(type(error).__name__)}: {shown(error)}")
        return 2
    print(f"{shown(arguments.bundle)}\n")
    for topic, text in verification.said:
        print(f"{topic:12} {text}")
    if len(verification.faults) > FAULTS_SHOWN:
        print(f"{'':12} and {len(verification.faults) - FAULTS_SHOWN:,} more that are wrong")
    print(f"\n{verification.verdict()}")
    return 1 if verification.faults else 0


if __name__ == "__main__":
    sys.exit(main())
