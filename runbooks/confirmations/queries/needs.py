"""What holders' answers, and texts that did not go out, need of somebody."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import connection

from runbooks.confirmations.queries.planning import WITHOUT

COUNTS: Final = """
WITH said AS (
    SELECT DISTINCT ON (affected_account_id) affected_account_id, answer, truth, answered_at, checked_at
    FROM runbooks_confirmation WHERE incident_id = %(incident)s ORDER BY affected_account_id, id DESC
), waiting AS (
    SELECT said.answer, said.truth FROM said JOIN runbooks_affectedaccount account ON account.id = affected_account_id
    WHERE NOT account.state = ANY(%(without)s) AND NOT EXISTS (
        SELECT FROM runbooks_contactattempt tried
        WHERE tried.affected_account_id = account.id AND tried.outcome = 'reached'
            AND tried.at > CASE said.answer WHEN 'not_me' THEN said.answered_at
                ELSE coalesce(said.checked_at, said.answered_at) END
    )
)
SELECT count(*) FILTER (WHERE answer = 'not_me'), count(*) FILTER (WHERE truth = 'differs'), (
    SELECT count(*) FROM runbooks_textorder text WHERE text.incident_id = %(incident)s AND text.status = 'failed'
        AND NOT EXISTS (
            SELECT FROM runbooks_code code WHERE code.affected_account_id = text.affected_account_id
                AND code.superseded_at IS NULL AND code.issued_at > text.ordered_at)
        AND NOT EXISTS (
            SELECT FROM runbooks_textorder later
            WHERE later.affected_account_id = text.affected_account_id AND later.id > text.id)
) FROM waiting
"""


@dataclass(frozen=True, slots=True)
class HolderNeeds:
    """Holders who say it was not them, and whose password the directory shows unchanged, until the desk reached them;
    texts that failed and that nothing replaced."""

    not_me: int = 0
    differs: int = 0
    failed_texts: int = 0


def holder_needs(incident_id: UUID) -> HolderNeeds:
    """One query."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, {"incident": incident_id, "without": [str(state) for state in WITHOUT]})
        return HolderNeeds(*cursor.fetchone())
