"""A large incident straight into the tables: what would take the operations hours, in SQL and seconds.

The rows are as the operations leave them (states with their facts and changes, bursts, corrections, pins, the bins of
the histogram), but the hashes of the entries are a filling: this timeline does not verify.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from runbooks.access.models import Role, User
from runbooks.access.permissions import actor_for
from runbooks.affected_accounts.models import State
from runbooks.affected_accounts.transitions import RANKS, level
from runbooks.incidents.models import Incident
from runbooks.room.operations.declare import Declaration, declare

PEOPLE = (Role.COORDINATOR, Role.RESPONDER, Role.RESPONDER, Role.DESK, Role.COORDINATOR)

# Of a thousand accounts that are looked at, so many end up in each state.
SHARES = {
    State.COMPROMISED: 20,
    State.SUSPECTED: 150,
    State.CONTAINED: 110,
    State.HOLDER_REACHED: 60,
    State.UNREACHABLE: 20,
    State.HOLDER_CONFIRMED: 60,
    State.CLEARED: 30,
    State.RESTORED_RESTRICTED: 30,
    State.RESTORED: 70,
    State.FALSE_POSITIVE: 50,
    State.TARGETED: 400,
}
# What the changes of state of an account had led through, by the level of the burn-up it has reached.
WAY = (State.NOT_ASSESSED, State.COMPROMISED, State.CONTAINED, State.HOLDER_CONFIRMED, State.RESTORED)
EVENTS = "runbooks_timelineevent"

# A third of the steps is done, a third is in somebody's hands.
STEPS = """
UPDATE runbooks_step AS step SET status = CASE WHEN position <= 14 THEN 'succeeded' ELSE 'running' END,
    owner_id = (%(people)s::bigint[])[1 + position %% %(heads)s],
    started_at = declared_at + position * interval '9 min',
    closed_at = CASE WHEN position <= 14 THEN declared_at + position * interval '12 min' END,
    closed_by = CASE WHEN position <= 14 THEN 'A responder' ELSE '' END
FROM runbooks_incident incident
WHERE incident.id = %(incident)s AND incident_id = incident.id AND position <= 27 AND step.status <> 'succeeded'
"""
EVIDENCE = """
INSERT INTO runbooks_evidence (step_id, kind, requirement, note, url, file, file_name, sha256, added_by, added_at,
    withdrawn_by, withdrawn_reason)
SELECT id, 'note', coalesce(evidence_required -> 0 ->> 'key', ''), 'Seen and written down', '', '', '', '',
    'A responder', coalesce(closed_at, started_at), '', ''
FROM runbooks_step WHERE incident_id = %(incident)s AND started_at IS NOT NULL
"""
ACCOUNTS = """
INSERT INTO runbooks_account (login, display_name, given_name, family_name, mail, alternate_mail, mobile, telephone,
    office, department, title, language, kind, is_enabled, is_privileged, external_id, match_keys, first_seen_at,
    last_seen_at)
SELECT format('seeded%%s@parliament.example', n), format('Family%%s, Given%%s', n %% 1700, n %% 300),
    'Given' || n %% 300, 'Family' || n %% 1700, format('seeded%%s@parliament.example', n), '',
    format('07700 900%%s', lpad((n %% 1000)::text, 3, '0')), '', 'Room ' || n %% 400,
    (ARRAY['Library', 'Committee Office', 'Members'' staff', 'Digital Service', 'Security'])[1 + n %% 5], 'Officer',
    '', 'person', true, n %% 97 = 0, md5(n::text), ARRAY['seeded' || n], now(), now()
FROM generate_series(1, %(accounts)s) AS n ON CONFLICT DO NOTHING
"""
AFFECTED = """
INSERT INTO runbooks_affectedaccount (incident_id, account_id, login, display_name, department, is_privileged, tier,
    state, rank, owner_id, added_at, compromised_at, contained_at, changed_at, version, sign_in_disabled_at,
    sessions_revoked_at, password_changed_at, rules_checked_at, holder_reached_at, holder_confirmed_at,
    data_loss_assessed_at, mfa_bound_at, last_contact_at, last_contact_channel, last_contact_outcome, contact_attempts,
    differs)
