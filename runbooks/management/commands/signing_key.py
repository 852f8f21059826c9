"""manage.py signing_key create|rotate|retire|list: the key that checkpoints and bundles are signed with."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runbooks.access.permissions import COMMAND_LINE
from runbooks.errors import DomainError
from runbooks.exports import keys
from runbooks.exports.models import SigningKey
from runbooks.timeline.operations import now


class Command(BaseCommand):
    help = "Makes, exchanges, retires and lists signing keys. The private part is written to a file and shown nowhere."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="create|rotate|retire|list")
        create = verbs.add_parser("create", help="make a key in a new file, or publish the one that is set")
        create.add_argument("--file", type=Path, help="where to write it, instead of SIGNING_KEY_FILE")
        verbs.add_parser("rotate", help="put a new key into SIGNING_KEY_FILE, and retire the old one")
        retire = verbs.add_parser("retire", help="sign with it no more; what it signed stays good")
        retire.add_argument("fingerprint", metavar="SHA256:...")
        verbs.add_parser("list", help="all keys there ever were")

    def handle(self, *args: object, verb: str, **options: Any) -> None:
        try:
            getattr(self, f"_{verb}")(options)
        except DomainError as error:
            raise CommandError(str(error)) from error

    def _create(self, options: dict[str, Any]) -> None:
        key, path = keys.create_key(path=options["file"], by=COMMAND_LINE.name, at=now())
        if path is not None:
            self.stdout.write(f"Made {path}. Keep a copy where neither the portal nor its backups are.")
        self.stdout.write(f"Published {key.fingerprint}.")
        if path is not None and path != keys.key_file():
            self.stdout.write(f"To sign with it, set SIGNING_KEY_FILE={path} and start the portal again.")

    def _rotate(self, options: dict[str, Any]) -> None:
        new, old, kept = keys.rotate_key(by=COMMAND_LINE.name, at=now())
        self.stdout.write(f"Signing with {new.fingerprint} from now on.")
        self.stdout.write(f"Retired {old.fingerprint}. Its private part is in {kept}: destroy it.")

    def _retire(self, options: dict[str, Any]) -> None:
        key = keys.retire_key(fingerprint=options["fingerprint"], at=now())
        self.stdout.write(f"Retired {key.fingerprint}. It stays published, and what it signed stays good.")

    def _list(self, options: dict[str, Any]) -> None:
        trouble = keys.problem()
        at_hand = "" if trouble else keys.held().key.fingerprint
        for key in SigningKey.objects.order_by("made_at", "pk"):
            retired = f", retired {key.retired_at:%Y-%m-%d %H:%M} UTC" if key.retired_at else ""
            mark = " (at hand, current)" if key.fingerprint == at_hand else ""
            self.stdout.write(
                f"{key.fingerprint}  made {key.made_at:%Y-%m-%d %H:%M} UTC by {key.made_by}{retired}{mark}"
            )
        if trouble:
            self.stdout.write(f"Nothing can be signed: {trouble}")
