"""Remote access by membership of one group, or by one conditional access policy that lists who is kept out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from runbooks.connectors.base import Outcome

Standing = tuple[bool, list[str]]
"""Whether the account has remote access, and its raw value: its object id where it is listed, or nothing."""


@dataclass(frozen=True, slots=True)
class Change:
    """What came of one account. `before` is its raw value until then."""

    outcome: Outcome
    before: list[str] | None = None
    message: str = ""
    permanent: bool = False
    retry_after: float | None = None


class RemoteAccess(Protocol):
    """One list of accounts in the tenant. Ids are object ids in small letters."""

    @property
    def id(self) -> str:
        """The object id of the group or policy, under which before-values are kept."""

    @property
    def source(self) -> str:
        """For people: what was read."""

    @property
    def permissions(self) -> tuple[str, ...]: ...

    @property
    def lists_restricted(self) -> bool:
        """Whether being in the list means to be restricted, as in a policy, or to have access, as in a group."""

    def standing(self, ids: Sequence[str]) -> Mapping[str, Standing]:
        """As Graph shows it now. Raises ConnectorError."""

    def change(self, wanted: Mapping[str, bool], *, is_undoing: bool) -> Mapping[str, Change]:
        """Put each into the list or take it out. Raises ConnectorError when nothing was done.

        `is_undoing`: what is wanted is what was there before.
        """


def listed(account_id: str, *, is_in: bool) -> list[str]:
    return [account_id] if is_in else []
