"""manage.py draw_states: write docs/account-states.md and its drawing from the table of transitions."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from runbooks.affected_accounts.drawing import draw_page, draw_picture


class Command(BaseCommand):
    help = "Writes docs/account-states.md and docs/account-states.svg from the table of transitions."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", type=Path, default=settings.BASE_DIR / "docs", metavar="FOLDER")

    def handle(self, *args: object, to: Path, **options: Any) -> None:
        for name, text in (("account-states.md", draw_page()), ("account-states.svg", draw_picture())):
            (to / name).write_text(text, encoding="utf-8")
            self.stdout.write(f"Wrote {to / name}")
