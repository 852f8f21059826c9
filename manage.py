#!/usr/bin/env python3
"""Run a management command; where no engine is running, the embedded ones are started for its duration."""

import os
import sys

from django.core.management import execute_from_command_line

from ir_portal.embedded import engines_for_command


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ir_portal.settings")
    # A command has one thread, and a pool would still knock at the engines when they are stopped.
    os.environ.setdefault("DATABASE_POOL", "0")
    with engines_for_command(sys.argv):
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
