"""What a file is, by its content. The browser's word and the name's ending are an attacker's to choose.

Only the first bytes are looked at. The answer is a label for people and for the site's list of refused kinds; whatever
it is, a file is handed over as plain bytes and never shown.
"""

import codecs
import re
from dataclasses import dataclass
from typing import Final

# How much of a file is looked at.
HEAD: Final = 64 * 1024
BYTES: Final = "application/octet-stream"
TEXT: Final = "text/plain"
PROGRAMS: Final = (
    "application/vnd.microsoft.portable-executable",
    "application/x-elf",
    "application/x-mach-binary",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: the word for it, and the endings that promise it."""

    media_type: str
    label: str
    endings: frozenset[str]


def _kind(media_type: str, label: str, endings: str = "") -> tuple[str, Kind]:
    return media_type, Kind(media_type, label, frozenset(endings.split()))


KINDS: Final = dict(
    [
        _kind("application/pdf", "PDF document", "pdf"),
        _kind("image/png", "PNG image", "png"),
        _kind("image/jpeg", "JPEG image", "jpg jpeg jfif"),
        _kind("image/gif", "GIF image", "gif"),
        _kind("image/webp", "WebP image", "webp"),
        _kind("image/tiff", "TIFF image", "tif tiff"),
        _kind("video/mp4", "MP4 or related film", "mp4 m4a m4v mov heic avif"),
        _kind("application/zip", "ZIP archive", "zip docx xlsx pptx docm xlsm pptm odt ods odp jar apk epub kmz xpi"),
        _kind("application/gzip", "gzip archive", "gz tgz"),
        _kind("application/x-bzip2", "bzip2 archive", "bz2 tbz2"),
        _kind("application/x-xz", "xz archive", "xz txz"),
        _kind("application/zstd", "Zstandard archive", "zst"),
        _kind("application/x-7z-compressed", "7-Zip archive", "7z"),
        _kind("application/vnd.rar", "RAR archive", "rar"),
        _kind("application/x-tar", "tar archive", "tar"),
        _kind("application/x-ole-storage", "Older Office document or Outlook message", "doc xls ppt msg msi"),
        _kind("application/rtf", "RTF document", "rtf doc"),
        _kind("application/vnd.tcpdump.pcap", "Network capture", "pcap cap pcapng dmp"),
        _kind("application/x-evtx", "Windows event log", "evtx"),
        _kind("application/vnd.sqlite3", "SQLite database", "sqlite sqlite3 db"),
        _kind("application/vnd.microsoft.portable-executable", "Windows program", "exe dll sys scr com cpl ocx"),
        _kind("application/x-elf", "Linux program", "elf so"),
        _kind("application/x-mach-binary", "macOS program", "dylib"),
        _kind("application/java-vm", "Java class", "class"),
        _kind("text/html", "HTML page", "html htm xhtml hta"),
        _kind("image/svg+xml", "SVG drawing", "svg"),
        _kind("application/xml", "XML document", "xml"),
        _kind("message/rfc822", "Mail message", "eml"),
        _kind("text/x-script", "Script", "sh bash py pl rb"),
        _kind(TEXT, "Text"),
        _kind(BYTES, "Data"),
    ]
)
# (where, the bytes there, media type); the first that fits. What needs more than that is in `_by_structure`.
MAGIC: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (4, b"ftyp", "video/mp4"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\x00", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (257, b"ustar", "application/x-tar"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"\xa1\xb2\xc3\xd4", "application/vnd.tcpdump.pcap"),
    (0, b"\xd4\xc3\xb2\xa1", "application/vnd.tcpdump.pcap"),
    (0, b"\xa1\xb2\x3c\x4d", "application/vnd.tcpdump.pcap"),
    (0, b"\x4d\x3c\xb2\xa1", "application/vnd.tcpdump.pcap"),
    (0, b"\x0a\x0d\x0d\x0a", "application/vnd.tcpdump.pcap"),
    (0, b"ElfFile\x00", "application/x-evtx"),
    (0, b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (0, b"\x7fELF", "application/x-elf"),
    (0, b"\xfe\xed\xfa\xce", "application/x-mach-binary"),
    (0, b"\xfe\xed\xfa\xcf", "application/x-mach-binary"),
    (0, b"\xce\xfa\xed\xfe", "application/x-mach-binary"),
    (0, b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
)
# A PDF may begin within its first kilobyte, and readers go along with that.
PDF_WITHIN: Final = 1024
# A universal macOS program and a Java class begin alike; the number after that tells: programs in it, or a version.
FAT_MOST: Final = 30
BOMS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
NOT_IN_TEXT: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
HTML: Final = re.compile(r"<(!doctype\s+html|html|head|body|script|iframe|meta|title|style|table|div|form|a\s)", re.I)
SVG: Final = re.compile(r"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!doctype\s+svg[^>]*>\s*)?<svg[\s>]", re.I | re.S)
MAIL: Final = re.compile(
    r"(return-path|received|delivered-to|x-[a-z0-9-]+|from|to|subject|date|message-id|mime-version|authentication-results)"
    r":[^\n]*\n([ \t][^\n]*\n)*[a-z0-9-]+:",
    re.I,
)


def media_type_of(head: bytes) -> str:
    """The media type by the first HEAD bytes; application/octet-stream where nothing is known of it."""
    for where, magic, media_type in MAGIC:
        if head.startswith(magic, where):
            return media_type
    return _by_structure(head) or _of_text(head) or BYTES


def _by_structure(head: bytes) -> str:
    if head.startswith(b"MZ") and _is_windows_program(head):
        return "application/vnd.microsoft.portable-executable"
    if head.startswith(b"\xca\xfe\xba\xbe"):
        is_fat = int.from_bytes(head[4:8], "big") <= FAT_MOST
        return "application/x-mach-binary" if is_fat else "application/java-vm"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if b"%PDF-" in head[:PDF_WITHIN]:
        return "application/pdf"
    return ""


def _is_windows_program(head: bytes) -> bool:
    """By the place its first header names; a text that begins with MZ is none."""
    place = int.from_bytes(head[60:64], "little")
    return len(head) >= 64 and (head.startswith(b"PE\0\0", place) or b"\0" in head[:64])


def _of_text(head: bytes) -> str:
    """Empty where it is no text."""
    text = _decoded(head)
    if text is None or NOT_IN_TEXT.search(text):
        return ""
    start = text.lstrip()
    if text.startswith("#!"):
        return "text/x-script"
    if SVG.match(start):
        return "image/svg+xml"
    if HTML.match(start) or re.search(r"<(html|script|iframe)[\s>]", start, re.I):
        return "text/html"
    if start.startswith("<?xml"):
        return "application/xml"
    return "message/rfc822" if MAIL.match(start) else TEXT


def _decoded(head: bytes) -> str | None:
    """The text, in UTF-8 or by its byte order mark. A letter that the end of the head cuts in two is left out."""
    for bom, encoding in BOMS:
        if head.startswith(bom):
            return _read(head[len(bom) :], encoding)
    return _read(head, "utf-8")


def _read(data: bytes, encoding: str) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(data, final=len(data) < HEAD - 4)
    except UnicodeDecodeError:
        return None


def label_of(media_type: str) -> str:
    """PDF document"""
    known = KINDS.get(media_type)
    return known.label if known else media_type


def promised(name: str, media_type: str) -> str:
    """The kind that the name's ending promises where the content is another: “PDF document”; else empty."""
    ending = name.lower().rpartition(".")[2] if "." in name else ""
    makers = [kind for kind in KINDS.values() if ending in kind.endings]
    if not makers or media_type in {kind.media_type for kind in makers}:
        return ""
    return makers[0].label
