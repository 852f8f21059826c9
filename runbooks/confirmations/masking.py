"""An account's name as a page may show it: enough for its holder to know it by, and nothing for who looks over."""

import re
from typing import Final

from runbooks.confirmations.codes import account_meant

DOTS: Final = "•••••"
ENDING: Final = re.compile(r"[-._]?[0-9]{1,4}$")


def masked(login: str) -> tuple[str, str]:
    """How the name begins and how it ends, each perhaps with nothing: ("m", "-0412") of m.ferreira-0412."""
    name = account_meant(login)
    found = ENDING.search(name, 1)
    return name[:1], found.group() if found else ""
