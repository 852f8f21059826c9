"""typst in a process of its own, which ends with the file."""

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from runbooks.typesetting.printable import FONTS

HERE: Final = Path(__file__).parent
# What templates may read: the code of the portal, where the shared parts are, and nothing that is anybody's.
ROOT: Final = HERE.parent
MOST_SECONDS: Final = 300


class SettingError(Exception):
    """No file was made, and why."""


def set_pdf(
    template: Path,
    content: Mapping[str, Any],
    *,
    made_at: datetime,
    most_seconds: float | None = None,
    fonts: Path | None = None,
) -> bytes:
    """The PDF of a template; `content` comes to it as one string of JSON. Raises SettingError.

    Takes seconds: not for a transaction.
    """
    request = {
        "template": str(template),
        "root": str(ROOT),
        "fonts": str(fonts or FONTS),
        "content": content,
        "timestamp": int(made_at.timestamp()),
    }
    command = [sys.executable, "-I", str(HERE / "setting.py")]
    seconds = most_seconds or MOST_SECONDS
    try:
        done = subprocess.run(  # noqa: S603  # every word of the command is our own
            command, input=json.dumps(request).encode(), capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        # Without its cause, which holds what was set.
        raise SettingError(f"The file was not ready after {seconds} seconds. Make a smaller one.") from None
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise SettingError(f"The file could not be made: {last or f'ended by signal {-done.returncode}'}.")
    return done.stdout
