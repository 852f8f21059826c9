"""What goes over the line, and the signature that says who sent it."""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from runbooks.connectors.base import AccountRef, ActionResult, ConnectorError, Fact, Outcome, Values, failure
from runbooks.connectors.web import words_of
from runbooks.errors import DomainError, NotAllowedError
from runbooks.outbound import MOST_WAIT_SECONDS

SIGNATURE, TIMESTAMP, IDEMPOTENCY = "X-IR-Portal-Signature", "X-IR-Portal-Timestamp", "Idempotency-Key"
OLDEST_SECONDS: Final = 300


class ForgedAnswerError(NotAllowedError):
    pass


class MalformedAnswerError(DomainError):
    status = 400


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call-back says: the request it answers, and a result an account, with nothing but its login."""

    key: str
    results: tuple[ActionResult, ...]


def signed(secret: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers that go with a body. The key of idempotency is of the body alone: a second try has the same."""
    timestamp = str(int(now.timestamp()))
    return {
        TIMESTAMP: timestamp,
        SIGNATURE: _signature(secret, timestamp, body),
        IDEMPOTENCY: sha256(body).hexdigest(),
    }


def _signature(secret: str, timestamp: str, body: bytes) -> str:
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, sha256).hexdigest()


def check_signature(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Raises ForgedAnswerError; that of an old answer tells, since only who signed it learns so."""
    given = {key.lower(): value for key, value in headers.items()}
    timestamp, signature = given.get(TIMESTAMP.lower(), ""), given.get(SIGNATURE.lower(), "")
    expected = _signature(secret, timestamp, body)
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        raise ForgedAnswerError(f"The signature does not hold. Sign timestamp.body and send it as {SIGNATURE}.")
    if not (timestamp.isascii() and timestamp.isdigit()) or abs(now.timestamp() - int(timestamp[:12])) > OLDEST_SECONDS:
        raise ForgedAnswerError(f"The answer is not of the last {OLDEST_SECONDS} seconds. Check the clock, sign anew.")


def answer_of(body: bytes) -> Answer:
    """Raises MalformedAnswerError."""
    try:
        content = json.loads(body)
        key = content.get("id") if isinstance(content, dict) else None
        if not isinstance(key, str) or not key or not key.isprintable():
            raise ShapeError('it must read {"id": "of the request", "results": […]}')
        results = [_result(AccountRef(login), said) for login, said in entries_of(content).items()]
    except (ValueError, RecursionError):
        raise MalformedAnswerError("The answer is not JSON.") from None
    except ShapeError as error:
        raise MalformedAnswerError(f"The answer is not understood: {error}.") from None
    if any(result.outcome is Outcome.PENDING for result in results):
        raise MalformedAnswerError("The answer says pending. Say ok, already or failed.")
    return Answer(key, tuple(results))


# Results


class ShapeError(ConnectorError):
    """What came back is not of the agreed shape."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, permanent=True)


def entries_of(content: Any) -> dict[str, dict[str, Any]]:
    """Login to what is said of it, out of {"results": [{"login": …}, …]}. Raises ShapeError."""
    results = content.get("results") if isinstance(content, dict) else None
    if not isinstance(results, list) or not all(isinstance(entry, dict) for entry in results):
        raise ShapeError('it must read {"results": [{"login": "…", "outcome": "…"}]}')
    entries: dict[str, dict[str, Any]] = {}
    for entry in results:
        login = entry.get("login")
        if not isinstance(login, str) or not login or not login.isprintable():
            raise ShapeError("a result has no login")
        if login in entries:
            raise ShapeError(f"{words_of(login)} has two results")
        entries[login] = entry
    return entries


def results_of(content: Any, accounts: Sequence[AccountRef]) -> list[ActionResult]:
    """One result an account, in the order asked; an account nothing is said of has failed. Raises ShapeError."""
    entries = entries_of(content)
    strangers = entries.keys() - {account.login for account in accounts}
    if strangers:
        raise ShapeError(f"{words_of(min(strangers))} was not asked for")
    return [
        _result(account, entries[account.login])
        if account.login in entries
        else failure(account, "Not known whether it was done: nothing was answered about it.", permanent=False)
        for account in accounts
    ]


def _result(account: AccountRef, said: Mapping[str, Any]) -> ActionResult:
    if said.get("outcome") not in list(Outcome):
        raise ShapeError(f"the outcome of {words_of(account.login)} is none of {', '.join(Outcome)}")
    outcome, message = Outcome(said["outcome"]), words_of(said.get("message"))
    before = values_of(said, "before") or values_of(said, "values")
    if outcome is not Outcome.FAILED:
        return ActionResult(account, outcome, before, message)
    wait, permanent = said.get("retry_after"), said.get("permanent", False)
    if not isinstance(permanent, bool):
        raise ShapeError("permanent must be true or false")
    if wait is not None and (isinstance(wait, bool) or not isinstance(wait, int | float) or not wait >= 0):
        raise ShapeError("retry_after must be a number of seconds")
    wait = None if wait is None or permanent else min(float(wait), MOST_WAIT_SECONDS)
    return failure(account, message or "No reason was given.", permanent=permanent, before=before, retry_after=wait)


def values_of(said: Mapping[str, Any], key: str) -> Values:
    values = said.get(key, {})
    if not isinstance(values, dict) or not all(isinstance(raw, list) for raw in values.values()):
        raise ShapeError(f'{key} must read {{"a name": ["a value"]}}')
    for text in (*values, *(value for raw in values.values() for value in raw)):
        if not isinstance(text, str) or not text.isprintable():
            raise ShapeError(f"{key} must hold printable text")
    return values


def facts_of(said: Mapping[str, Any], declared: frozenset[Fact]) -> dict[Fact, bool | datetime | None]:
    """The facts of one account. Raises ShapeError at one that is not declared, or of the wrong kind."""
    facts = said.get("facts", {})
    if not isinstance(facts, dict):
        raise ShapeError('facts must read {"locked": true}')
    unknown = facts.keys() - {fact.value for fact in declared}
    if unknown:
        raise ShapeError(f"the fact {words_of(min(unknown))} is none of {', '.join(sorted(declared))}")
    return {Fact(name): _fact(name, value) for name, value in facts.items()}


def _fact(name: str, value: Any) -> bool | datetime | None:
    if value is None or (isinstance(value, bool) and not name.endswith("_at")):
        return value
    if isinstance(value, str) and name.endswith("_at"):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        # Other years cannot be brought into another zone, or mean that nobody set the clock.
        if moment and moment.tzinfo and 1970 < moment.year < 9000:
            return moment
    kind = "a time with its offset, such as 2017-06-23T20:00:00Z" if name.endswith("_at") else "true or false"
    raise ShapeError(f"{name} must be {kind}")
