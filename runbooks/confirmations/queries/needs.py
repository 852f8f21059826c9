"""What holders' answers, and texts that did not go out, need of somebody."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from runbooks.confirmations.queries.calls import STILL_TO_REACH
from runbooks.confirmations.queries.planning import KINDS_WITHOUT_HOLDER, WITHOUT

# A holder changes the password first and then says so: for so long nobody wonders, and no answer is late.
IN_A_MOMENT: Final = timedelta(minutes=15)

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
), (
    SELECT count(*) FROM runbooks_affectedaccount account
        JOIN runbooks_account person ON person.id = account.account_id
    WHERE incident_id = %(incident)s AND NOT person.kind = ANY(%(nobodys)s)
        AND account.state = ANY(%(to_reach)s) AND holder_confirmed_at IS NULL
        AND password_changed_at BETWEEN account.contained_at AND now() - %(moment)s
        AND NOT EXISTS (
            SELECT FROM runbooks_confirmation claim
            WHERE claim.affected_account_id = account.id AND claim.truth IN ('pending', 'agrees'))
        AND NOT EXISTS (
            SELECT FROM runbooks_contactattempt tried
            WHERE tried.affected_account_id = account.id AND tried.outcome = 'reached'
                AND tried.at > account.password_changed_at)
        AND NOT EXISTS (
            SELECT FROM runbooks_deskcall refused
            WHERE refused.affected_account_id = account.id AND refused.outcome = 'refused'
                AND refused.ended_at > account.password_changed_at)
), (
    SELECT count(*) FROM runbooks_confirmation WHERE incident_id = %(incident)s AND truth = 'pending'
        AND answered_at < now() - %(moment)s
), (
    SELECT coalesce(max(trouble), '') FROM runbooks_directorywatch WHERE incident_id = %(incident)s
) FROM waiting
"""


@dataclass(frozen=True, slots=True)
class HolderNeeds:
    """Holders who say it was not them, and whose password the directory shows unchanged, until the desk reached them;
    texts that failed and that nothing replaced; new passwords whose holders have said nothing; answers that the
    directory was asked about in vain, and why it could not be asked."""

    not_me: int = 0
    differs: int = 0
    failed_texts: int = 0
    unclaimed: int = 0
    unchecked: int = 0
    trouble: str = ""


def holder_needs(incident_id: UUID) -> HolderNeeds:
    """One query."""
    with connection.cursor() as cursor:
        without, to_reach = ([str(state) for state in states] for states in (WITHOUT, STILL_TO_REACH))
        values: dict[str, Any] = {"without": without, "to_reach": to_reach, "moment": IN_A_MOMENT}
        values["nobodys"] = [str(kind) for kind in KINDS_WITHOUT_HOLDER]
        cursor.execute(COUNTS, {"incident": incident_id, **values})
        return HolderNeeds(*cursor.fetchone())
