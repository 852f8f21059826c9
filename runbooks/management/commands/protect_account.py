"""manage.py protect_account LOGIN --as KIND --why REASON | --remove: keep actions on many accounts off one."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runbooks.access.permissions import COMMAND_LINE
from runbooks.directory.models import Account, Protection
from runbooks.directory.operations import protect_account, release_account
from runbooks.errors import DomainError
from runbooks.timeline.operations import now


class Command(BaseCommand):
    help = (
        "Protects an account of the directory: actions on many accounts leave it alone unless somebody takes it in by "
        "name. Do this for break-glass accounts before the first incident."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("login", metavar="LOGIN")
        parser.add_argument("--as", dest="kind", choices=Protection.Kind.values, help="what kind of account it is")
        parser.add_argument("--why", default="", help="shown to whoever asks for an action and who approves it")
        parser.add_argument("--remove", action="store_true", help="protect it no longer")

    def handle(self, *args: object, login: str, **options: Any) -> None:
        account = Account.objects.filter(login__iexact=login).first()
        if account is None:
            raise CommandError(f"There is no account {login} in the directory. Import the directory first.")
        if not options["remove"] and not (options["kind"] and options["why"].strip()):
            raise CommandError('Say what it is and why: --as break_glass --why "Sealed envelope in the safe".')
        try:
            if options["remove"]:
                release_account(actor=COMMAND_LINE, account_id=account.pk)
                self.stdout.write(f"{account.login} is no longer protected.")
                return
            protection = protect_account(
                actor=COMMAND_LINE, account_id=account.pk, kind=options["kind"], reason=options["why"], at=now()
            )
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{account.login} is protected as {protection.get_kind_display().lower()}.")
