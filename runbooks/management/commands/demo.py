"""manage.py demo: load the demonstration incident into an empty portal."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runbooks.demonstration.institution import FULL_SIZE
from runbooks.demonstration.operations import (
    demonstration_incident,
    load_demonstration,
    read_sign_ins,
    sign_ins_file,
)
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.presentation import number
from runbooks.timeline.operations import now

SEED = 2017


class Command(BaseCommand):
    help = "Load the demonstration: a fictitious parliament of 9,000 accounts, and an exercise some 26 hours old."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--seed", type=int, default=SEED, metavar="N", help="same seed, same incident (%(default)s)"
        )
        parser.add_argument(
            "--accounts", type=int, default=FULL_SIZE, metavar="N", help="size of the institution (%(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        there = demonstration_incident()
        if there is not None:
            self.stdout.write(f"The demonstration is there already: {there.reference}.")
            self._tell_sign_ins()
            return
        try:
            loaded = load_demonstration(seed=options["seed"], accounts=options["accounts"], at=now())
        except DomainError as error:
            raise CommandError(str(error)) from error
        if loaded.verification.broken_at is not None:
            said = loaded.verification.finding
            raise CommandError(f"The timeline breaks at entry {loaded.verification.broken_at}: {said}")
        self._tell(loaded.incident, options["accounts"], loaded.verification.entries)
        self._tell_sign_ins()

    def _tell(self, incident: Incident, accounts: int, entries: int) -> None:
        self.stdout.write(f"{incident.reference}  {incident.title}")
        self.stdout.write(
            f"{number(accounts)} accounts in the directory, {number(incident.affected_accounts.count())} on the list."
        )
        self.stdout.write(f"{number(entries)} timeline entries; the chain verifies from the first to the last.")

    def _tell_sign_ins(self) -> None:
        sign_ins = read_sign_ins()
        if not sign_ins:
            self.stdout.write(f"{sign_ins_file()} is gone. Set a new password: manage.py changepassword USERNAME")
            return
        self.stdout.write(f"\n{'Role':<16} {'User name':<24} Password")
        for sign_in in sign_ins:
            self.stdout.write(f"{sign_in.role:<16} {sign_in.username:<24} {sign_in.password}")
        self.stdout.write(f"Kept in {sign_ins_file()}, readable by you alone.")
