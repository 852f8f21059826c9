"""List the files in the storage that no attachment names, and remove them on request."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from runbooks.attachments.names import size_in_words
from runbooks.attachments.sweeping import leftovers, remove


class Command(BaseCommand):
    help = "List files in the storage, older than a day, that no attachment names. --remove deletes them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--remove", action="store_true", help="delete what is listed")

    def handle(self, *args: Any, **options: Any) -> None:
        found = gone = 0
        for one in leftovers(timezone.now()):
            found += 1
            said = f"{one.path}  {size_in_words(one.size)}  {one.left_at:%Y-%m-%d %H:%M} UTC"
            if options["remove"] and remove(one):
                gone += 1
                said += "  removed"
            self.stdout.write(said)
        if not found:
            self.stdout.write("Nothing is left over.")
        elif not options["remove"]:
            self.stdout.write(f"{found} left over. Remove them: manage.py sweep_attachments --remove")
        else:
            self.stdout.write(f"{gone} of {found} removed.")
