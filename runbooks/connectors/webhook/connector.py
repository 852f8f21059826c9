"""A receiver of the institution's own as a connector.

The portal asks, and believes what it is told; what is true is a read, where the receiver offers one. An answer is given
at once (200), or promised (202) and sent later to `answer_url`. The same request may come again, after a line was lost:
its `id` and its Idempotency-Key are the same, and the receiver must not do twice what it has done.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from runbooks import outbound
from runbooks.connectors.base import (
    UNDONE_BY,
    AccountRef,
    AccountState,
    Action,
    ActionResult,
    Capabilities,
    ConnectorError,
    Fact,
    Finding,
    Outcome,
    Reading,
    Severity,
    Values,
    check_request,
    failure,
)
from runbooks.connectors.web import LostError, Place, WebSession, from_outbound, said, words_of
from runbooks.connectors.webhook.messages import (
    Answer,
    ShapeError,
    answer_of,
    check_signature,
    entries_of,
    facts_of,
    results_of,
    signed,
    values_of,
)
from runbooks.outbound import OutboundError

CHECK: Final = "check"
"""What the self-test sends in place of an action: no accounts, and nothing to do but to answer."""
NO_BEFORE_VALUES = "Its before-values are missing. Act on it by itself."


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the receiver offers, by the settings."""

    actions: frozenset[Action]
    facts: frozenset[Fact]
    batch_size: int
    rate_per_second: float
    lag_seconds: float


