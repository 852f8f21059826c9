"""A new password whose holder has said nothing is seen, shown, and moves nothing by itself."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.confirmations.models import Code, Confirmation, DirectoryWatch
from runbooks.confirmations.operations import watching
from runbooks.confirmations.operations.watching import watch, watch_all
from runbooks.confirmations.queries.calls import Urgency, queue_counts
from runbooks.confirmations.queries.needs import holder_needs
from runbooks.connectors.base import AccountState, ConnectorError, Fact, Reading
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.verify import verify_chain
from tests.factories import make_account, make_affected, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("directory")]
AN_HOUR = timedelta(hours=1)


@pytest.fixture
def directory(settings: Any) -> None:
    settings.CONNECTIONS = {"directory": {"connector": "simulated", "lag_seconds": 0}}


@pytest.fixture
def incident() -> Incident:
    return make_incident(is_exercise=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> "Directory":
    return Directory(monkeypatch)


class Directory:
    """What the directory shows as the time of each password, and who was asked about."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.changed: dict[str, datetime] = {}
        self.about: list[str] = []
        self.error: ConnectorError | None = None
        monkeypatch.setattr("runbooks.connectors.simulated.Simulated.read", lambda _, accounts: self.read(accounts))

    def read(self, accounts: Any) -> list[AccountState]:
        if self.error is not None:
            raise self.error
        self.about += [account.login for account in accounts]
        return [AccountState(account, self._facts(account.login)) for account in accounts]

    def _facts(self, login: str) -> dict[Fact, Reading]:
        changed = self.changed.get(login)
        return (
            {Fact.PASSWORD_CHANGED_AT: Reading(changed, timezone.now(), "directory: pwdChangedTime")} if changed else {}
        )


def contained(incident: Incident, login: str, **changes: Any) -> AffectedAccount:
    at = timezone.now() - 3 * AN_HOUR
    before = at - timedelta(minutes=10)
    names = ("sign_in_disabled_at", "sessions_revoked_at", "rules_checked_at", "password_changed_at")
    facts = dict.fromkeys(names, before)
    values: dict[str, Any] = {"tier": "B", "state": State.CONTAINED, "contained_at": at, **facts, **changes}
    return make_affected(incident, make_account(login=login), **values)


def claimed(row: AffectedAccount, truth: str) -> None:
    at = timezone.now() - AN_HOUR
    code = Code.objects.create(
        incident=row.incident, affected_account=row, digest=f"{row.pk:064}", channel="letter", issued_at=at,
        expires_at=at + timedelta(days=14), used_at=at,
    )  # fmt: skip
    Confirmation.objects.create(
        incident=row.incident, affected_account=row, code=code, receipt=f"R-{row.pk}", answer="changed",
        language="en-gb", answered_at=at, truth=truth, check_at=at if truth == "pending" else None,
    )  # fmt: skip


def test_a_new_password_without_a_word_is_recorded_and_the_account_stays_where_it_is(
    incident: Incident, asked: Directory
) -> None:
    row, other = contained(incident, "ana"), contained(incident, "bo")
    assert other.contained_at is not None
    asked.changed["ana"] = timezone.now() - AN_HOUR
    asked.changed["bo"] = other.contained_at - timedelta(minutes=1)
    assert watch(incident_id=incident.pk, clock=timezone.now) == 2
    row.refresh_from_db()
    other.refresh_from_db()
    assert (row.state, row.password_changed_at) == (State.CONTAINED, asked.changed["ana"])
    assert row.holder_confirmed_at is None
    assert other.password_changed_at is not None
    assert other.password_changed_at < other.contained_at
    entry = TimelineEvent.objects.get(incident=incident, kind="password.seen")
    assert entry.account_ids == [row.pk]
    assert "said nothing" in entry.summary
    assert verify_chain(incident.pk).broken_at is None
    assert holder_needs(incident.pk).unclaimed == 1


