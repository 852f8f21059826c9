"""Sending what was ordered: take some orders, make their codes, send them, note what came of it.

A code is made just before it leaves and is told to nobody but the gateway. Where the worker dies in between, the order
is taken up again with a new code, which supersedes the one that nobody may have got.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Max

from runbooks.access.models import User
from runbooks.access.permissions import COMMAND_LINE, PORTAL, Actor, actor_for
from runbooks.affected_accounts.models import ContactAttempt
from runbooks.affected_accounts.operations import Attempt, log_contact
from runbooks.confirmations import text_messages
from runbooks.confirmations.codes import shown
from runbooks.confirmations.letters.contents import language_of
from runbooks.confirmations.models import Code, Confirmation, TextOrder
from runbooks.confirmations.operations.issuing import Issued, Order, issue_codes
from runbooks.confirmations.sender import sender_of
from runbooks.errors import DomainError
from runbooks.incidents.models import Incident
from runbooks.incidents.operations import lock
from runbooks.notifications.channels import text_gateway
from runbooks.notifications.channels.text_gateway import TextError
from runbooks.timeline.models import Lane
from runbooks.timeline.operations import Entry, record_many

Status = TextOrder.Status
CHUNK: Final = 50
# A worker that says nothing for this long is taken for dead. It stops by itself well before.
LEASE, LONGEST = timedelta(minutes=12), timedelta(minutes=4)
ATTEMPTS: Final = 6
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
NOT_REACHED_IN_TIME: Final = "Not sent yet: the gateway is slow."
GIVEN: Final = "The holder was given another code meanwhile."
ANSWERED: Final = "The holder has answered meanwhile."
LOST: Final = "The worker stopped several times before it could say whether the message had left."


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one order. `error` is None where the gateway took the message."""

    order: TextOrder
    code_id: int | None
    error: TextError | None
    at: datetime


def send_texts(*, clock: Callable[[], datetime]) -> int:
    """Send whatever is due, for four minutes at most; how many went out. Never inside a transaction."""
    began, sent = clock(), 0
    while clock() - began < LONGEST and (orders := claim(at=clock())):
        results = _send_all(orders, clock)
        finish(results=results)
        sent += sum(result.error is None for result in results)
    return sent


def is_due(at: datetime) -> bool:
    return TextOrder.objects.filter(status__in=TextOrder.OPEN, next_attempt_at__lte=at).exists()


@transaction.atomic
def claim(*, at: datetime) -> list[TextOrder]:
    """Take the oldest due orders that one person asked for in one incident: no other worker gets them meanwhile."""
    due = TextOrder.objects.filter(status__in=TextOrder.OPEN, next_attempt_at__lte=at)
    first = due.order_by("next_attempt_at", "pk").select_for_update(skip_locked=True).first()
    if first is None:
        return []
    same = due.filter(incident=first.incident_id, orderer=first.orderer_id, ordered_by=first.ordered_by)
    orders = list(same.order_by("next_attempt_at", "pk").select_for_update(skip_locked=True)[:CHUNK])
    for order in orders:
        order.status, order.attempts, order.next_attempt_at = Status.SENDING, order.attempts + 1, at + LEASE
    TextOrder.objects.bulk_update(orders, ["status", "attempts", "next_attempt_at"])
    return orders


def _send_all(orders: Sequence[TextOrder], clock: Callable[[], datetime]) -> list[Result]:
    began = clock()
    incident = Incident.objects.get(pk=orders[0].incident_id)
    refused = {order.pk: LOST for order in orders if order.attempts > ATTEMPTS}
    issued: dict[int, Issued] = {}
    if wanted := [order for order in orders if order.pk not in refused]:
        issued, without = _issue_wanted(wanted, actor_of(orders[0]), began)
        refused |= without
    results = []
    for order in orders:
        if order.pk in refused:
            results.append(Result(order, None, TextError(refused[order.pk], permanent=True), began))
            continue
        code = issued[order.affected_account_id]
        if clock() - began < LONGEST:
            error = _send(incident, order, code)
        else:
            error = TextError(NOT_REACHED_IN_TIME, permanent=False)
        results.append(Result(order, code.code_id, error, clock()))
    return results


def actor_of(order: TextOrder) -> Actor:
    """Who asked for it, with the rights they have now; the portal does it for them."""
    if order.orderer_id is None:
        return replace(COMMAND_LINE, is_automated=True)
    return replace(actor_for(User.objects.get(pk=order.orderer_id)), is_automated=True)


@transaction.atomic
def _issue_wanted(orders: Sequence[TextOrder], actor: Actor, at: datetime) -> tuple[dict[int, Issued], dict[int, str]]:
    """As `_issue`, but for holders who need none any more: a new code would end the one that they were given since."""
    lock(orders[0].incident_id)
    if orders[0].orderer is not None and not orders[0].orderer.is_active:
        return {}, dict.fromkeys([order.pk for order in orders], f"{orders[0].ordered_by} is no longer active here.")
    refused = _overtaken(orders)
    wanted = [order for order in orders if order.pk not in refused]
    issued, without = _issue(wanted, actor, at) if wanted else ({}, {})
    return issued, without | refused


