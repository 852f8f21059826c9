"""A directory that is not there, for exercises: it lags, throttles, refuses and forgets, always alike for one seed.

It opens no connection of its own; its accounts live in the portal's cache, so that every worker finds the same ones.
An account nobody acted on is as its seed makes it. What goes wrong goes wrong at the first try of an action on an
account: a retry succeeds, but for an account the seed refuses for good.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from django.core.cache import cache

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
from runbooks.connectors.options import Options

KEPT_SECONDS = 90 * 24 * 3600
BATCH = 200
LEAST_AGE_DAYS, MOST_AGE_DAYS = 30, 900
EPOCH = datetime(2017, 6, 1, tzinfo=UTC)
LOCKED_SHARE, REMOTE_SHARE = 0.015, 0.97

# The fact an action changes, and what it changes it to.
MEANINGS = {
    Action.LOCK_ACCOUNT: (Fact.LOCKED, "true"),
    Action.UNLOCK_ACCOUNT: (Fact.LOCKED, "false"),
    Action.REQUIRE_PASSWORD_CHANGE: (Fact.MUST_CHANGE_PASSWORD, "true"),
    Action.RESTRICT_REMOTE_ACCESS: (Fact.REMOTE_ACCESS, "false"),
    Action.RESTORE_REMOTE_ACCESS: (Fact.REMOTE_ACCESS, "true"),
    Action.END_SESSIONS: (Fact.SESSIONS_ENDED_AT, "now"),
}
BOOLEANS = (Fact.LOCKED, Fact.MUST_CHANGE_PASSWORD, Fact.REMOTE_ACCESS)


@dataclass(frozen=True, slots=True)
class Weather:
    """What goes wrong, each as a share (0 to 1) of accounts; throttled is a share of batches."""

    lag_seconds: float = 5
    throttled: float = 0.05
    retry_after: float = 2
    busy: float = 0.02
    slipping: float = 0.01
    refused: float = 0.002


class Simulated:
    def __init__(self, name: str, seed: str, weather: Weather, clock: Callable[[], datetime], world: str = "") -> None:
        self._name, self._seed, self._weather, self._clock = name, seed, weather, clock
        self._world = f"{name}:{world}:{seed}"
        self.capabilities = Capabilities(
            actions=frozenset(Action),
            facts=frozenset({*BOOLEANS, Fact.SESSIONS_ENDED_AT, Fact.PASSWORD_CHANGED_AT}),
            lag_seconds=weather.lag_seconds,
            batch_size=BATCH,
            rate_per_second=100,
            permissions=(),
            undone_by=UNDONE_BY,
            is_simulated=True,
        )

    def read(self, accounts: Sequence[AccountRef]) -> list[AccountState]:
        now = self._clock()
        kept = cache.get_many([self._at(account) for account in accounts])
        return [self._state(account, kept.get(self._at(account), {}), now) for account in accounts]

    def act(
        self, action: Action, accounts: Sequence[AccountRef], key: str, values: Mapping[str, Values] | None = None
    ) -> list[ActionResult]:
        check_request(self.capabilities, action, accounts)
        self._throttle(key, f"{action}:{accounts[0].login if accounts else ''}")
        kept = cache.get_many([self._at(account) for account in accounts])
        changed: dict[str, dict[str, Any]] = {}
        results = []
        for account in accounts:
            own = kept.get(self._at(account), {})
            results.append(self._act_on(action, account, own, key, values))
            if own.pop("touched", False):
                changed[self._at(account)] = own
        cache.set_many(changed, KEPT_SECONDS)
        return results

    def change_password(self, account: AccountRef, at: datetime) -> None:
        """What a holder does, and no action of the portal: a new password since `at`, shown at once."""
        kept = cache.get(self._at(account), {})
        change = [self._clock().isoformat(), Fact.PASSWORD_CHANGED_AT.value, [at.isoformat()]]
        cache.set(self._at(account), {**kept, "changes": [*kept.get("changes", []), change]}, KEPT_SECONDS)

    def self_test(self) -> list[Finding]:
        return [Finding(Severity.FINE, f"{self._name} is simulated (seed {self._seed}) and reaches nothing real.")]

    def close(self) -> None:
        """Nothing is open."""

    def _throttle(self, key: str, batch: str) -> None:
        """By chance of the batch, which is the same in every exercise; once for a request, which is not."""
        if self._chance("throttled", batch) >= self._weather.throttled:
            return
        if cache.add(f"simulated:{self._world}:throttled:{key}:{batch}", 1, KEPT_SECONDS):
            raise ConnectorError("Too many requests at once.", permanent=False, retry_after=self._weather.retry_after)

    def _act_on(
        self,
        action: Action,
        account: AccountRef,
        kept: dict[str, Any],
        key: str,
        values: Mapping[str, Values] | None,
    ) -> ActionResult:
        before = self._values(account, kept)
        if action is Action.READ_STATE:
            return ActionResult(account, Outcome.OK, before)
        if values is not None and account.login not in values:
            return failure(account, "Its before-values are missing. Act on it by itself.", permanent=True)
        if self._chance("refused", account.login) < self._weather.refused:
            return failure(account, "This account is managed elsewhere. Ask its owner.", permanent=True, before=before)
        wanted = self._wanted(action, values[account.login] if values is not None else None)
        if all(before[fact] == raw for fact, raw in wanted.items()) or key in kept.get("ended_by", []):
            return ActionResult(account, Outcome.ALREADY, before)
        return self._try(action, account, kept, wanted, before, key)

    def _try(
        self, action: Action, account: AccountRef, kept: dict[str, Any], wanted: Values, before: Values, key: str
    ) -> ActionResult:
        """Change the account, but for the mishaps of a first try."""
        is_first = action not in kept.get("tried", [])
        luck = self._chance("luck", f"{action}:{account.login}") if is_first else 1.0
        is_busy = luck < self._weather.busy
        kept["tried"] = [*kept.get("tried", []), *([action.value] if is_first else [])]
        if luck >= self._weather.busy + self._weather.slipping:
            visible = self._clock() + timedelta(seconds=self._weather.lag_seconds)
            kept["changes"] = kept.get("changes", []) + [[visible.isoformat(), *pair] for pair in wanted.items()]
            if action is Action.END_SESSIONS:
                kept["ended_by"] = [*kept.get("ended_by", []), key]
        kept["touched"] = True
        if is_busy:
            return failure(
                account,
                "The directory is busy. Try again.",
                permanent=False,
                before=before,
                retry_after=self._weather.retry_after,
            )
        return ActionResult(account, Outcome.OK, before)

    def _wanted(self, action: Action, before: Values | None) -> Values:
        fact, raw = MEANINGS[action]
        if before is not None:
            return {fact: before.get(fact, [])}
        return {fact: [self._clock().isoformat() if raw == "now" else raw]}

    def _state(self, account: AccountRef, kept: dict[str, Any], now: datetime) -> AccountState:
        seen = self._values(account, kept, until=now)
        return AccountState(
            account,
            {fact: Reading(_value(fact, seen[fact]), now, f"{self._name}: simulated") for fact in _ordered(seen)},
            self._values(account, kept),
        )

    def _values(self, account: AccountRef, kept: dict[str, Any], until: datetime | None = None) -> dict[str, list[str]]:
        """The account as it is; with `until`, as a reader sees it at that time."""
        login = account.login
        age = timedelta(days=LEAST_AGE_DAYS + self._chance("age", login) * (MOST_AGE_DAYS - LEAST_AGE_DAYS))
        values = {
            Fact.LOCKED.value: [_text(self._chance("locked", login) < LOCKED_SHARE)],
            Fact.MUST_CHANGE_PASSWORD.value: ["false"],
            Fact.REMOTE_ACCESS.value: [_text(self._chance("remote", login) < REMOTE_SHARE)],
            Fact.PASSWORD_CHANGED_AT.value: [(EPOCH - age).isoformat()],
            Fact.SESSIONS_ENDED_AT.value: [],
        }
        for visible, fact, raw in kept.get("changes", []):
            if until is None or datetime.fromisoformat(visible) <= until:
                values[fact] = raw
        return values

    def _at(self, account: AccountRef) -> str:
        digest = sha256(account.login.encode()).hexdigest()
        return f"simulated:{self._world}:{digest}"

    def _chance(self, *about: str) -> float:
        """From 0 to 1, always the same for the same seed and subject."""
        digest = sha256("\0".join((self._seed, *about)).encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64


def _text(value: bool) -> str:
    return "true" if value else "false"


def _ordered(values: Values) -> list[Fact]:
    return [Fact(key) for key in values]


def _value(fact: Fact, raw: list[str]) -> bool | datetime | None:
    if fact in BOOLEANS:
        return raw == ["true"]
    return datetime.fromisoformat(raw[0]) if raw else None


def _now() -> datetime:
    return datetime.now(UTC)


def connect(name: str, options: Mapping[str, Any]) -> Simulated:
    read = Options(name, options)
    seed, usual = read.text("seed", "2017"), Weather()
    weather = Weather(
        lag_seconds=read.number("lag_seconds", usual.lag_seconds),
        throttled=read.number("throttled", usual.throttled, most=1),
        retry_after=read.number("retry_after", usual.retry_after),
        busy=read.number("busy", usual.busy, most=1),
        slipping=read.number("slipping", usual.slipping, most=1),
        refused=read.number("refused", usual.refused, most=1),
    )
    world = read.text("world", "")
    read.finish()
    return Simulated(name, seed, weather, _now, world)