def test_it_is_told_once(incident: Incident, asked: Directory) -> None:
    contained(incident, "ana")
    asked.changed["ana"] = timezone.now() - AN_HOUR
    for _ in range(3):
        watch(incident_id=incident.pk, clock=timezone.now)
    assert TimelineEvent.objects.filter(incident=incident, kind="password.seen").count() == 1
    assert asked.about == ["ana"]


def test_who_has_just_changed_it_is_given_a_moment_to_say_so(incident: Incident, asked: Directory) -> None:
    contained(incident, "ana")
    asked.changed["ana"] = timezone.now() - timedelta(minutes=5)
    watch(incident_id=incident.pk, clock=timezone.now)
    assert holder_needs(incident.pk).unclaimed == 0


@pytest.mark.parametrize(("truth", "is_asked"), [("pending", False), ("differs", True)])
def test_a_claim_that_waits_is_not_asked_about_here(
    truth: str, *, is_asked: bool, incident: Incident, asked: Directory
) -> None:
    claimed(contained(incident, "ana"), truth)
    watch(incident_id=incident.pk, clock=timezone.now)
    assert asked.about == ["ana"] * is_asked


def test_a_claim_that_comes_meanwhile_is_left_to_itself(
    incident: Incident, asked: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = contained(incident, "ana")
    asked.changed["ana"] = timezone.now() - AN_HOUR
    answer = asked.read

    def read(accounts: Any) -> list[AccountState]:
        claimed(row, "pending")
        return answer(accounts)

    monkeypatch.setattr(asked, "read", read)
    watch(incident_id=incident.pk, clock=timezone.now)
    assert not TimelineEvent.objects.filter(incident=incident, kind="password.seen").exists()


@pytest.mark.parametrize("state", [State.SUSPECTED, State.HOLDER_CONFIRMED, State.CLOSED, State.FALSE_POSITIVE])
def test_nobody_is_asked_about_who_has_nothing_to_change(state: State, incident: Incident, asked: Directory) -> None:
    contained(incident, "ana", state=state)
    assert watch_all(clock=timezone.now) == 0


def test_each_turn_goes_on_where_the_last_one_ended_and_then_begins_again(
    incident: Incident, asked: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "AT_ONCE", 2)
    for login in ("ana", "bo", "cy"):
        contained(incident, login)
    for _ in range(3):
        watch(incident_id=incident.pk, clock=timezone.now)
    assert asked.about == ["ana", "bo", "cy", "ana", "bo"]


def test_a_directory_that_cannot_be_read_says_why_until_it_can(incident: Incident, asked: Directory) -> None:
    claimed(contained(incident, "ana"), "pending")
    contained(incident, "bo")
    asked.error = ConnectorError("The directory does not answer.", permanent=False)
    assert watch(incident_id=incident.pk, clock=timezone.now) == 0
    needs = holder_needs(incident.pk)
    assert (needs.unchecked, needs.trouble) == (1, "The directory does not answer.")
    asked.error = None
    watch(incident_id=incident.pk, clock=timezone.now)
    assert holder_needs(incident.pk).trouble == ""
    assert DirectoryWatch.objects.get().looked_at is not None


def test_an_incident_that_is_over_is_left_alone(incident: Incident, asked: Directory) -> None:
    contained(incident, "ana")
    Incident.objects.filter(pk=incident.pk).update(status=Incident.Status.CLOSED)
    assert watch_all(clock=timezone.now) == 0
    assert not asked.about


def test_a_new_password_before_containment_is_the_work_of_ours(incident: Incident, asked: Directory) -> None:
    at = timezone.now() - AN_HOUR
    contained(incident, "ana", state=State.COMPROMISED, contained_at=None, password_changed_at=at)
    asked.changed["ana"] = at
    assert watch(incident_id=incident.pk, clock=timezone.now) == 0
    assert holder_needs(incident.pk).unclaimed == 0
    assert queue_counts(incident.pk, timezone.now(), 0).by_urgency.get(Urgency.UNCLAIMED, 0) == 0
