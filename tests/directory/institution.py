"""The generator of fictitious institutions that lies beside the repository, and files made by hand."""

import importlib.util
import json
import random
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

from django.utils import timezone

from runbooks.access.permissions import COMMAND_LINE
from runbooks.directory.models import Account, DirectoryImport
from runbooks.directory.operations import import_file

GENERATOR = Path(__file__).resolve().parents[3] / "shared" / "data" / "make_institution.py"
CARRIED_BY_LDIF = (
    "login",
    "display_name",
    "given_name",
    "family_name",
    "mail",
    "mobile",
    "telephone",
    "office",
    "department",
    "title",
    "external_id",
    "match_keys",
)


@dataclass(frozen=True)
class Institution:
    """Its files, and what a careful person makes of the list of affected accounts."""

    csv: Path
    ldif: Path
    affected: Path
    truth: dict[str, Any]

    @property
    def lines(self) -> list[str]:
        return self.affected.read_text(encoding="utf-8-sig").splitlines()


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_institution", GENERATOR)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_institution(folder: Path, *, seed: int = 2017, accounts: int = 300, affected: int = 20) -> Institution:
    """The same as `make_institution.py --out folder`, without a process."""
    make = generator()
    rng, taken = random.Random(seed), set[str]()
    people = [make.person(rng, number, taken) for number in range(accounts)]
    folder.mkdir(parents=True, exist_ok=True)
    csv = folder / "entra-users.csv"
    with csv.open("w", newline="", encoding="utf-8-sig") as file:
        writer = make.csv.DictWriter(file, make.ENTRA_COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(people)
    make.write_ldif(folder / "directory.ldif", people)
    truth = make.write_affected(folder / "affected.txt", people, rng, affected)
    truth = json.loads(json.dumps(truth))
    return Institution(csv, folder / "directory.ldif", folder / "affected.txt", truth)


def load(content: bytes | str, *, name: str = "directory.csv", **options: Any) -> DirectoryImport:
    """Import a file as the command line does with --apply."""
    data = content.encode() if isinstance(content, str) else content
    return import_file(actor=COMMAND_LINE, file=BytesIO(data), file_name=name, at=timezone.now(), **options)


def rows(*fields: str) -> list[tuple[Any, ...]]:
    """The directory as tuples of the fields, by login."""
    return list(Account.objects.order_by("login").values_list(*fields))