def _overtaken(orders: Sequence[TextOrder]) -> dict[int, str]:
    """{order: what came before it}. Codes by text message are those of the order itself."""
    of_these = {"affected_account__in": [order.affected_account_id for order in orders]}
    given = Code.objects.filter(**of_these).exclude(channel=Code.Channel.TEXT).values_list("affected_account")
    answered = Confirmation.objects.filter(**of_these).values_list("affected_account")
    overtaken: dict[int, str] = {}
    for reason, newest in (
        (GIVEN, dict(given.annotate(Max("issued_at")))),
        (ANSWERED, dict(answered.annotate(Max("answered_at")))),
    ):
        overtaken |= {
            order.pk: reason
            for order in orders
            if (at := newest.get(order.affected_account_id)) is not None and at >= order.ordered_at
        }
    return overtaken


def _issue(orders: Sequence[TextOrder], actor: Actor, at: datetime) -> tuple[dict[int, Issued], dict[int, str]]:
    """{account: its code}, and {order: why it gets none}. Where one of many cannot have one, each is tried alone."""
    try:
        issued = issue_codes(
            incident_id=orders[0].incident_id,
            orders=[
                Order(
                    order.affected_account_id,
                    Code.Channel.TEXT,
                    order.number,
                    order.number_source,
                    language=order.language,
                )
                for order in orders
            ],
            actor=actor,
            at=at,
        )
    except DomainError as error:
        if len(orders) == 1:
            return {}, {orders[0].pk: str(error)}
        tried = [_issue([order], actor, at) for order in orders]
        codes = {key: code for found, _ in tried for key, code in found.items()}
        return codes, {key: reason for _, refused in tried for key, reason in refused.items()}
    return {one.affected_id: one for one in issued}, {}


def _send(incident: Incident, order: TextOrder, code: Issued) -> TextError | None:
    text = text_messages.message(
        shown(code.code),
        code.expires_at,
        sender=sender_of(incident),
        language=language_of(order.language) or "en-gb",
        is_exercise=incident.is_exercise,
    )
    try:
        text_gateway.send(order.number, text, f"code-{code.code_id}")
    except TextError as error:
        return error
    return None


@transaction.atomic
def finish(*, results: Sequence[Result]) -> None:
    """Note what came of each, with an entry for what went out and for what never will."""
    incident = lock(results[0].order.incident_id)
    actor = actor_of(results[0].order)
    ids = [result.order.pk for result in results]
    held = {order.pk: order for order in TextOrder.objects.select_for_update().filter(pk__in=ids).order_by("pk")}
    failed, never_left = [], []
    for result in results:
        order = held[result.order.pk]
        if order.status != Status.SENDING or order.attempts != result.order.attempts:
            continue  # taken for dead, and taken up by another worker
        _note(order, result)
        if order.status == Status.FAILED:
            failed.append(order)
            if result.error and result.code_id and not result.error.may_have_arrived:
                never_left.append(result.code_id)
        if order.status == Status.SENT and not incident.is_over:
            _log(order, actor, result.at)
    # Such a code is nobody's.
    Code.objects.filter(pk__in=never_left, used_at__isnull=True, superseded_at__isnull=True).update(
        superseded_at=results[-1].at
    )
    # log_contact moved the head of the incident, which is locked all the while.
    incident.refresh_from_db(fields=["head_sequence", "head_hash"])
    entries = [_failure(order) for order in failed]
    record_many(incident, entries, actor=PORTAL, at=results[-1].at)


def _note(order: TextOrder, result: Result) -> None:
    order.code_id, error = result.code_id, result.error
    if error is None:
        order.status, order.sent_at, order.next_attempt_at, order.reason = Status.SENT, result.at, None, ""
    elif error.permanent or order.attempts >= ATTEMPTS:
        order.status, order.next_attempt_at, order.reason = Status.FAILED, None, error.reason[:300]
    else:
        grown = min(FIRST_WAIT * (1 << (order.attempts - 1)), LONGEST_WAIT)
        asked = timedelta(seconds=min(error.retry_after or 0, LONGEST_WAIT.total_seconds()))
        order.status, order.reason = Status.WAITING, error.reason[:300]
        order.next_attempt_at = result.at + max(grown, asked)
    order.save(update_fields=["code", "status", "sent_at", "next_attempt_at", "reason"])


def _log(order: TextOrder, actor: Actor, at: datetime) -> None:
    attempt = Attempt(
        channel=ContactAttempt.Channel.TEXT,
        outcome=ContactAttempt.Outcome.SENT,
        happened_at=at,
        address=order.number,
        address_source=order.number_source,
        note="With a code",
    )
    log_contact(
        incident_id=order.incident_id, account_ids=[order.affected_account_id], attempt=attempt,
        actor=replace(PORTAL, name=actor.name), at=at,
    )  # fmt: skip


def _failure(order: TextOrder) -> Entry:
    login = order.affected_account.login
    details = {"account": login, "number": order.number, "reason": order.reason, "attempts": order.attempts}
    return Entry(
        "text.failed",
        f"Text message to the holder of {login} did not go out: {order.reason}",
        Lane.CONTACT,
        details,
        account_ids=[order.affected_account_id],
    )
