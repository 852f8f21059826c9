"""The files a directory comes as."""

from typing import BinaryIO, Final

from runbooks.directory.formats.csv import CsvFile
from runbooks.directory.formats.encoding import NAMES_OF_ENCODINGS, BrokenFileError, detect_encoding
from runbooks.directory.formats.ldif import LdifFile
from runbooks.directory.formats.rows import NOT_TEXT, Record, Rejection, Rejections

DirectoryFile = CsvFile | LdifFile
FORMATS: Final[dict[str, type[CsvFile] | type[LdifFile]]] = {"csv": CsvFile, "ldif": LdifFile}

__all__ = [
    "FORMATS",
    "NAMES_OF_ENCODINGS",
    "NOT_TEXT",
    "BrokenFileError",
    "CsvFile",
    "DirectoryFile",
    "LdifFile",
    "Record",
    "Rejection",
    "Rejections",
    "open_directory_file",
]


def open_directory_file(file: BinaryIO, file_format: str | None = None) -> DirectoryFile:
    """The reader for the file's content; its name says nothing. Raises BrokenFileError."""
    return FORMATS[file_format or recognise(file)](file)


def recognise(file: BinaryIO) -> str:
    """`ldif` where the first line that says anything is a version, a dn or a comment before one, else `csv`."""
    encoding = detect_encoding(file)
    # UTF-16 may be cut in the middle of a letter here.
    opening = file.read(4096).decode(encoding, errors="ignore")
    file.seek(0)
    for line in opening.splitlines():
        if line.strip() and not line.startswith(("#", " ")):
            return "ldif" if line.lower().startswith(("version:", "dn:")) else "csv"
    return "csv"
