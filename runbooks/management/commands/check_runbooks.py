"""manage.py check_runbooks [FILE ...]: tell an author what is wrong with a definition, and where."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from runbooks.catalog.loader import definition_files, read_file


class Command(BaseCommand):
    help = "Checks runbook definitions. Prints every fault with its file and line; exit status 1 when there is one."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: every built-in definition")

    def handle(self, *args: object, files: list[Path], **options: Any) -> None:
        readings = [read_file(_short(path)) for path in files or definition_files()]
        faults = [fault for reading in readings for fault in reading.faults]
        for fault in faults:
            self.stdout.write(str(fault))
        if faults:
            sys.exit(1)
        steps = sum(len(reading.runbook.steps) for reading in readings if reading.runbook)
        self.stdout.write(f"{_count(len(readings), 'runbook')}, {_count(steps, 'step')}: no fault.")


def _short(path: Path) -> Path:
    """As somebody at this prompt would type it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