SELECT %(incident)s, row.id, row.login, row.display_name, row.department, row.is_privileged,
    CASE WHEN row.level > 0 THEN (ARRAY['A', 'A', 'B'])[1 + n %% 3] WHEN state = 'targeted' THEN 'C'
        WHEN state = 'false_positive' THEN '' ELSE 'D' END,
    state, rank, CASE WHEN row.level > 0 AND n %% 3 > 0 THEN (%(people)s::bigint[])[1 + n %% %(heads)s] END,
    began, CASE WHEN row.level > 0 THEN began + length * 0.1 END, CASE WHEN row.level > 1 THEN began + length * 0.3 END,
    began + length * row.level * 0.2,
    1, CASE WHEN row.level > 0 AND n %% 5 > 0 OR row.level > 1 THEN began + length * 0.15 END,
    CASE WHEN row.level > 1 THEN began + length * 0.2 END, CASE WHEN row.level > 1 THEN began + length * 0.25 END,
    CASE WHEN row.level > 1 THEN began + length * 0.3 END, CASE WHEN row.level > 2 THEN began + length * 0.4 END,
    CASE WHEN row.level > 2 THEN began + length * 0.5 END, CASE WHEN row.level > 3 THEN began + length * 0.6 END,
    CASE WHEN row.level > 3 THEN began + length * 0.7 END, CASE WHEN tried THEN began + length * 0.35 END,
    CASE WHEN tried THEN 'phone' ELSE '' END,
    CASE WHEN tried THEN CASE WHEN row.level > 2 THEN 'reached' ELSE 'no_answer' END ELSE '' END,
    CASE WHEN tried THEN 2 ELSE 0 END, ARRAY[]::varchar[]
FROM (
    SELECT account.*, states.*, declared_at + (%(until)s - declared_at) * (n * 0.5 / %(accounts)s) AS began,
        (%(until)s - declared_at) * 0.5 AS length, states.level > 1 AND n %% 4 > 0 AS tried
    FROM (SELECT *, row_number() OVER (ORDER BY id)::int AS n FROM runbooks_account
        WHERE login LIKE 'seeded%%' LIMIT %(accounts)s) account
    JOIN runbooks_incident incident ON incident.id = %(incident)s
    JOIN unnest(%(states)s::text[], %(ranks)s::int[], %(levels)s::int[], %(lows)s::int[], %(highs)s::int[])
        AS states (state, rank, level, low, high) ON n * 271 %% 1000 >= low AND n * 271 %% 1000 < high
) AS row
"""
CHANGES = """
INSERT INTO runbooks_statechange (incident_id, affected_account_id, before, after, reason, changed_by, at)
SELECT incident_id, id, CASE WHEN step = 0 THEN '' ELSE (%(way)s::text[])[step] END,
    CASE WHEN step = greatest(level, 1) THEN state ELSE (%(way)s::text[])[step + 1] END, '', 'A responder',
    added_at + (changed_at - added_at) * step / greatest(level, 1)
FROM runbooks_affectedaccount
JOIN unnest(%(states)s::text[], %(levels)s::int[]) AS states (name, level) ON name = state,
    generate_series(0, greatest(level, 1)) AS step
WHERE incident_id = %(incident)s
"""
FACTS = """
INSERT INTO runbooks_accountfact (affected_account_id, kind, holds, at, source, note, recorded_by, recorded_at)
SELECT id, fact.kind, true, fact.at, 'Directory read-back', '', 'A responder', fact.at FROM runbooks_affectedaccount,
    LATERAL (VALUES ('sign_in_disabled', sign_in_disabled_at), ('sessions_revoked', sessions_revoked_at),
        ('password_changed', password_changed_at), ('rules_checked', rules_checked_at),
        ('holder_reached', holder_reached_at), ('holder_confirmed', holder_confirmed_at),
        ('data_loss_assessed', data_loss_assessed_at), ('mfa_bound', mfa_bound_at)) AS fact (kind, at)
