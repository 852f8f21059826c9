"""manage.py check_connector NAME: ask a connection what would keep it from working."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runbooks.connectors import configured
from runbooks.connectors.base import Finding, Severity
from runbooks.errors import DomainError


class Command(BaseCommand):
    help = "Checks a connection to an identity system and changes nothing there. Exit status 1 when there is an error."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="an entry of CONNECTIONS, see docs/connectors.md")

    def handle(self, *args: object, name: str, **options: Any) -> None:
        try:
            connector = configured(name)
        except DomainError as error:
            raise CommandError(str(error)) from error
        findings = connector.self_test()
        connector.close()
        for finding in findings:
            self.stdout.write(_line(finding))
        if any(finding.severity is Severity.ERROR for finding in findings):
            sys.exit(1)


def _line(finding: Finding) -> str:
    mend = f"\n         Mend: {finding.mend}" if finding.mend else ""
    return f"{finding.severity:<8} {finding.what}{mend}"
