"""manage.py verify REFERENCE: walk an incident's chain and say where it first breaks."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runbooks.access.permissions import COMMAND_LINE
from runbooks.errors import DomainError
from runbooks.exports.operations.verifying import verify
from runbooks.incidents.queries import incident_for
from runbooks.presentation import number, plural
from runbooks.timeline.operations import now

TELL_EACH = 50_000


class Command(BaseCommand):
    help = (
        "Verifies the chain of an incident's timeline in the database, and every checkpoint against it. The result is "
        "kept and shown on the page Seal. Exit status 1 where the chain is broken."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("reference", metavar="REFERENCE")

    def handle(self, *args: object, reference: str, **options: Any) -> None:
        def tell(done: int) -> None:
            if done % TELL_EACH == 0:
                self.stderr.write(f"{number(done)} entries")

        try:
            incident = incident_for(COMMAND_LINE, reference)
            found = verify(incident_id=incident.pk, whole=True, asked_by=COMMAND_LINE.name, clock=now, tell=tell)
        except DomainError as error:
            raise CommandError(str(error)) from error
        if found.broken_at is not None:
            self.stdout.write(f"Broken. {found.finding}")
            self.stdout.write(f"Sound before it: {plural(found.entries, 'entry', 'entries')}. Change nothing.")
            sys.exit(1)
        self.stdout.write(f"Sound to #{number(found.head_sequence)}, {found.head_hash}. {found.finding}".strip())
