"""The lock-down of 9,000 less 11 in a real OpenLDAP directory, seen by a client of its own, and the way back."""

from datetime import timedelta
from typing import Any

import ldap3
import pytest
from django.utils import timezone

from runbooks.access.models import User
from runbooks.access.permissions import actor_for
from runbooks.actions.models import Action
from runbooks.actions.operations import draft_rollback
from runbooks.directory.models import Account, Protection
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.verify import verify_chain
from tests.actions.acting import LOCK, RESTRICT, done, drafted, previewed, statuses
from tests.connectors.slapd import ADMIN, GROUP, PASSWORD, SUFFIX, Slapd, dn_of

pytestmark = [pytest.mark.django_db, pytest.mark.slapd]
SEEN = ["pwdAccountLockedTime", "pwdReset", "member", "userPassword"]
FOR_EVERYONE = {
    "everyone": True,
    "expected_harm": "No email from outside until tomorrow",
    "review_at": timezone.now() + timedelta(hours=4),
}


def seen(slapd: Slapd) -> dict[str, dict[str, set[bytes]]]:
    """Every entry as the directory's administrator sees it: DN to what could have changed."""
    admin = ldap3.Connection(ldap3.Server(slapd.url, get_info=ldap3.NONE), ADMIN, PASSWORD, auto_bind=True)
    found = admin.extend.standard.paged_search(
        SUFFIX, "(objectClass=*)", attributes=SEEN, paged_size=500, generator=True
    )
    entries = {entry["dn"]: {name: set(values) for name, values in entry["raw_attributes"].items()} for entry in found}
    admin.unbind()
    return entries


def protect(logins: list[str]) -> None:
    for account in Account.objects.filter(login__in=[f"{login}@parliament.example" for login in logins]):
        Protection.objects.create(
            account=account,
            kind=Protection.Kind.BREAK_GLASS,
            reason="Sealed",
            added_by="a test",
            added_at=timezone.now(),
        )


def test_a_lock_down_restricts_all_but_the_exclusions_and_its_rollback_leaves_everybody_as_they_were(
    institution: Incident, slapd: Slapd, asker: User, approver: User
) -> None:
    everybody = slapd.logins()
    excluded, outside = everybody[:11], everybody[100:103]
    for login in outside:
        slapd.leave_group(login)
    protect(excluded)
    before = seen(slapd)

    action = done(drafted(institution, asker, RESTRICT, **FOR_EVERYONE), asker, approver)
    assert action.status == Action.Status.DONE
    assert statuses(action) == {"done": 8986, "already": 3}
    after = seen(slapd)
    assert after[GROUP]["member"] == {dn_of(login).encode() for login in excluded}
    assert {dn: entry for dn, entry in after.items() if dn != GROUP} == {
        dn: entry for dn, entry in before.items() if dn != GROUP
    }
    assert action.accounts.filter(verdict="holds").count() == 8989
    assert action.accounts.filter(before__isnull=True).count() == 0

    back = draft_rollback(action_id=action.pk, reason="The attack stopped", actor=actor_for(asker), at=timezone.now())
    back = done(previewed(back), asker, approver)
    assert back.status == Action.Status.DONE
    assert back.accounts.filter(verdict="holds").count() == 8989
    assert seen(slapd) == before
    action.refresh_from_db()
    assert action.status == Action.Status.ROLLED_BACK
    assert verify_chain(institution.pk).broken_at is None


def test_nine_thousand_locks_are_one_line_of_the_timeline_and_nine_thousand_entries(
    institution: Incident, slapd: Slapd, asker: User, approver: User
) -> None:
    locked: dict[str, Any] = {"pwdAccountLockedTime": ["20170601000000Z"]}
    slapd.change(dn_of(slapd.logins()[7]), **locked)
    before = seen(slapd)
    action = done(drafted(institution, asker, LOCK, everyone=True), asker, approver)
    assert statuses(action) == {"done": 9000}
    assert sum(bool(entry.get("pwdAccountLockedTime")) for entry in seen(slapd).values()) == 9000
    said = TimelineEvent.objects.filter(incident=institution, kind="action.account_changed")
    assert said.exclude(details__outcome__isnull=True).count() == 9000
    assert said.values("burst").distinct().count() == 1

    back = draft_rollback(action_id=action.pk, reason="Drill over", actor=actor_for(asker), at=timezone.now())
    done(previewed(back), asker, approver)
    assert seen(slapd) == before
