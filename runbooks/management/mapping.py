"""--mapping COLUMN=FIELD: which column of somebody else's file says what."""

from argparse import ArgumentParser
from collections.abc import Iterable

from django.core.management.base import CommandError


def add_mapping(parser: ArgumentParser, said: str, fields: Iterable[str]) -> None:
    parser.add_argument(
        "--mapping",
        nargs="+",
        action="extend",
        default=[],
        metavar="COLUMN=FIELD",
        help=f"{said}; fields: {', '.join(fields)}",
    )


def read_mapping(pairs: Iterable[str]) -> dict[str, str]:
    """{column: field}; a column's name may hold an equals sign, a field's does not. Raises CommandError."""
    mapping = {}
    for pair in pairs:
        column, equals, field = pair.rpartition("=")
        if not equals:
            raise CommandError(f"--mapping {pair}: write COLUMN=FIELD, such as --mapping Email=mail.")
        mapping[column] = field
    return mapping