WHERE incident_id = %(incident)s AND fact.at IS NOT NULL
"""
CONTACTS = """
INSERT INTO runbooks_contactattempt (affected_account_id, channel, outcome, address, address_source, identity_check,
    note, at, made_by, recorded_at)
SELECT id, 'phone', CASE WHEN try = 2 THEN last_contact_outcome ELSE 'no_answer' END, '07700 900000', 'HR file',
    'Called back', '', last_contact_at, 'The desk', last_contact_at
FROM runbooks_affectedaccount, generate_series(1, contact_attempts) AS try WHERE incident_id = %(incident)s
"""
# Every five hundred entries hold a burst of forty by the portal, and ten that correct an earlier one.
ENTRIES = f"""
INSERT INTO {EVENTS} (incident_id, sequence, kind, lane, summary, details, salt, actor, actor_user_id, is_automated,
    occurred_at, occurred_precision, recorded_at, corrects, previous, commitment, hash, step_id, account_ids, burst)
SELECT %(incident)s, n, CASE WHEN n %% 50 = 49 THEN 'entry.corrected' ELSE
        (ARRAY['account.state_changed', 'entry.added', 'contact.logged', 'step.started', 'fact.recorded'])[1 + n %% 5]
    END, (ARRAY['action', 'note', 'contact', 'decision', 'detection'])[1 + n %% 5],
    format('Entry %%s of the night: seeded%%s@parliament.example was looked at by the desk, and the holder called',
        n, n %% 9000), jsonb_build_object('login', format('seeded%%s@parliament.example', n %% 9000), 'number', n),
    '\\x00112233445566778899aabbccddeeff', CASE WHEN is_burst THEN 'IR Portal' ELSE 'A responder ' || n %% 5 END,
    CASE WHEN NOT is_burst THEN (%(people)s::bigint[])[1 + n %% %(heads)s] END, is_burst,
    at - (n * 7919 %% 600) * interval '1 second', CASE WHEN n %% 50 = 0 THEN 'minute' ELSE 'second' END, at,
    CASE WHEN n %% 50 = 49 THEN n - 7 END, md5((n - 1)::text) || md5('h' || n - 1), md5('c' || n) || md5('d' || n),
    md5(n::text) || md5('h' || n), CASE WHEN n %% 20 = 3 THEN (%(steps)s::bigint[])[1 + n %% 40] END,
    CASE WHEN n %% 5 = 0 THEN ARRAY[(%(first_account)s + n %% %(accounts)s)::bigint] ELSE '{{}}' END,
    CASE WHEN is_burst THEN n - (n - 1) %% 500 END
