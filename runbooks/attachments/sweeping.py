"""Files in the storage that no row names: what a process left that died between the file and its row."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.core.files.storage import default_storage

from runbooks.attachments.models import StoredFile
from runbooks.attachments.storing import ROOT, only_one

# Whoever is still at it after that long is dead.
LEFT_AFTER: Final = timedelta(days=1)
FOLDER: Final = re.compile(r"[0-9a-f]{2}")
# Where a name was taken, the storage adds letters of its own.
FILE: Final = re.compile(r"([0-9a-f]{62})(_\w+)?")


@dataclass(frozen=True, slots=True)
class Leftover:
    """`size` in bytes."""

    path: str
    size: int
    left_at: datetime


def leftovers(at: datetime) -> Iterator[Leftover]:
    """The files that no row names and that have lain there for a day; folder by folder."""
    for folder in _folders():
        names = [name for name in default_storage.listdir(f"{ROOT}/{folder}")[1] if FILE.fullmatch(name)]
        paths = [f"{ROOT}/{folder}/{name}" for name in sorted(names)]
        known = set(StoredFile.objects.filter(name__in=paths).values_list("name", flat=True))
        for path in paths:
            left_at = default_storage.get_modified_time(path) if path not in known else at
            if at - left_at > LEFT_AFTER:
                yield Leftover(path, default_storage.size(path), left_at)


def remove(leftover: Leftover) -> bool:
    """Delete it, unless somebody attached these bytes in the meantime. True when it is gone."""
    with only_one(_digest(leftover.path)):
        if StoredFile.objects.filter(name=leftover.path).exists():
            return False
        if default_storage.get_modified_time(leftover.path) != leftover.left_at:
            return False
        default_storage.delete(leftover.path)
        return True


def _folders() -> list[str]:
    try:
        return sorted(name for name in default_storage.listdir(ROOT)[0] if FOLDER.fullmatch(name))
    except FileNotFoundError:
        return []


def _digest(path: str) -> str:
    folder, _, name = path.removeprefix(f"{ROOT}/").partition("/")
    return folder + name[:62]
