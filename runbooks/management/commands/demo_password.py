"""manage.py demo_password: play the holder of an account who changes the password, in an exercise."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runbooks.demonstration.passwords import change_password
from runbooks.errors import DomainError
from runbooks.timeline.operations import now


class Command(BaseCommand):
    help = "Give an account a new password in the simulated directory of an exercise, as its holder would."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("login", metavar="LOGIN", help="the account's name, as the accounts page shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            incidents = change_password(login=options["login"], at=now())
        except DomainError as error:
            raise CommandError(str(error)) from error
        references = ", ".join(incident.reference for incident in incidents)
        self.stdout.write(f"{options['login']} has a new password in the simulated directory of {references}.")