FROM (
    SELECT head_sequence + place AS n, (head_sequence + place - 1) %% 500 < 40 AND place > 500 AS is_burst,
        declared_at + (%(until)s - declared_at) * (place::float8 / %(entries)s) AS at
    FROM runbooks_incident, generate_series(1, %(entries)s) AS place WHERE id = %(incident)s
) AS entry
"""
BINS = f"""
INSERT INTO runbooks_timelinebin AS bin (incident_id, starts_at, lane, entries)
SELECT incident_id, date_bin('15 minutes', occurred_at, '2000-01-01Z'), lane, count(*) FROM {EVENTS}
WHERE incident_id = %(incident)s AND sequence > %(head)s GROUP BY 1, 2, 3
ON CONFLICT (incident_id, starts_at, lane) DO UPDATE SET entries = bin.entries + EXCLUDED.entries
"""
PINS = f"""
INSERT INTO runbooks_pin (incident_id, event_id, pinned_by, pinned_at)
SELECT incident_id, id, 'A coordinator', recorded_at FROM {EVENTS}
WHERE incident_id = %(incident)s AND sequence > %(head)s AND sequence %% %(every)s = 77
"""
HEAD = f"""
UPDATE runbooks_incident SET head_sequence = sequence, head_hash = hash FROM {EVENTS}
WHERE runbooks_incident.id = %(incident)s AND incident_id = %(incident)s AND sequence = head_sequence + %(entries)s
"""


def seed_accounts(incident_id: UUID, accounts: int, people: list[int]) -> None:
    """So many affected accounts in all states, with facts, changes, contacts and owners among these people."""
    highs, high = [], 0
    for share in SHARES.values():
        high += share
        highs.append(high)
    given = {
        "incident": incident_id,
        "accounts": accounts,
        "people": people,
        "heads": len(people),
        "states": [str(state) for state in SHARES],
        "ranks": [RANKS[state] for state in SHARES],
        "levels": [level(state) for state in SHARES],
        "lows": [high - share for high, share in zip(highs, SHARES.values(), strict=True)],
        "highs": highs,
        "way": [str(state) for state in WAY],
        "until": _until(incident_id),
    }
    for statement in (ACCOUNTS, AFFECTED, CHANGES, FACTS, CONTACTS):
        _run(statement, given)
    _run("ANALYZE runbooks_account, runbooks_affectedaccount, runbooks_statechange, runbooks_accountfact", {})


def seed_entries(incident_id: UUID, entries: int, people: list[int]) -> None:
    """So many further entries, evenly between the declaration and now, and what is kept beside them."""
    row = _run("SELECT head_sequence FROM runbooks_incident WHERE id = %(incident)s", {"incident": incident_id})
    found = _run(
        "SELECT min(id), count(*) FROM runbooks_affectedaccount WHERE incident_id = %(incident)s",
        {"incident": incident_id},
    )
    steps = _run("SELECT array_agg(id) FROM runbooks_step WHERE incident_id = %(incident)s", {"incident": incident_id})
    given = {
        "incident": incident_id,
        "entries": entries,
        "people": people,
        "heads": len(people),
        "head": row[0],
        "first_account": found[0] or 0,
        "accounts": max(found[1], 1),
        "steps": steps[0] or [None],
        "every": max(100, entries // 50),
        "until": _until(incident_id),
    }
    with _indexes_made_afterwards(EVENTS):
        _run(ENTRIES, given)
    for statement in (BINS, PINS, HEAD):
        _run(statement, given)
    _run(f"ANALYZE {EVENTS}, runbooks_timelinebin, runbooks_pin", {})


def _until(incident_id: UUID) -> Any:
    """The end of what is seeded: now, or a moment after the declaration where that is later."""
    statement = "SELECT greatest(now(), declared_at + interval '1 hour') FROM runbooks_incident WHERE id = %(incident)s"
    return _run(statement, {"incident": incident_id})[0]


def _run(statement: str, given: dict[str, Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return cursor.fetchone() if cursor.description else None


@contextmanager
def _indexes_made_afterwards(table: str) -> Iterator[None]:
    """Drop the indexes that no constraint needs, and make them again from the same words: that is faster."""
    statement = """
    SELECT indexname, indexdef FROM pg_indexes
    WHERE tablename = %s AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass)
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [table, table])
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        yield
        # What is still to be checked of the rows would keep the table from being changed.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for _, definition in indexes:
            cursor.execute(definition)


def large_incident(*, accounts: int, entries: int) -> Incident:
    """An incident declared 26 h ago with its runbook's steps, some of them done, and five people."""
    people = [
        User.objects.create(username=f"seeded-{number}", name=f"{role.label} {number}", role=role)
        for number, role in enumerate(PEOPLE)
    ]
    at = timezone.now() - timedelta(hours=26)
    declaration = Declaration(
        runbook_slug="compromised-accounts",
        title="Password guessing on parliamentary mail",
        severity=1,
        detected_at=at - timedelta(minutes=16),
        detected_by="Gateway alarm",
        lead_id=people[0].pk,
    )
    incident = declare(declaration=declaration, actor=actor_for(people[0]), at=at)
    numbers = [user.pk for user in people]
    for statement in (STEPS, EVIDENCE):
        _run(statement, {"incident": incident.pk, "people": numbers, "heads": len(numbers)})
    seed_accounts(incident.pk, accounts, numbers)
    seed_entries(incident.pk, entries, numbers)
    return Incident.objects.select_related("lead").get(pk=incident.pk)
