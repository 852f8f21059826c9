"""List the incidents, newest first."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from runbooks.incidents.models import Incident


class Command(BaseCommand):
    help = "List the incidents, newest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON array")

    def handle(self, *args: Any, **options: Any) -> None:
        incidents = Incident.objects.order_by("-declared_at", "-year", "-number")
        rows = [
            {
                "reference": incident.reference,
                "title": incident.title,
                "severity": incident.severity,
                "status": incident.status,
                "tlp": incident.tlp,
                "exercise": incident.is_exercise,
                "declared_at": incident.declared_at.isoformat(),
            }
            for incident in incidents.iterator()
        ]
        if options["json"]:
            self.stdout.write(json.dumps(rows, ensure_ascii=False))
            return
        for row in rows:
            self.stdout.write(f"{row['reference']}  severity {row['severity']}  {row['status']:<10}  {row['title']}")
        if not rows:
            self.stdout.write("No incidents. Declare one: manage.py declare --help")