class WebhookConnector:
    def __init__(self, name: str, where: Place, secret: str, can: Abilities, answer_url: str) -> None:
        self._name, self._where, self._secret, self._answer_url = name, where, secret, answer_url
        self._session = WebSession(where)
        self.capabilities = Capabilities(
            actions=can.actions,
            facts=can.facts,
            lag_seconds=can.lag_seconds,
            batch_size=can.batch_size,
            rate_per_second=can.rate_per_second,
            permissions=(),
            undone_by={one: by for one, by in UNDONE_BY.items() if {one, by} <= can.actions},
        )

    def read(self, accounts: Sequence[AccountRef]) -> list[AccountState]:
        if Action.READ_STATE not in self.capabilities.actions:
            return [AccountState(account, problem=f"{self._name} does not read accounts.") for account in accounts]
        size = self.capabilities.batch_size
        batches = [accounts[start : start + size] for start in range(0, len(accounts), size)]
        return [state for batch in batches for state in self._read(batch)]

    def act(
        self, action: Action, accounts: Sequence[AccountRef], key: str, values: Mapping[str, Values] | None = None
    ) -> list[ActionResult]:
        check_request(self.capabilities, action, accounts)
        asked = [account for account in accounts if values is None or account.login in values]
        kept = None if values is None else {account.login: values[account.login] for account in asked}
        answered = {result.account.login: result for result in self._ask(action, asked, key, kept)} if asked else {}
        return [
            answered.get(account.login) or failure(account, NO_BEFORE_VALUES, permanent=True) for account in accounts
        ]

    def self_test(self) -> list[Finding]:
        """Sends no account. The receiver must take a request that is signed, and refuse one that is not."""
        host = self._where.host
        try:
            status, content = self._post(CHECK, [], secrets.token_hex(16))
            entries_of(content if status == 200 else None)
        except ConnectorError as error:
            mend = 'The receiver answers the action "check" with 200 and {"results": []}.'
            return [Finding(Severity.ERROR, f"{host} does not take requests: {str(error).rstrip('.')}.", mend)]
        findings = [Finding(Severity.FINE, f"{host} takes signed requests.")]
        try:
            self._post(CHECK, [], secrets.token_hex(16), secret=secrets.token_hex(16))
        except ConnectorError:
            findings.append(Finding(Severity.FINE, f"{host} refuses a signature that does not hold."))
        else:
            what = f"{host} takes requests whose signature does not hold: anybody could lock accounts by it."
            mend = "Check the signature in the receiver, as docs/connectors.md shows."
            findings.append(Finding(Severity.ERROR, what, mend))
        if Action.READ_STATE not in self.capabilities.actions:
            what = "Nothing is read back by itself."
            findings.append(Finding(Severity.WARNING, what, "Set reads to true once the receiver answers read_state."))
        return findings

    def close(self) -> None:
        self._session.close()

    def read_answer(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Answer:
        """Raises ForgedAnswerError, MalformedAnswerError."""
        check_signature(self._secret, headers, body, now)
        return answer_of(body)

    def _ask(
        self, action: Action, accounts: Sequence[AccountRef], key: str, values: Mapping[str, Values] | None
    ) -> list[ActionResult]:
        try:
            status, content = self._post(action.value, accounts, key, values)
            if status == 202:
                pending = f"Pending with {self._where.host}, which answers later."
                return [ActionResult(account, Outcome.PENDING, message=pending) for account in accounts]
            return results_of(content, accounts)
        except (LostError, ShapeError) as error:
            reason = self._misunderstood(error) if isinstance(error, ShapeError) else str(error)
            unknown = f"Not known whether it was done: {reason}"
            return [
                failure(account, unknown, permanent=error.permanent, retry_after=error.retry_after)
                for account in accounts
            ]

    def _read(self, accounts: Sequence[AccountRef]) -> list[AccountState]:
        now = datetime.now(UTC)
        status, content = self._post(Action.READ_STATE.value, accounts, secrets.token_hex(16))
        if status == 202:
            reason = f"{self._where.host} promises to answer read_state later. It is answered at once, or not offered."
            raise ConnectorError(reason, permanent=True)
        try:
            entries = entries_of(content)
            return [self._state(account, entries.get(account.login), now) for account in accounts]
        except ShapeError as error:
            raise ConnectorError(self._misunderstood(error), permanent=True) from error

    def _state(self, account: AccountRef, told: Mapping[str, Any] | None, now: datetime) -> AccountState:
        if told is None:
            return AccountState(account, problem=f"{self._where.host} said nothing about it.")
        if told.get("outcome") != Outcome.OK:
            reason = words_of(told.get("message")) or f"{self._where.host} gave no reason."
            return AccountState(account, problem=reason)
        facts = facts_of(told, self.capabilities.facts)
        if not facts:
            return AccountState(account, problem=f"{self._where.host} told no fact about it.")
        source = f"{self._name}: {self._where.host}"
        readings = {fact: Reading(value, now, source) for fact, value in facts.items()}
        return AccountState(account, readings, values_of(told, "values"))

    def _post(
        self,
        action: str,
        accounts: Sequence[AccountRef],
        key: str,
        values: Mapping[str, Values] | None = None,
        *,
        secret: str = "",
    ) -> tuple[int, Any]:
        """Status 200 with its content, or 202. Raises ConnectorError at every other, LostError where it is unknown."""
        request: dict[str, Any] = {
            "id": key,
            "action": action,
            "connection": self._name,
            "accounts": [{"login": one.login, "external_id": one.external_id, "mail": one.mail} for one in accounts],
            "answer_url": self._answer_url,
        }
        if values is not None:
            request["values"] = {login: dict(kept) for login, kept in values.items()}
        body = json.dumps(request, ensure_ascii=False, sort_keys=True).encode()
        headers = {"Content-Type": "application/json", **signed(secret or self._secret, body, datetime.now(UTC))}
        response = self._session.call("POST", self._where.url, body=body, headers=headers)
        if response.status_code == 202:
            return 202, None
        if response.status_code >= 400:
            reason = f"{self._where.host} refuses the request ({response.status_code}){said(response)}."
            raise ConnectorError(reason, permanent=True)
        if response.status_code != 200:
            raise LostError(self._misunderstood(f"the status is {response.status_code}"), permanent=True)
        try:
            return 200, outbound.content_of(response)
        except OutboundError as error:
            raise from_outbound(error) from error

    def _misunderstood(self, reason: object) -> str:
        return f"the answer of {self._where.host} is not understood: {reason}. docs/connectors.md has its shape."
