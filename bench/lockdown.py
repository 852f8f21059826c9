"""Locking 9,000 accounts through the portal next to a bare loop of the same LDAP operations, against a real slapd.

The portal's side is what happens after the approval: the run, with the ledger, before-values, an entry an account, and
the read-back of everybody. The bare loop finds the accounts, reads what they have, locks each and reads all again, with
ldap3 and nothing else. Both start from the same directory, in which nobody is locked.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import ldap3
from django.conf import settings
from django.utils import timezone
from harness import Claim, Side, alternate, conclude, is_quick, portal

from runbooks.access.models import Role
from runbooks.actions.models import Action, ActionAccount
from runbooks.actions.operations.running import run
from runbooks.actions.operations.verifying import verify
from runbooks.directory.models import Account
from tests.actions import acting
from tests.connectors import slapd as server
from tests.connectors.slapd import Slapd
from tests.directory.institution import load, make_institution
from tests.factories import make_incident, make_user

TARGET = 2.0
ROUNDS = 3


BATCH = 500
SEEN = ["mail", "pwdAccountLockedTime", "pwdReset", "pwdChangedTime", "pwdFailureTime"]


class Stage:
    """A directory with everybody in it, and an incident that may act on it."""

    def __init__(self, folder: Path, number: int) -> None:
        os.environ["CONNECTION_DIRECTORY_PASSWORD"] = server.PASSWORD
        base = folder / "slapd"
        institution = make_institution(folder / "institution", accounts=number, affected=9)
        base.mkdir()
        server.load(base, institution.ldif)
        self.slapd = Slapd(base)
        self.slapd.start()
        settings.CONNECTIONS["directory"] = {
            "connector": "ldap",
            "url": self.slapd.url,
            "bind_dn": server.PORTAL,
            "base": server.SUFFIX,
            "login_attribute": "mail",
            # As fast as the server answers: a site would spare its own.
            "rate_per_second": 1_000_000,
        }
        load(institution.ldif.read_bytes(), name="directory.ldif")
        self.asker, self.approver = make_user(Role.RESPONDER), make_user(Role.COORDINATOR)
        self.logins = list(Account.objects.order_by("login").values_list("login", flat=True))

    def approved(self) -> Action:
        """A fresh incident with a request that a second person approved; nobody is locked."""
        self.unlock_everybody()
        incident = make_incident(lead=self.approver, members=(self.asker,))
        action = acting.drafted(incident, self.asker, everyone=True)
        return acting.approved(acting.requested(action, self.asker), self.approver)

    def through_the_portal(self, action: Action) -> None:
        run(action_id=action.pk, clock=timezone.now)
        verify(action_id=action.pk, clock=timezone.now)
        held = ActionAccount.objects.filter(action=action, verdict="holds").count()
        assert held == len(self.logins), f"only {held} are locked"

    def bare_loop(self, _: object) -> None:
        client = ldap3.Connection(
            ldap3.Server(self.slapd.url, get_info=ldap3.NONE), server.PORTAL, server.PASSWORD, auto_bind=True
        )
        batches = [self.logins[start : start + BATCH] for start in range(0, len(self.logins), BATCH)]
        for batch in batches:
            for entry in self._read(client, batch):
                client.modify(entry["dn"], {"pwdAccountLockedTime": [(ldap3.MODIFY_REPLACE, ["000001010000Z"])]})
        found = [entry for batch in batches for entry in self._read(client, batch)]
        locked = sum(bool(entry["raw_attributes"]["pwdAccountLockedTime"]) for entry in found)
        client.unbind()
        assert locked == len(self.logins), f"only {locked} are locked"

    def _read(self, client: Any, logins: list[str]) -> list[dict[str, Any]]:
        wanted = "".join(f"(mail={login})" for login in logins)
        client.search(server.SUFFIX, f"(&(objectClass=inetOrgPerson)(|{wanted}))", attributes=SEEN, paged_size=BATCH)
        return list(client.response)

    def unlock_everybody(self) -> None:
        """A server on the same folder, from the same file: as it was before anybody was locked."""
        self.slapd.stop()
        shutil.rmtree(self.slapd.folder / "db")
        server.load(self.slapd.folder, self.slapd.folder.parent / "institution" / "directory.ldif")
        self.slapd.start()


def main() -> int:
    quick = is_quick(__doc__)
    number = 1000 if quick else 9000
    with portal() as folder:
        stage = Stage(folder, number)
        try:
            sides = {
                "portal": Side(stage.through_the_portal, stage.approved),
                "bare loop": Side(stage.bare_loop, stage.unlock_everybody),
            }
            seconds = alternate(sides, rounds=1 if quick else ROUNDS)
        finally:
            stage.slapd.stop()
    print(f"{number} accounts locked and read back")
    return conclude("lockdown", [Claim("portal to bare loop", seconds["portal"] / seconds["bare loop"], TARGET)])


if __name__ == "__main__":
    sys.exit(main())
