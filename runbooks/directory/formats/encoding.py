"""Which encoding a file is in, and where it breaks."""

import codecs
from typing import BinaryIO, Final

from runbooks.errors import DomainError

CHUNK: Final = 1 << 20
SAMPLE: Final = 4096
BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Bytes that Windows-1252 leaves undefined: a text in that encoding does not hold them.
UNDEFINED_IN_1252: Final = bytes([0x81, 0x8D, 0x8F, 0x90, 0x9D])

NAMES_OF_ENCODINGS: Final = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with a byte-order mark",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16, little-endian",
    "utf-16-be": "UTF-16, big-endian",
    "cp1252": "Windows-1252",
}


class BrokenFileError(DomainError):
    """The file cannot be read to its end, so nothing of it is used. `line` counts from 1."""

    status = 400

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        self.reason = reason
        super().__init__(f"The file breaks at line {line}: {reason}. Nothing was changed.")


def detect_encoding(file: BinaryIO) -> str:
    """The codec that reads the whole file, as Python names it. Reads to the end and rewinds.

    A file without a mark is UTF-8 where it decodes as UTF-8, else Windows-1252. One that holds proper UTF-8 letters
    beside bytes that are none is damaged UTF-8, not Windows-1252: reading it as that would garble every name.
    Raises BrokenFileError with the line of the first byte that does not belong.
    """
    file.seek(0)
    sample = file.read(SAMPLE)
    encoding = _marked(sample) or _unmarked_utf16(sample) or "utf-8"
    try:
        _decode_all(file, encoding)
    except BrokenFileError:
        if encoding != "utf-8" or _holds_utf8_letters(file):
            raise
        encoding = "cp1252"
        _decode_all(file, encoding)
    file.seek(0)
    return encoding


def _marked(sample: bytes) -> str | None:
    return next((name for mark, name in BYTE_ORDER_MARKS if sample.startswith(mark)), None)


def _unmarked_utf16(sample: bytes) -> str | None:
    """In UTF-16 most Latin letters have a zero byte: after them (little-endian) or before (big-endian)."""
    pairs = len(sample) // 2
    if pairs < 4:
        return None
    if sample[1::2].count(0) > pairs * 0.6:
        return "utf-16-le"
    if sample[0::2].count(0) > pairs * 0.6:
        return "utf-16-be"
    return None


def _decode_all(file: BinaryIO, encoding: str) -> None:
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1
    while True:
        chunk = file.read(CHUNK)
        try:
            lines += decoder.decode(chunk, final=not chunk).count("\n")
        except UnicodeDecodeError as error:
            raise BrokenFileError(lines + _lines_before(error, encoding), _reason(error, encoding)) from error
        if not chunk:
            return


def _lines_before(error: UnicodeDecodeError, encoding: str) -> int:
    """Line ends in what the decoder held when it stopped, up to the offending byte."""
    return error.object[: error.start].decode(encoding.removesuffix("-sig"), errors="ignore").count("\n")


def _reason(error: UnicodeDecodeError, encoding: str) -> str:
    byte = f"byte 0x{error.object[error.start]:02X}" if error.start < len(error.object) else "its end"
    return f"{byte} is not {NAMES_OF_ENCODINGS[encoding]} text"


def _holds_utf8_letters(file: BinaryIO) -> bool:
    """Whether any multi-byte UTF-8 sequence stands in the file, or a byte Windows-1252 does not have."""
    file.seek(0)
    # A chunk may cut a sequence in two, which costs at most one letter of many.
    while chunk := file.read(CHUNK):
        if any(byte in chunk for byte in UNDEFINED_IN_1252):
            return True
        if not chunk.decode("utf-8", errors="ignore").isascii():
            return True
    return False
