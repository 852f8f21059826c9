"""manage.py import_timeline REFERENCE FILE [--tool ..] [--apply]: entries of other tools into a timeline."""

import hashlib
from argparse import ArgumentParser
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.management.base import BaseCommand, CommandError

from runbooks.access.permissions import COMMAND_LINE
from runbooks.directory.formats import BrokenFileError
from runbooks.errors import DomainError
from runbooks.exports.importing.columns import LABELS, TOOLS, problems
from runbooks.exports.importing.lines import WRONG, Choices, Lines, Origin
from runbooks.exports.importing.moments import BadMomentError, Clockwork, zone_of
from runbooks.exports.importing.opening import EntriesFile, open_entries
from runbooks.exports.operations.importing import Preview, import_entries, preview, stage_entries, suggested
from runbooks.exports.queries.imported import Known, source_of
from runbooks.incidents.models import Incident
from runbooks.incidents.queries import incident_for
from runbooks.management.mapping import add_mapping, read_mapping
from runbooks.presentation import number, plural
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import now


class Command(BaseCommand):
    help = (
        "Reads entries of another tool from CSV, l2tcsv or JSON Lines and says what each line would become. With "
        "--apply the file is kept as evidence and what is not there yet is added, 1,000 entries a transaction: after "
        "a stop the same command goes on. The same line is never added twice."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("reference", metavar="REFERENCE", help="such as IR-2026-0001")
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--tool", choices=TOOLS, default="", help="what the file comes from; else its header tells")
        parser.add_argument("--source", default="", help="a name under which the same line is the same event")
        parser.add_argument("--zone", default="", help="zone of times that name none, such as Europe/London")
        parser.add_argument("--twice", choices=("first", "second"), default="", help="which of two when clocks go back")
        parser.add_argument("--day-order", choices=("dmy", "mdy"), default="", help="of days such as 03/04/2017")
        parser.add_argument("--lane", choices=("note", "detection"), default="note", help="where the file names none")
        add_mapping(parser, "which column says what", LABELS)
        parser.add_argument("--apply", action="store_true", help="add what is new")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            incident = incident_for(COMMAND_LINE, options["reference"])
            with options["file"].open("rb") as file:
                self._read(incident, file, options)
        except OSError as error:
            raise CommandError(f"Cannot read {options['file']}: {error.strerror}.") from error
        except (BrokenFileError, DomainError) as error:
            raise CommandError(str(error)) from error

    def _read(self, incident: Incident, file: BufferedReader, options: dict[str, Any]) -> None:
        opened = open_entries(file)
        choices = _choices(opened, options)
        if wrong := problems(choices.columns):
            columns = ", ".join(opened.columns)
            raise CommandError(f"{' '.join(wrong)} Say it with --mapping COLUMN=FIELD. Columns: {columns}.")
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        known = Known(incident.pk, sha256)
        known.refresh()
        name = options["file"].name
        source = source_of(incident.pk, sha256) or options["source"] or name
        lines = Lines(opened, Origin(0, name, sha256, source), choices, known, now())
        self._tell(choices, preview(lines, verdict=WRONG))
        if not options["apply"]:
            self.stdout.write("Nothing was changed. With --apply the new lines are added.")
            return
        kept = stage_entries(incident_id=incident.pk, upload=File(file, name), actor=COMMAND_LINE, at=now())
        done = import_entries(
            incident_id=incident.pk,
            file_number=kept.number,
            choices=choices,
            source=source,
            actor=COMMAND_LINE,
            clock=now,
        )
        self.stdout.write(f"{plural(done.added, 'entry', 'entries')} added from file {kept.number}.")

    def _tell(self, choices: Choices, found: Preview) -> None:
        self.stdout.write(f"Read as: {TOOLS[choices.tool].label}")
        for column, field in choices.columns.items():
            if field:
                self.stdout.write(f"  {column}: {LABELS[field].lower()}")
        for label, count in (("To be added", found.new), ("There already", found.already), ("Wrong", found.wrong)):
            self.stdout.write(f"{label:<14}{number(count):>9}")
        for line in found.shown:
            self.stdout.write(f"  Line {line.number} {line.reason}.")
        if found.following:
            self.stdout.write(f"  and {number(found.wrong - len(found.shown))} more")


def _choices(opened: EntriesFile, options: dict[str, Any]) -> Choices:
    by_itself = suggested(opened, options["tool"])
    try:
        if options["zone"]:
            zone_of(options["zone"])
    except BadMomentError:
        raise CommandError(f"--zone {options['zone']}: there is no such time zone.") from None
    columns = dict(by_itself.columns)
    for column, field in read_mapping(options["mapping"]).items():
        if column not in columns:
            raise CommandError(f"--mapping {column}={field}: there is no such column. Columns: {', '.join(columns)}.")
        columns = {name: "" if fills == field else fills for name, fills in columns.items()} | {column: field}
    day_order = options["day_order"] or TOOLS[by_itself.tool].day_order
    return replace(
        by_itself,
        columns=columns,
        clockwork=Clockwork(options["zone"], options["twice"], day_order),
        lane=Lane(options["lane"]),
    )
