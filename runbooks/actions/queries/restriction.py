"""For how many accounts remote access is restricted now, by what was read back."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

# The newest thing that was done to an account's remote access says whether the incident restricts it.
NOW = """
WITH newest AS (
    SELECT DISTINCT ON (row.account_id) row.account_id, action.kind = 'restrict_remote_access' AS is_restricted,
        row.verdict, row.read_back_at, action.started_at, action.stage_id
    FROM runbooks_actionaccount row JOIN runbooks_action action ON action.id = row.action_id
    WHERE action.incident_id = %s AND action.kind IN ('restrict_remote_access', 'restore_remote_access')
        AND row.status IN ('done', 'already')
    ORDER BY row.account_id, action.started_at DESC, action.number DESC
)
SELECT count(*),
    count(*) FILTER (WHERE is_restricted AND verdict = 'holds'),
    count(*) FILTER (WHERE is_restricted AND verdict = 'differs'),
    count(*) FILTER (WHERE is_restricted AND verdict NOT IN ('holds', 'differs')),
    count(*) FILTER (WHERE NOT is_restricted),
    count(*) FILTER (WHERE NOT is_restricted AND stage_id IS NOT NULL),
    (SELECT count(*) FROM runbooks_account WHERE gone_at IS NULL),
    min(started_at) FILTER (WHERE is_restricted),
    max(read_back_at) FILTER (WHERE is_restricted AND verdict = 'holds'),
    (SELECT count(DISTINCT row.account_id)
        FROM runbooks_actionaccount row JOIN runbooks_action action ON action.id = row.action_id
        WHERE action.incident_id = %s AND action.kind = 'restrict_remote_access' AND row.status = 'failed'
            AND row.account_id NOT IN (SELECT account_id FROM newest)),
    (SELECT max(number) FROM runbooks_action WHERE incident_id = %s AND kind = 'restrict_remote_access'
        AND scope = 'everyone' AND started_at IS NOT NULL)
FROM newest
"""


@dataclass(frozen=True, slots=True)
class Restriction:
    """Accounts whose remote access this incident's actions changed, each counted once.

    `holds` were read back as restricted, `differs` as open, `unread` were said to be restricted and not read back.
    `given_back` includes `in_stages`. `accounts` is the whole directory. `since` and `read_back_at` are None where
    nothing is restricted, or nothing was read back. `failed` were asked for and never restricted. `lock_down` is the
    number of the newest action on everyone; None where there was none.
    """

    holds: int
    differs: int
    unread: int
    given_back: int
    in_stages: int
    accounts: int
    since: datetime | None
    read_back_at: datetime | None
    failed: int
    lock_down: int | None

    @property
    def said(self) -> int:
        """Restricted by what the system or people answered."""
        return self.holds + self.differs + self.unread


def restriction_of(incident_id: UUID) -> Restriction | None:
    """None where no action changed anybody's remote access. One query."""
    with connection.cursor() as cursor:
        cursor.execute(NOW, [incident_id] * 3)
        counted, *found = cursor.fetchone()
    return Restriction(*found) if counted else None
