"""manage.py import_directory FILE: read the institution's directory from a file."""

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from runbooks.access.permissions import COMMAND_LINE
from runbooks.directory.columns import LABELS, problems
from runbooks.directory.formats import NAMES_OF_ENCODINGS, DirectoryFile, open_directory_file
from runbooks.directory.operations import import_file
from runbooks.directory.queries import Preview, preview_file, suggested_columns
from runbooks.errors import DomainError
from runbooks.management.mapping import add_mapping, read_mapping
from runbooks.presentation import number, plural

SHOWN = 20
HELP = """\
Read the institution's directory from a file: the CSV of Entra's "Download users",
any other CSV with a header row, or LDIF.

Every run begins with a preview: new, changed, gone, unchanged and rejected accounts.
What happens then:

  (nothing)   Apply when that loses nothing: a first load or additions only, with no
              row rejected. Where anything would change or go, only preview.
  --apply     Apply whatever the preview says. More than a fifth of the known accounts
              gone needs --allow-gone as well.
  --preview   Never write.

A file that breaks half-way changes nothing. Reading a file twice changes nothing more.
Fields that the file does not carry stay as they are; accounts that are not in it are
marked as gone, and kept."""


class Command(BaseCommand):
    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        decision = parser.add_mutually_exclusive_group()
        decision.add_argument("--apply", action="store_true", help="write, also where accounts change or go")
        decision.add_argument("--preview", action="store_true", help="never write")
        parser.add_argument("--allow-gone", action="store_true", help="more than a fifth of the accounts may be gone")
        add_mapping(parser, "which column fills which field, remembered for this header", LABELS)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with options["file"].open("rb") as file:
                self._read(file, options)
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from error
        except DomainError as error:
            raise CommandError(str(error)) from error

    def _read(self, file: BinaryIO, options: dict[str, Any]) -> None:
        choice = read_mapping(options["mapping"])
        opened = open_directory_file(file)
        columns = suggested_columns(opened, choice)
        if wrong := problems(columns):
            raise CommandError(f"{' '.join(wrong)} Say it with --mapping COLUMN=FIELD. Columns: {', '.join(columns)}.")
        shown = preview_file(opened, columns)
        applies = not options["preview"] and (options["apply"] or shown.counts.is_addition)
        if applies:
            import_file(
                actor=COMMAND_LINE,
                file=file,
                file_name=options["file"].name,
                at=timezone.now(),
                columns=choice,
                allow_gone=options["allow_gone"],
                only_additions=not options["apply"],
            )
        if options["json"]:
            self.stdout.write(
                json.dumps(_as_json(options["file"].name, opened, columns, shown, applies), ensure_ascii=False)
            )
        else:
            self._tell(options["file"].name, opened, columns, shown)
            self.stdout.write(_outcome(shown, applied=applies, preview_only=options["preview"]))

    def _tell(self, name: str, opened: DirectoryFile, columns: dict[str, str], shown: Preview) -> None:
        self.stdout.write(f"{name}: {opened.name.upper()}, {NAMES_OF_ENCODINGS[opened.encoding]}")
        for column, field in columns.items():
            if field:
                self.stdout.write(f"  {column} fills “{LABELS[field]}”")
        for label in ("new", "changed", "gone", "unchanged", "rejected", "passed_over"):
            count = getattr(shown.counts, label)
            self.stdout.write(f"{label.replace('_', ' ').capitalize():<12}{number(count):>9}")
        for rejection in opened.rejections.kept[:SHOWN]:
            self.stdout.write(f"  Line {rejection.line} {rejection.reason}.")
        if shown.counts.rejected > SHOWN:
            self.stdout.write(f"  and {number(shown.counts.rejected - SHOWN)} more")


def _outcome(shown: Preview, *, applied: bool, preview_only: bool) -> str:
    if applied:
        return f"Applied. The file holds {plural(shown.counts.usable, 'account')}."
    if preview_only:
        return "Preview only: nothing was written."
    return "Nothing was written: accounts would change or go, or rows were rejected. Apply it with --apply."


def _as_json(
    name: str, opened: DirectoryFile, columns: dict[str, str], shown: Preview, applied: bool
) -> dict[str, Any]:
    return {
        "file": name,
        "format": opened.name,
        "encoding": opened.encoding,
        "columns": {column: field for column, field in columns.items() if field},
        "counts": asdict(shown.counts),
        "rejected": [asdict(rejection) for rejection in opened.rejections.kept],
        "applied": applied,
    }
