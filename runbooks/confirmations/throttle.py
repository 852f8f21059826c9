"""How many wrong codes are looked at. Right ones cost nothing, so that nine thousand holders are never in the way.

Three limits, all in Valkey and all counted by wrong tries alone. One of a network on one account: after three, it waits
longer and longer. One of a network. And one of everybody: 200,000 at once and 0.6 a second after that are at most
926,000 wrong tries in the fourteen days that a letter lives, which find one code of 40 bits with less than one in a
million (docs/codes.md). None of them belongs to an account or a code, so nobody can shut a holder out by guessing; and
networks of one's own (settings.OWN_NETWORKS) have a share that strangers cannot use up. Behind one of those may sit
thousands of holders who mistype, so their share is the only limit they have together.
"""

import hashlib
import ipaddress
import logging
import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import redis
from django.conf import settings

from ir_portal.cache import client_of
from runbooks.confirmations.codes import account_meant

logger = logging.getLogger(__name__)

PAIR_FREE, PAIR_FIRST_WAIT, PAIR_LONGEST_WAIT, PAIR_SECONDS = 3, 2.0, 900.0, 24 * 3600
NETWORK_CAPACITY, NETWORK_RATE = 60.0, 0.5
OVERALL_CAPACITY, OVERALL_RATE = 200_000.0, 0.6
OWN_CAPACITY, OWN_RATE = 20_000.0, 0.1
# The minutes that are counted for the alarm are kept for an hour, with no more of an account's name than this.
MINUTE_SECONDS, COUNTED_SECONDS, NAME_MAX = 60, 3600, 64
# Of each minute. Where more names than these are tried, all tries together raise the alarm.
NAMED_MOST = 200
V4_BITS, V6_BITS = 24, 48

# A bucket is {level, moment}. Reading fills it up to now; a wrong try takes one out. What is full again is forgotten.
# By its first line Valkey refuses the script where it could not write (full disk, full memory), also for reading: else
# tries would be looked at that nobody counts.
LEVEL: Final = """#!lua
local kept = redis.call('HMGET', KEYS[1], 'level', 'at')
local level = tonumber(kept[1]) or tonumber(ARGV[1])
local at = tonumber(kept[2]) or tonumber(ARGV[3])
level = math.min(tonumber(ARGV[1]), level + math.max(0, tonumber(ARGV[3]) - at) * tonumber(ARGV[2]))
local take = tonumber(ARGV[4])
if take > 0 then
  level = level - take
  redis.call('HSET', KEYS[1], 'level', tostring(level), 'at', ARGV[3])
  redis.call('EXPIRE', KEYS[1], ARGV[5])
end
return tostring(level)
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a try comes from: its network, and the account it is for, hashed."""

    network: str
    pair: str
    is_own: bool


def origin(address: str, login: str) -> Origin:
    network = _network(address)
    pair = hashlib.sha256(f"{network}\0{account_meant(login)}".encode()).hexdigest()[:32]
    return Origin(network, pair, _is_own(address))


def may_try(of: Origin, *, now: float | None = None) -> bool:
    """Whether a try is looked at. Without Valkey none is: nobody could count. It has only to be tried again later."""
    at = time.time() if now is None else now
    try:
        held = client().get(f"tries:wait:{of.pair}")
        if held is not None and float(held) > at:
            return False
        if not of.is_own and _level(f"tries:network:{of.network}", NETWORK_CAPACITY, NETWORK_RATE, at) < 1:
            return False
        return _level(*_overall(of), at) >= 1
    except redis.RedisError:
        logger.exception("No Valkey: no code is looked at")
        return False


def count_wrong(of: Origin, login: str, *, now: float | None = None) -> None:
    """After a wrong try: take one out of each, and count it for the alarm. Never says so to whoever tried."""
    try:
        _count_wrong(of, login, time.time() if now is None else now)
    except redis.RedisError:
        logger.exception("Valkey failed just now: a wrong try is not counted")


def _count_wrong(of: Origin, login: str, at: float) -> None:
    with client().pipeline(transaction=False) as pipe:
        pipe.incr(f"tries:pair:{of.pair}")
        pipe.expire(f"tries:pair:{of.pair}", PAIR_SECONDS)
        wrong = int(pipe.execute()[0])
    if wrong >= PAIR_FREE:
        wait = min(PAIR_FIRST_WAIT * (1 << min(wrong - PAIR_FREE, 20)), PAIR_LONGEST_WAIT)
        client().set(f"tries:wait:{of.pair}", at + wait, ex=int(wait) + 1)
    if not of.is_own:
        _level(f"tries:network:{of.network}", NETWORK_CAPACITY, NETWORK_RATE, at, take=1)
    _level(*_overall(of), at, take=1)
    _count_for_alarm(of, account_meant(login)[:NAME_MAX], int(at // MINUTE_SECONDS))


def _count_for_alarm(of: Origin, account: str, minute: int) -> None:
    with client().pipeline(transaction=False) as pipe:
        pipe.incr(f"tries:count:{minute}")
        pipe.zincrby(f"tries:accounts:{minute}", 1, account)
        pipe.pfadd(f"tries:networks:{minute}", of.network)
        for kind in ("count", "accounts", "networks"):
            pipe.expire(f"tries:{kind}:{minute}", COUNTED_SECONDS)
        pipe.execute()


@dataclass(frozen=True, slots=True)
class Tries:
    """Wrong tries of the last minutes: all of them, those on the accounts named most often, and from how many networks.

    `accounts` holds whatever was typed as a name, so most may belong to nobody.
    """

    wrong: int
    accounts: Mapping[str, int]
    networks: int


def wrong_tries(minutes: int, *, now: float | None = None) -> Tries:
    """What was counted in the minute of `now` and those before it. Raises redis.RedisError."""
    last = int((time.time() if now is None else now) // MINUTE_SECONDS)
    each = range(last - minutes + 1, last + 1)
    with client().pipeline(transaction=False) as pipe:
        pipe.mget([f"tries:count:{minute}" for minute in each])
        pipe.pfcount(*[f"tries:networks:{minute}" for minute in each])
        for minute in each:
            pipe.zrevrange(f"tries:accounts:{minute}", 0, NAMED_MOST - 1, withscores=True)
        counts, networks, *named = pipe.execute()
    accounts: Counter[str] = Counter()
    for pairs in named:
        accounts.update({name.decode(errors="replace"): int(wrong) for name, wrong in pairs})
    return Tries(sum(int(count or 0) for count in counts), accounts, int(networks))


def client() -> redis.Redis:
    return client_of(settings.REDIS_URL)


def _overall(of: Origin) -> tuple[str, float, float]:
    return ("tries:own", OWN_CAPACITY, OWN_RATE) if of.is_own else ("tries:all", OVERALL_CAPACITY, OVERALL_RATE)


def _level(key: str, capacity: float, rate: float, at: float, take: int = 0) -> float:
    kept_seconds = math.ceil(capacity / rate) + 60
    return float(client().eval(LEVEL, 1, key, capacity, rate, at, take, kept_seconds))


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    mapped = getattr(parsed, "ipv4_mapped", None)
    parsed = mapped or parsed
    bits = V4_BITS if parsed.version == 4 else V6_BITS
    return str(ipaddress.ip_network((parsed, bits), strict=False))


def _is_own(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in ipaddress.ip_network(named) for named in settings.OWN_NETWORKS)
