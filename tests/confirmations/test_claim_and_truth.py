"""A code is given, a holder answers, and the directory has the last word."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount, FactKind, State
from runbooks.confirmations.codes import digest_of, shown
from runbooks.confirmations.models import Code, Confirmation
from runbooks.confirmations.operations import (
    CannotIssueError,
    CodeDidNotWorkError,
    Issued,
    Order,
    answer,
    issue_codes,
    open_code,
)
from runbooks.confirmations.operations.checking import check, incidents_due
from runbooks.confirmations.throttle import Origin, origin
from runbooks.connectors.base import AccountState, Fact, Reading
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.verify import verify_chain
from tests.actions.acting import Clock, confirmed
from tests.factories import make_account, make_affected, make_incident, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("directory")]
networks = count(1)


@pytest.fixture
def directory(settings: Any) -> None:
    settings.CONNECTIONS = {"directory": {"connector": "simulated", "lag_seconds": 0}}


@pytest.fixture
def desk() -> User:
    return make_user(Role.DESK)


@pytest.fixture
def incident(desk: User) -> Incident:
    return make_incident(members=(desk,), is_exercise=True)


@pytest.fixture
def holder(incident: Incident) -> AffectedAccount:
    now = timezone.now()
    return make_affected(
        incident,
        make_account(login="ola.dahl@parliament.example"),
        tier="B",
        state=State.CONTAINED,
        contained_at=now - timedelta(hours=1),
        sign_in_disabled_at=now,
        sessions_revoked_at=now,
        rules_checked_at=now,
        password_changed_at=now,
    )


def issued(incident: Incident, row: AffectedAccount, by: User, channel: str = "read_out", **changes: Any) -> Issued:
    order = Order(row.pk, channel, **changes)
    return issue_codes(incident_id=incident.pk, orders=[order], actor=actor_for(by), at=timezone.now())[0]


def elsewhere() -> Origin:
    """Another network at every try: nobody waits for having mistyped."""
    return origin(f"203.0.{next(networks) % 256}.9", "someone")


def opened(row: AffectedAccount, typed: str, at: Any = None) -> int:
    return open_code(login=row.login, typed=typed, origin=elsewhere(), at=at or timezone.now()).code_id


def said(code_id: int, what: str) -> Confirmation:
    return answer(code_id=code_id, said=what, questions={"abroad": "no"}, language="en-gb", at=timezone.now())


def password_changed(monkeypatch: pytest.MonkeyPatch, at: Any) -> None:
    """The directory shows this as the time of everybody's password."""

    def read(self: Any, accounts: Any) -> list[AccountState]:
        reading = Reading(at, timezone.now(), "directory: pwdChangedTime")
        return [AccountState(account, {Fact.PASSWORD_CHANGED_AT: reading}) for account in accounts]

    monkeypatch.setattr("runbooks.connectors.simulated.Simulated.read", read)


def test_a_code_is_kept_only_as_a_keyed_hash(incident: Incident, holder: AffectedAccount, desk: User) -> None:
    given = issued(incident, holder, desk)
    kept = Code.objects.get()
    assert kept.digest == digest_of("confirm_password", holder.login, given.code)
    assert kept.expires_at - kept.issued_at == timedelta(minutes=15)
    with connection.cursor() as cursor:
        for table in ("code", "timelineevent", "notification"):
            cursor.execute(f"SELECT count(*) FROM runbooks_{table} t WHERE t::text ILIKE %s", [f"%{given.code}%"])
            assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("typed", ["{0}", "{1}", " {1} ", "{2}"])
def test_it_opens_however_it_is_typed(typed: str, incident: Incident, holder: AffectedAccount, desk: User) -> None:
    code = issued(incident, holder, desk).code
    assert opened(holder, typed.format(code, shown(code), code.lower().replace("0", "o").replace("1", "l")))


@pytest.mark.parametrize("login", ["nobody", "ola.dahl@elsewhere.example "])
def test_it_is_bound_to_its_account_by_the_name_before_the_at_sign(
    login: str, incident: Incident, holder: AffectedAccount, desk: User
) -> None:
    code = issued(incident, holder, desk).code
    if login == "nobody":
        with pytest.raises(CodeDidNotWorkError):
            open_code(login=login, typed=code, origin=elsewhere(), at=timezone.now())
    else:
        assert open_code(login=login, typed=code, origin=elsewhere(), at=timezone.now())


