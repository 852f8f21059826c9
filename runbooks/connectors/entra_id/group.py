"""The group whose direct members have remote access.

Graph shows a change of members late, so nothing is skipped because of a read: each is added or taken out, and Graph's
own refusal tells who was so already. A member is taken out by the reference alone ($ref): without that word the same
request would delete the account.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from runbooks.connectors.base import ConnectorError, Outcome
from runbooks.connectors.entra_id.remote_access import Change, Standing, listed
from runbooks.connectors.entra_id.session import FORBIDDEN, NOT_FOUND, Answer, Request, Session

PERMISSION: Final = "GroupMember.ReadWrite.All"
PAGE, ASKED_ONE_BY_ONE = 999, 60
"""Members a page; up to how many accounts are asked for their groups rather than the group for its members."""
ALREADY: Final = "already exist"


class GroupAccess:
    lists_restricted = False
    permissions = (PERMISSION,)

    def __init__(self, session: Session, group_id: str) -> None:
        self._session, self.id = session, group_id.lower()
        self.source = f"member of the group {self.id}"

    def standing(self, ids: Sequence[str]) -> dict[str, Standing]:
        members = self._groups_of(ids) if len(ids) <= ASKED_ONE_BY_ONE else self.members()
        return {one: (one in members, listed(one, is_in=one in members)) for one in ids}

    def members(self) -> set[str]:
        """Everybody in the group, by object id. Members of groups inside it are not among them."""
        path = f"/groups/{self.id}/members?$select=id&$top={PAGE}"
        return {str(one["id"]).lower() for one in self._session.pages(path)}

    def change(self, wanted: Mapping[str, bool], *, is_undoing: bool) -> dict[str, Change]:
        answers = self._session.batch([self._request(one, is_in=is_in) for one, is_in in wanted.items()])
        if any(answer.status == NOT_FOUND for answer in answers):
            self._check_group()
        return {
            one: _change(one, answer, is_in=is_in) for (one, is_in), answer in zip(wanted.items(), answers, strict=True)
        }

    def _request(self, account_id: str, *, is_in: bool) -> Request:
        if is_in:
            reference = {"@odata.id": f"{self._session.base_url}/directoryObjects/{account_id}"}
            return Request("POST", f"/groups/{self.id}/members/$ref", reference)
        return Request("DELETE", f"/groups/{self.id}/members/{account_id}/$ref")

    def _groups_of(self, ids: Sequence[str]) -> set[str]:
        """Those of the accounts that are direct members."""
        members = set()
        answers = self._session.batch([Request("GET", f"/users/{one}/memberOf?$select=id&$top={PAGE}") for one in ids])
        for one, answer in zip(ids, answers, strict=True):
            if not answer.is_ok:
                raise _unread(answer)
            if "@odata.nextLink" in answer.body:  # in a thousand groups and more: ask the group instead
                return self.members()
            if self.id in (str(group["id"]).lower() for group in answer.body.get("value", ())):
                members.add(one)
        return members

    def _check_group(self) -> None:
        """A group that is gone answers every request as an account that is not in it would."""
        if self._session.get(f"/groups/{self.id}?$select=id").status == NOT_FOUND:
            raise ConnectorError(f"There is no group {self.id}. Check the setting group.", permanent=True)


def _change(account_id: str, answer: Answer, *, is_in: bool) -> Change:
    was_so = answer.status == NOT_FOUND if not is_in else ALREADY in answer.words
    if answer.is_ok or was_so:
        outcome = Outcome.ALREADY if was_so else Outcome.OK
        return Change(outcome, listed(account_id, is_in=is_in if was_so else not is_in))
    mend = ""
    if answer.status == FORBIDDEN:
        mend = f" Grant {PERMISSION}; a group that roles are assigned to, or that is filled by a rule, does not do."
    message = f"Microsoft Graph did not change the group: {answer.words}.{mend}"
    again = answer.wait if answer.is_passing else None
    return Change(Outcome.FAILED, None, message, not answer.is_passing, again)


def _unread(answer: Answer) -> ConnectorError:
    mend = f" Grant {PERMISSION}." if answer.status == FORBIDDEN else ""
    again = answer.wait if answer.is_passing else None
    return ConnectorError(
        f"Microsoft Graph did not read groups ({answer.words}).{mend}",
        permanent=not answer.is_passing,
        retry_after=again,
    )
