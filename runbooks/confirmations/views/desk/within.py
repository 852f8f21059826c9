"""The part of the queue that somebody works through: kept in the address, and carried from call to call."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final
from urllib.parse import urlencode

from runbooks.affected_accounts.models import Tier
from runbooks.confirmations.queries.calls import NO_OFFICE, Within
from runbooks.directory.models import Account
from runbooks.errors import DomainError

LONGEST: Final = Account._meta.get_field("office").max_length
# Sent beside the part of the queue when the holder rang, so that nobody is noted as called on a number.
RANG: Final = "rang"


class BadPartError(DomainError):
    """There is no such part of the queue."""

    status = 400


def within_of(given: Mapping[str, str]) -> Within:
    """As a form or an address says it. Raises BadPartError: whoever asked for a part is not given the whole."""
    tier, office, begins = (given.get(name, "").strip() for name in ("tier", "office", "begins"))
    if tier not in ("", *Tier.values):
        raise BadPartError("There is no such tier. Choose A, B, C or D, or all of them.")
    for text in (office, begins):
        if not text.isprintable() or len(text) > (LONGEST or 0):
            raise BadPartError("There is no such office. Choose one of the list, or type how its name begins.")
    return Within(tier, office, begins)


def address_of(within: Within, **more: str) -> str:
    """What follows the question mark, with it; empty where there is nothing to say."""
    said = {name: value for name, value in {**asdict(within), **more}.items() if value}
    return f"?{urlencode(said)}" if said else ""


def in_words(within: Within) -> str:
    """tier A, office Room 412; empty for everybody."""
    said = [f"tier {within.tier}"] if within.tier else []
    if within.office == NO_OFFICE:
        said.append("no office on file")
    elif within.office:
        said.append(f"office {within.office}")
    if within.begins:
        said.append(f"offices that begin with “{within.begins}”")
    return ", ".join(said)
