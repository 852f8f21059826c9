"""Declare an incident from the command line."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE
from runbooks.errors import DomainError
from runbooks.room.operations.declare import Declaration, declare
from runbooks.timeline.operations import now


class Command(BaseCommand):
    help = "Declare an incident; prints its reference."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--runbook", required=True, metavar="SLUG", help="see `manage.py check_runbooks`")
        parser.add_argument("--title", required=True)
        parser.add_argument("--severity", required=True, type=int, help="1 (critical) to 4 (low)")
        parser.add_argument("--lead", metavar="USERNAME", help="who leads; may be named later in the browser")
        parser.add_argument("--noticed-by", default="", help="what or who noticed it")
        parser.add_argument("--exercise", action="store_true")
        parser.add_argument("--json", action="store_true", help='print {"reference": ...}')

    def handle(self, *args: Any, **options: Any) -> None:
        at = now()
        lead = None
        if options["lead"]:
            lead = User.objects.filter(username=options["lead"]).first()
            if lead is None:
                raise CommandError(f"There is no portal user {options['lead']}.")
        declaration = Declaration(
            runbook_slug=options["runbook"],
            title=options["title"],
            severity=options["severity"],
            detected_at=at,
            detected_by=options["noticed_by"],
            lead_id=lead.pk if lead else None,
            is_exercise=options["exercise"],
        )
        try:
            incident = declare(declaration=declaration, actor=COMMAND_LINE, at=at)
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps({"reference": incident.reference}) if options["json"] else incident.reference)