def test_used_expired_and_superseded_codes_are_answered_alike(
    incident: Incident, holder: AffectedAccount, desk: User
) -> None:
    older, newer = issued(incident, holder, desk), issued(incident, holder, desk)
    later = timezone.now() + timedelta(minutes=16)
    words = set()
    for code, at in ((older.code, None), (newer.code, later), ("0" * 8, None)):
        with pytest.raises(CodeDidNotWorkError) as refusal:
            opened(holder, code, at)
        words.add(str(refusal.value))
    said(opened(holder, newer.code), "changed")
    with pytest.raises(CodeDidNotWorkError) as refusal:
        opened(holder, newer.code)
    assert words == {str(refusal.value)}
    assert Code.objects.count() == 2


def test_a_claim_becomes_reset_confirmed_when_the_directory_agrees(
    incident: Incident, holder: AffectedAccount, desk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = said(opened(holder, issued(incident, holder, desk).code), "changed")
    holder.refresh_from_db()
    assert (kept.truth, holder.state) == ("pending", State.CONTAINED)
    assert holder.holder_reached_at is not None
    assert holder.holder_confirmed_at is None
    password_changed(monkeypatch, timezone.now() - timedelta(minutes=5))
    assert check(incident_id=incident.pk, clock=timezone.now) == 1
    kept.refresh_from_db()
    holder.refresh_from_db()
    assert (kept.truth, holder.state) == ("agrees", State.HOLDER_CONFIRMED)
    assert kept.receipt in holder.facts.get(kind=FactKind.HOLDER_CONFIRMED).source
    assert verify_chain(incident.pk).broken_at is None


def test_a_claim_that_the_directory_does_not_show_differs_in_the_end_and_restores_nothing(
    incident: Incident, holder: AffectedAccount, desk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = said(opened(holder, issued(incident, holder, desk).code), "with_help")
    password_changed(monkeypatch, timezone.now() - timedelta(days=200))
    clock = Clock()
    for _ in range(4):
        check(incident_id=incident.pk, clock=clock)
        clock.sleep(301)
    kept.refresh_from_db()
    holder.refresh_from_db()
    assert (kept.truth, holder.state, holder.differs) == ("differs", State.CONTAINED, ["password_changed"])
    assert TimelineEvent.objects.filter(incident=incident, kind="holder.differs").count() == 1
    assert check(incident_id=incident.pk, clock=clock) == 0


def test_not_me_raises_the_account_at_once(incident: Incident, holder: AffectedAccount, desk: User) -> None:
    kept = said(opened(holder, issued(incident, holder, desk).code), "not_me")
    holder.refresh_from_db()
    assert (kept.truth, holder.tier) == ("not_asked", "A")
    assert Notification.objects.filter(event="holder.not_me", recipient=incident.lead).exists()


def test_an_answer_is_taken_once(incident: Incident, holder: AffectedAccount, desk: User) -> None:
    code_id = opened(holder, issued(incident, holder, desk).code)
    said(code_id, "changed")
    with pytest.raises(CodeDidNotWorkError):
        said(code_id, "changed")
    assert Confirmation.objects.count() == 1


def test_a_code_never_goes_to_a_mailbox(incident: Incident, holder: AffectedAccount, desk: User) -> None:
    for channel, address in (("mail", ""), ("email", "x"), ("text", "ola.dahl@parliament.example")):
        with pytest.raises(CannotIssueError, match="mail"):
            issued(incident, holder, desk, channel, address=address)
    kept = issued(incident, holder, desk)
    for changes in ({"channel": "mail"}, {"address": "a@b.example"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Code.objects.filter(pk=kept.code_id).update(**changes)


def test_a_colleague_who_vouches_needs_two_of_us(incident: Incident, holder: AffectedAccount, desk: User) -> None:
    order = Order(holder.pk, "colleague", colleague="Ana Berg, same office")
    at, actor = timezone.now(), actor_for(desk)
    lead = User.objects.get(pk=incident.lead_id)
    with pytest.raises(CannotIssueError, match="second person"):
        issue_codes(incident_id=incident.pk, orders=[order], actor=actor, at=at)
    with pytest.raises(CannotIssueError, match="somebody else"):
        issue_codes(incident_id=incident.pk, orders=[order], actor=actor, at=at, seconded=(desk, confirmed(desk, at)))
    issue_codes(incident_id=incident.pk, orders=[order], actor=actor, at=at, seconded=(lead, confirmed(lead, at)))
    with pytest.raises(IntegrityError), transaction.atomic():
        Code.objects.update(seconded_by=desk)


def test_a_claim_waits_while_its_incident_is_over_and_keeps_nobody_else_waiting(
    incident: Incident, holder: AffectedAccount, desk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = said(opened(holder, issued(incident, holder, desk).code), "changed")
    password_changed(monkeypatch, timezone.now())
    Incident.objects.update(status=Incident.Status.CLOSED)
    assert incidents_due(timezone.now()) == []
    assert check(incident_id=incident.pk, clock=timezone.now) == 0
    kept.refresh_from_db()
    assert kept.truth == "pending"
    Incident.objects.update(status=Incident.Status.OPEN)
    assert check(incident_id=incident.pk, clock=timezone.now) == 1
    kept.refresh_from_db()
    assert kept.truth == "agrees"


def test_workers_who_ask_at_the_same_time_count_as_one(
    incident: Incident, holder: AffectedAccount, desk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = said(opened(holder, issued(incident, holder, desk).code), "changed")
    others = iter(range(3))

    def read(self: Any, accounts: Any) -> list[AccountState]:
        if next(others, None) is not None:
            check(incident_id=incident.pk, clock=timezone.now)
        return [AccountState(account, {}) for account in accounts]

    monkeypatch.setattr("runbooks.connectors.simulated.Simulated.read", read)
    check(incident_id=incident.pk, clock=timezone.now)
    kept.refresh_from_db()
    assert (kept.truth, kept.checks) == ("pending", 1)


def test_not_me_outweighs_an_earlier_claim_that_nobody_checked_yet(
    incident: Incident, holder: AffectedAccount, desk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stole the letter was quicker than the holder, whom the desk reads out another code."""
    stolen = said(opened(holder, issued(incident, holder, desk, "letter").code), "changed")
    said(opened(holder, issued(incident, holder, desk).code), "not_me")
    password_changed(monkeypatch, timezone.now())
    check(incident_id=incident.pk, clock=timezone.now)
    stolen.refresh_from_db()
    holder.refresh_from_db()
    assert (stolen.truth, stolen.check_at) == ("not_asked", None)
    assert (holder.state, holder.holder_confirmed_at, holder.tier) == (State.CONTAINED, None, "A")


@pytest.mark.parametrize("was", [State.HOLDER_CONFIRMED, State.CLEARED])
def test_not_me_takes_back_what_an_earlier_claim_had_confirmed(
    was: State, incident: Incident, holder: AffectedAccount, desk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(opened(holder, issued(incident, holder, desk, "letter").code), "changed")
    password_changed(monkeypatch, timezone.now())
    check(incident_id=incident.pk, clock=timezone.now)
    AffectedAccount.objects.update(state=was)
    kept = said(opened(holder, issued(incident, holder, desk).code), "not_me")
    holder.refresh_from_db()
    assert (holder.state, holder.holder_confirmed_at, holder.tier) == (State.HOLDER_REACHED, None, "A")
    withdrawn = holder.facts.get(kind=FactKind.HOLDER_CONFIRMED, holds=False)
    assert kept.receipt in withdrawn.source
    assert TimelineEvent.objects.filter(incident=incident, kind="account.fact_recorded").count() == 1
    assert verify_chain(incident.pk).broken_at is None


def test_who_said_not_me_can_still_confirm_later(
    incident: Incident, holder: AffectedAccount, desk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(opened(holder, issued(incident, holder, desk).code), "not_me")
    said(opened(holder, issued(incident, holder, desk).code), "with_help")
    password_changed(monkeypatch, timezone.now())
    check(incident_id=incident.pk, clock=timezone.now)
    holder.refresh_from_db()
    assert (holder.state, holder.tier) == (State.HOLDER_CONFIRMED, "A")
