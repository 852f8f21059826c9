"""Writing many rows of the ledger at once: one statement a batch, whatever its size."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from runbooks.actions.models import Action, ActionAccount
from runbooks.connectors.base import AccountState, Values

# What was stored before the first try stays: a second read would find our own work.
MARK_SENDING = """
UPDATE runbooks_actionaccount AS row SET
    sent_at = CASE WHEN row.status = 'sending' THEN row.sent_at ELSE %s END,
    status = 'sending', attempts = row.attempts + 1,
    before = COALESCE(row.before, new.before::jsonb), before_facts = COALESCE(row.before_facts, new.facts::jsonb)
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS new (id, before, facts) WHERE row.id = new.id
"""
SETTLE = """
UPDATE runbooks_actionaccount AS row SET
    status = new.status, answered_at = %s, answered_by = %s, message = new.message, is_permanent = new.is_permanent,
    retry_at = new.retry_at, before = COALESCE(row.before, new.before::jsonb)
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::boolean[], %s::timestamptz[], %s::text[])
    AS new (id, status, message, is_permanent, retry_at, before) WHERE row.id = new.id
"""
READ_BACK = """
UPDATE runbooks_actionaccount AS row SET verdict = new.verdict, read_back = new.facts::jsonb, read_back_at = %s
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS new (id, verdict, facts) WHERE row.id = new.id
"""
MESSAGE_MAX = 1000


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a row: its new status, and the sentence that says why.

    `before` are before-values that came with the answer: they count where none could be read beforehand.
    """

    row: ActionAccount
    status: ActionAccount.Status
    message: str = ""
    is_permanent: bool = False
    retry_at: datetime | None = None
    before: Values = field(default_factory=dict)


def mark_sending(rows: Sequence[ActionAccount], states: Mapping[int, AccountState], at: datetime) -> None:
    """Store what is there now, by row id, before anything is sent; and that it is about to be."""
    ids = [row.pk for row in rows]
    before = [_json(dict(states[pk].values)) if pk in states and not states[pk].problem else None for pk in ids]
    facts = [_json(plain_facts(states[pk])) if pk in states and not states[pk].problem else None for pk in ids]
    _execute(MARK_SENDING, [at, ids, before, facts])


def settle_rows(settled: Sequence[Settled], *, by: str, at: datetime) -> None:
    _execute(
        SETTLE,
        [
            at,
            by,
            [one.row.pk for one in settled],
            [one.status.value for one in settled],
            [one.message[:MESSAGE_MAX] for one in settled],
            [one.is_permanent for one in settled],
            [one.retry_at for one in settled],
            [_json(dict(one.before)) if one.before else None for one in settled],
        ],
    )


def write_read_back(read: Sequence[tuple[ActionAccount, str, Mapping[str, Any]]], at: datetime) -> None:
    """Row, verdict and facts of each."""
    ids, verdicts = [row.pk for row, _, _ in read], [verdict for _, verdict, _ in read]
    _execute(READ_BACK, [at, ids, verdicts, [_json(facts) for _, _, facts in read]])


def plain_facts(state: AccountState) -> dict[str, Any]:
    """{Fact: true, false, an instant as ISO 8601 in UTC, or null}"""
    return {
        fact.value: reading.value.astimezone(UTC).isoformat() if isinstance(reading.value, datetime) else reading.value
        for fact, reading in state.facts.items()
    }


def before_facts(action: Action, rows: Sequence[ActionAccount]) -> Mapping[int, Mapping[str, Any]]:
    """What an undoing had to go back to: what the first action found."""
    if action.undoes_id is None:
        return {}
    accounts = [row.account_id for row in rows]
    first = ActionAccount.objects.filter(action_id=action.undoes_id, account__in=accounts, before_facts__isnull=False)
    return {account_id: facts or {} for account_id, facts in first.values_list("account_id", "before_facts")}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _execute(statement: str, arguments: Sequence[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
