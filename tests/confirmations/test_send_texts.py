"""Text messages: ordered without a code, made and sent by a worker, noted with what came of them."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from runbooks.access.models import Membership, User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import AffectedAccount, ContactAttempt, State
from runbooks.confirmations import tasks
from runbooks.confirmations.codes import CONFIRM_PASSWORD, digest_of
from runbooks.confirmations.models import Code, TextOrder
from runbooks.confirmations.operations import Order, answer, issue_codes
from runbooks.confirmations.operations.ordering import CannotTextError, TextTo, order_texts
from runbooks.confirmations.operations.sending import ATTEMPTS, LEASE, claim, is_due, send_texts
from runbooks.confirmations.queries.texts import failed_texts
from runbooks.errors import NotAllowedError, NotFoundError
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.verify import verify_chain
from tests.confirmations.conftest import Texts
from tests.confirmations.holders import make_holder
from tests.connectors.served import HANG_UP, Said

pytestmark = pytest.mark.django_db
CODE = re.compile(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b")


def order(incident: Incident, who: User, *rows: AffectedAccount, number: str = "+447700900123") -> list[TextOrder]:
    texts = [TextTo(row.pk, number, "The institution’s directory") for row in rows]
    return order_texts(incident_id=incident.pk, texts=texts, actor=actor_for(who), at=timezone.now())


def later(**by: float) -> Callable[[], datetime]:
    at = timezone.now() + timedelta(**by)
    return lambda: at


def test_an_order_holds_no_code(incident: Incident, desk: User, texts: Texts) -> None:
    order(incident, desk, make_holder(incident))
    assert not Code.objects.exists()
    assert TextOrder.objects.get().code is None
    assert texts.sent == []


def test_the_code_that_arrives_is_the_one_that_works(incident: Incident, desk: User, texts: Texts) -> None:
    row = make_holder(incident)
    order(incident, desk, row)
    assert send_texts(clock=timezone.now) == 1
    (sent,) = texts.sent
    (code,) = CODE.findall(sent["text"])
    kept = Code.objects.get()
    assert kept.digest == digest_of(CONFIRM_PASSWORD, row.login, code)
    assert (kept.channel, kept.address, kept.issuer) == ("text", "+447700900123", desk)
    assert sent["to"] == "+447700900123"
    assert "://" not in sent["text"]
    one = TextOrder.objects.get()
    assert (one.status, one.code, one.reason, one.next_attempt_at) == ("sent", kept, "", None)


def test_a_message_is_in_the_language_it_was_ordered_in(incident: Incident, desk: User, texts: Texts) -> None:
    row = make_holder(incident)
    wanted = TextTo(row.pk, "+447700900123", "The institution’s directory", "cy")
    order_texts(incident_id=incident.pk, texts=[wanted], actor=actor_for(desk), at=timezone.now())
    assert send_texts(clock=timezone.now) == 1
    (sent,) = texts.sent
    assert "a ydych wedi newid eich cyfrinair?" in sent["text"]
    assert "/cadarnhau" in sent["text"]
    assert "://" not in sent["text"]
    for kind in ("text.ordered", "code.issued"):
        assert TimelineEvent.objects.get(kind=kind).details["language"] == "cy"


def test_what_was_sent_is_a_contact_attempt_and_an_entry_without_the_code(
    incident: Incident, desk: User, texts: Texts
) -> None:
    order(incident, desk, *[make_holder(incident) for _ in range(90)])
    assert send_texts(clock=timezone.now) == 90
    codes = {code for sent in texts.sent for code in CODE.findall(sent["text"])}
    assert len(codes) == 90
    attempts = ContactAttempt.objects.values_list("channel", "outcome", "address", "made_by").distinct()
    assert list(attempts) == [("text", "sent", "+447700900123", str(desk))]
    assert ContactAttempt.objects.count() == 90
    said = " ".join(f"{event.summary} {event.details}" for event in TimelineEvent.objects.all())
    assert not any(code in said or code.replace("-", "") in said for code in codes)
    assert verify_chain(incident.pk).broken_at is None
    shown = TimelineEvent.objects.filter(kind="account.contact_logged")
    assert len({event.burst for event in shown}) <= 2


def test_a_gateway_that_asks_to_come_later_is_asked_later_with_a_new_code(
    incident: Incident, desk: User, texts: Texts
) -> None:
    order(incident, desk, make_holder(incident))
    texts.answer = lambda _: Said(429, headers={"Retry-After": "120"})
    assert send_texts(clock=timezone.now) == 0
    one = TextOrder.objects.get()
    assert (one.status, one.attempts) == ("waiting", 1)
    assert one.next_attempt_at is not None
    assert not is_due(timezone.now() + timedelta(seconds=100))
    texts.answer = lambda _: Said(202)
    assert send_texts(clock=later(minutes=3)) == 1
    first, second = (CODE.findall(sent["text"])[0] for sent in texts.sent)
    assert first != second
    assert Code.objects.filter(superseded_at__isnull=True).get().digest == digest_of(
        CONFIRM_PASSWORD, one.affected_account.login, second
    )


def test_a_refusal_is_final_and_its_code_is_nobodys(incident: Incident, desk: User, texts: Texts) -> None:
    order(incident, desk, make_holder(incident))
    texts.answer = lambda _: Said(400)
    assert send_texts(clock=timezone.now) == 0
    one = TextOrder.objects.get()
    assert (one.status, one.next_attempt_at) == ("failed", None)
    assert "refuses the message" in one.reason
    assert Code.objects.filter(superseded_at__isnull=True).count() == 0
    assert TimelineEvent.objects.filter(kind="text.failed").count() == 1
    assert not ContactAttempt.objects.exists()
    assert not is_due(timezone.now() + timedelta(days=1))


def test_after_six_tries_it_has_failed(incident: Incident, desk: User, texts: Texts) -> None:
    order(incident, desk, make_holder(incident))
    texts.answer = lambda _: HANG_UP
    for hours in range(ATTEMPTS):
        send_texts(clock=later(hours=2 * hours))
    assert TextOrder.objects.get().status == "failed"
    assert len(texts.asked) == ATTEMPTS
    send_texts(clock=later(days=2))
    assert len(texts.asked) == ATTEMPTS


def test_one_that_fails_keeps_no_other_from_going_out(incident: Incident, desk: User, texts: Texts) -> None:
    rows = [make_holder(incident) for _ in range(3)]
    order(incident, desk, *rows)
    AffectedAccount.objects.filter(pk=rows[1].pk).update(state=State.FALSE_POSITIVE)
    assert send_texts(clock=timezone.now) == 2
    found = dict(TextOrder.objects.values_list("affected_account", "status"))
    assert found == {rows[0].pk: "sent", rows[1].pk: "failed", rows[2].pk: "sent"}
    assert "nothing is asked" in TextOrder.objects.get(affected_account=rows[1]).reason


def test_what_a_dead_worker_held_is_taken_up_again_and_what_it_says_late_is_not_believed(
    incident: Incident, desk: User, texts: Texts
) -> None:
    order(incident, desk, make_holder(incident))
    assert len(claim(at=timezone.now())) == 1
    assert claim(at=timezone.now()) == []
    assert send_texts(clock=later(seconds=LEASE.total_seconds() - 60)) == 0
    assert send_texts(clock=later(seconds=LEASE.total_seconds() + 60)) == 1
    assert len(texts.sent) == 1


def test_a_message_is_not_sent_for_ever_by_workers_that_die(incident: Incident, desk: User, texts: Texts) -> None:
    order(incident, desk, make_holder(incident))
    for hours in range(ATTEMPTS):
        assert claim(at=later(hours=hours)())
    send_texts(clock=later(hours=ATTEMPTS))
    one = TextOrder.objects.get()
    assert (one.status, texts.sent) == ("failed", [])
    assert "stopped several times" in one.reason


def test_who_may_no_longer_issue_codes_sends_none(incident: Incident, desk: User, texts: Texts) -> None:
    order(incident, desk, make_holder(incident))
    Membership.objects.filter(user=desk).update(ended_at=timezone.now())
    assert send_texts(clock=timezone.now) == 0
    assert TextOrder.objects.get().status == "failed"
    assert texts.sent == []


def test_nothing_is_sent_for_somebody_who_was_shut_out_since(incident: Incident, desk: User, texts: Texts) -> None:
    order(incident, desk, make_holder(incident))
    User.objects.filter(pk=desk.pk).update(is_active=False)
    assert send_texts(clock=timezone.now) == 0
    assert "no longer active" in TextOrder.objects.get().reason
    assert not Code.objects.exists()


def test_nothing_is_sent_in_an_incident_that_is_over(incident: Incident, desk: User, texts: Texts) -> None:
    order(incident, desk, make_holder(incident))
    Incident.objects.update(status=Incident.Status.CLOSED)
    assert send_texts(clock=timezone.now) == 0
    assert TextOrder.objects.get().status == "failed"


def test_a_mailbox_is_refused_by_rule_and_by_constraint(incident: Incident, desk: User) -> None:
    row = make_holder(incident)
    with pytest.raises(CannotTextError, match="mailbox"):
        order(incident, desk, row, number=row.login)
    fields = {"incident": incident, "affected_account": row, "ordered_at": timezone.now()}
    with pytest.raises(IntegrityError, match="text_order_to_no_mail_address"), transaction.atomic():
        TextOrder.objects.create(number=row.login, next_attempt_at=timezone.now(), **fields)
    at = timezone.now()
    until = {"issued_at": at, "expires_at": at + timedelta(hours=1)}
    with pytest.raises(IntegrityError, match="code_never_by_mail"), transaction.atomic():
        Code.objects.create(incident=incident, affected_account=row, digest="0" * 64, channel="mail", **until)


def test_the_sweep_finds_what_a_lost_wake_up_left(
    incident: Incident, desk: User, texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[bool] = []
    monkeypatch.setattr(tasks.send_texts, "delay", lambda: woken.append(True))
    tasks.sweep()
    assert woken == []
    order(incident, desk, make_holder(incident))
    tasks.sweep()
    assert woken == [True]
    tasks.send_texts()
    assert len(texts.sent) == 1


def test_nobody_is_sent_two_at_once(incident: Incident, desk: User) -> None:
    row = make_holder(incident)
    order(incident, desk, row)
    with pytest.raises(CannotTextError, match="on its way"):
        order(incident, desk, row)


def test_who_may_not_issue_codes_orders_none(incident: Incident, auditor: User, outsider: User) -> None:
    row = make_holder(incident)
    with pytest.raises(NotAllowedError):
        order(incident, auditor, row)
    with pytest.raises(NotFoundError):
        order(incident, outsider, row)
    assert not TextOrder.objects.exists()


def test_a_holder_who_has_answered_meanwhile_gets_no_second_text(incident: Incident, desk: User, texts: Texts) -> None:
    """The worker died after the gateway took the message, or the gateway took it and said that it failed."""
    row = make_holder(incident)
    order(incident, desk, row)
    texts.answer = lambda _: HANG_UP
    send_texts(clock=timezone.now)
    code = Code.objects.get(superseded_at__isnull=True)
    answer(code_id=code.pk, said="changed", questions={}, language="en-gb", at=timezone.now())
    texts.answer = lambda _: Said(202)
    assert send_texts(clock=later(hours=1)) == 0
    one = TextOrder.objects.get()
    assert (one.status, len(texts.asked)) == ("failed", 1)
    assert "answered" in one.reason
    assert not failed_texts(incident.pk)


def test_a_text_that_waits_does_not_end_a_code_that_was_given_since(
    incident: Incident, desk: User, texts: Texts
) -> None:
    row, other = make_holder(incident), make_holder(incident)
    order(incident, desk, row, other)
    texts.answer = lambda _: Said(429)
    send_texts(clock=timezone.now)
    read_out = Order(row.pk, Code.Channel.READ_OUT)
    issue_codes(incident_id=incident.pk, orders=[read_out], actor=actor_for(desk), at=later(minutes=1)())
    texts.answer = lambda _: Said(202)
    assert send_texts(clock=later(hours=1)) == 1
    assert Code.objects.filter(affected_account=row, superseded_at__isnull=True).get().channel == "read_out"
    assert "another code" in TextOrder.objects.get(affected_account=row).reason
    assert TextOrder.objects.get(affected_account=other).status == "sent"
