"""manage.py preview_disclosure REFERENCE [--filter account=LOGIN]: what a disclosure copy would hold."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runbooks.access.permissions import COMMAND_LINE
from runbooks.errors import DomainError
from runbooks.exports.operations.disclosing import preview_disclosure
from runbooks.incidents.queries import incident_for
from runbooks.presentation import number
from runbooks.timeline.operations import now


class Command(BaseCommand):
    help = (
        "Says how many entries of a disclosure copy would be whole, under pseudonyms and withheld, with the first of "
        "those. The copy itself: manage.py export REFERENCE disclosure --filter account=LOGIN --out FILE."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("reference", metavar="REFERENCE")
        parser.add_argument(
            "--filter", metavar="QUERY", default="", help="account=LOGIN of the holder; without one a regulator's copy"
        )

    def handle(self, *args: object, reference: str, **options: Any) -> None:
        try:
            incident = incident_for(COMMAND_LINE, reference)
            query = options["filter"].removeprefix("?")
            found = preview_disclosure(incident_id=incident.pk, query=query, actor=COMMAND_LINE, at=now())
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Copy for: {found.holder or 'a regulator; everybody is under a pseudonym'}")
        for name, count in (*found.counts.items(), ("left out by the filter", found.left_out)):
            self.stdout.write(f"{name.capitalize():<24}{number(count):>9}")
        for line in found.sample:
            said = line.get("summary") or json.dumps(line["as"])
            self.stdout.write(f"  #{line['sequence']} {line['kind']}: {said}")
