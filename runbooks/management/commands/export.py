"""manage.py export REFERENCE FORMAT --out FILE: take a timeline away, as the page Exports does."""

import shutil
import sys
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError, CommandParser

from runbooks.access.permissions import COMMAND_LINE
from runbooks.errors import DomainError
from runbooks.exports.formats import FORMATS
from runbooks.exports.models import Export
from runbooks.exports.operations.making import make_export
from runbooks.exports.operations.requesting import Wish, request_export
from runbooks.exports.queries.entries import ORDERS
from runbooks.incidents.queries import incident_for
from runbooks.presentation import number, plural
from runbooks.timeline.operations import now


class Command(BaseCommand):
    help = (
        "Exports the timeline of an incident. The export is a row, two entries of the timeline and a file that is "
        "kept, as if it had been asked for on the page Exports."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("reference", metavar="REFERENCE")
        parser.add_argument("format", metavar="FORMAT", choices=list(FORMATS), help=", ".join(FORMATS))
        parser.add_argument("--out", metavar="FILE", required=True, help="a new file; - for standard output")
        parser.add_argument("--filter", metavar="QUERY", default="", help="the timeline page's, such as lane=decision")
        parser.add_argument("--order", choices=list(ORDERS), default="sequence")
        parser.add_argument("--purpose", default="", help="for whom or what")
        parser.add_argument("--no-bom", action="store_true", help="CSV without the mark that Excel reads UTF-8 by")

    def handle(self, *args: object, reference: str, **options: Any) -> None:
        out = Path(options["out"])
        if options["out"] != "-" and out.exists():
            raise CommandError(f"{out} is there already, and is not overwritten. Name another file.")
        wish = Wish(
            options["format"],
            options["filter"].removeprefix("?"),
            options["order"],
            {"bom": not options["no_bom"]},
            options["purpose"],
        )
        try:
            incident = incident_for(COMMAND_LINE, reference)
            asked = request_export(incident_id=incident.pk, wish=wish, actor=COMMAND_LINE, at=now())
            made = make_export(export_id=asked.pk, clock=now)
        except DomainError as error:
            raise CommandError(str(error)) from error
        if made is None:
            raise CommandError(f"{asked} is being made by a worker. Its file will be on the page Exports.")
        if made.status != Export.Status.READY:
            raise CommandError(f"{made} was not made: {made.reason}")
        _save(made, options["out"])
        self.stderr.write(
            f"{made}: {plural(made.entries, 'entry', 'entries')}, {number(made.left_out)} left out, "
            f"{plural(made.size or 0, 'byte')}, SHA-256 {made.sha256}"
        )


def _save(made: Export, out: str) -> None:
    with default_storage.open(made.file) as kept:
        if out == "-":
            shutil.copyfileobj(kept, sys.stdout.buffer)
            return
        try:
            with Path(out).open("xb") as file:
                shutil.copyfileobj(kept, file)
        except OSError as error:
            said = (error.strerror or "no reason").lower()
            raise CommandError(f"{out} cannot be written: {said}. {made} is kept by the portal.") from error
