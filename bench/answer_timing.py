"""Whether the time of an answer tells a known account from an unknown one: a thousand wrong codes for each.

Asked in random order over one connection of the real stack (gunicorn, 2 processes of 4 threads), each time from another
network; of each account the shortest of three answers counts, as for an attacker who knows that machines are busy. Says
the ratio of the medians, which is to lie between 0.95 and 1.05, and the probability by a Mann-Whitney test (normal
approximation, ties corrected) that two equal samples differ as much: under 0.01 they differ.
"""

import math
import random
import socket
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence

from confirm_storm import TOKEN, form, prepare
from harness import Claim, conclude, is_quick, portal
from pages import served

FARTHEST, LEAST_P = 1.05, 0.01
FIRST_SOME, TIMES = 100, 3


def main() -> int:
    each = 300 if is_quick(__doc__) else 1_000
    with portal() as folder:
        prepare(each)
        with served("ir_portal.wsgi", folder, {"TRUSTED_PROXIES": "1"}) as port:
            known, unknown = ask(port, each)
    ratio = statistics.median(known) / statistics.median(unknown)
    p = mann_whitney(known, unknown)
    for name, times in (("known", known), ("unknown", unknown)):
        print(f"{name}: {len(times):,} answers, median {statistics.median(times) * 1000:.3f} ms")
    print(f"ratio of the medians {ratio:.3f} (0.95 to 1.05); Mann-Whitney p = {p:.3f} (differs under {LEAST_P})")
    claims = [
        Claim("medians, the larger to the smaller", max(ratio, 1 / ratio), FARTHEST),
        Claim("Mann-Whitney p", p, LEAST_P, at_least=True),
    ]
    return conclude("answer_timing", claims)


def ask(port: int, each: int) -> tuple[list[float], list[float]]:
    """Seconds of each answer, for accounts with a code and for names as long that nobody has."""
    chance = random.Random(4)
    asked = [(True, f"holder{number}") for number in range(each)]
    asked += [(False, f"nobody{number}") for number in range(each)]
    asked = [one for _ in range(TIMES) for one in chance.sample(asked, len(asked))]
    times: dict[tuple[bool, str], float] = {}
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number, (is_known, account) in enumerate([(True, "warming.up")] * FIRST_SOME + asked):
            body = form(account=account, code="00000000")
            request = "\r\n".join(
                [
                    "POST /confirm/ HTTP/1.1",
                    "Host: 127.0.0.1",
                    f"Cookie: csrftoken={TOKEN}",
                    f"X-Forwarded-For: 198.{18 + number // 65_536}.{number // 256 % 256}.{number % 256}",
                    "Content-Type: application/x-www-form-urlencoded",
                    f"Content-Length: {len(body)}",
                    "",
                    body,
                ]
            )
            began = time.perf_counter()
            connection.sendall(request.encode())
            status = _answered(connection)
            taken = time.perf_counter() - began
            if status != b"400":
                raise SystemExit(f"{account}: answered {status.decode()}")
            if number >= FIRST_SOME:
                times[is_known, account] = min(taken, times.get((is_known, account), taken))
    found = [[taken for (is_known, _), taken in times.items() if is_known == wanted] for wanted in (True, False)]
    return found[0], found[1]


def _answered(connection: socket.socket) -> bytes:
    received = b""
    while True:
        received += connection.recv(65_536)
        head, found, body = received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if found and len(body) == int(length):
            return head[9:12]


def mann_whitney(one: Sequence[float], other: Sequence[float]) -> float:
    """The two-sided probability of samples that differ so much where there is no difference."""
    values = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    counts = Counter(value for value, _ in values)
    rank_sum, place = 0.0, 0
    while place < len(values):
        tied = counts[values[place][0]]
        rank = place + (tied + 1) / 2
        rank_sum += rank * sum(side == 0 for _, side in values[place : place + tied])
        place += tied
    n, m = len(one), len(other)
    total = n + m
    ties = sum(count**3 - count for count in counts.values())
    deviation = math.sqrt(n * m / 12 * (total + 1 - ties / (total * (total - 1))))
    score = (abs(rank_sum - n * (total + 1) / 2) - 0.5) / deviation
    return min(1.0, math.erfc(score / math.sqrt(2)))


if __name__ == "__main__":
    sys.exit(main())
