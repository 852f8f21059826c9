"""manage.py import_affected REFERENCE FILE [--dry-run] [--json]: load an analysts' list into an incident."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runbooks.access.permissions import COMMAND_LINE
from runbooks.affected_accounts.operations.imports import Applied, import_list
from runbooks.affected_accounts.queries.lists import Line, Reading, read_list
from runbooks.errors import DomainError
from runbooks.incidents.queries import incident_for
from runbooks.presentation import plural
from runbooks.timeline.operations import now


class Command(BaseCommand):
    help = (
        "Matches a list of affected accounts, one a line, against the directory and adds them to an incident. Lines "
        "that name nobody, or could name several, are kept as unresolved. Loading the same list again changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("reference", metavar="REFERENCE", help="such as IR-2026-0001")
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--dry-run", action="store_true", help="say what the list means and change nothing")
        parser.add_argument("--json", action="store_true", help="print the meaning of the list as JSON")

    def handle(self, *args: object, reference: str, file: Path, **options: Any) -> None:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise CommandError(f"Cannot read {file}: {error.strerror}.") from error
        try:
            incident = incident_for(COMMAND_LINE, reference)
            reading = read_list(incident.pk, content)
            applied = None
            if not options["dry_run"]:
                applied = import_list(
                    incident_id=incident.pk, file_name=file.name, content=content, actor=COMMAND_LINE, at=now()
                )
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_json(reading) if options["json"] else _words(reading, applied))


def _json(reading: Reading) -> str:
    means = {
        "matched": sorted(line.account.login for line in reading.matched if line.account),
        "unmatched": [line.text for line in reading.unmatched],
        "ambiguous": {line.text: sorted(account.login for account in line.choices) for line in reading.ambiguous},
        "repeats": reading.repeats,
    }
    return json.dumps(means, ensure_ascii=False)


def _words(reading: Reading, applied: Applied | None) -> str:
    said = [
        f"{plural(len(reading.matched), 'account')} matched, {len(reading.already):,} of them in the incident already; "
        f"{plural(reading.repeats, 'repeat')}."
    ]
    said += [f"Line {line.number} could be several: {line.text} ({_logins(line)})" for line in reading.ambiguous]
    said += [
        f"Line {line.number} matches nobody: {line.text}" + (f" (near: {_logins(line)})" if line.choices else "")
        for line in reading.unmatched
    ]
    if applied is None:
        said.append("Nothing was changed. Without --dry-run the list is applied.")
    elif applied.changed:
        said.append(
            f"{plural(applied.added, 'account')} added, {plural(applied.settled, 'line')} settled, "
            f"{plural(applied.unresolved, 'line')} kept as unresolved."
        )
    else:
        said.append("Nothing was changed: everything in this list is in the incident already.")
    return "\n".join(said)


def _logins(line: Line) -> str:
    return ", ".join(account.login for account in line.choices)
