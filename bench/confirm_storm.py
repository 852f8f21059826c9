"""Thousands of holders who confirm at once, at 64 clients, next to a bare Django view with one INSERT.

Two gunicorns with the same settings (two processes of eight threads, one pool of connections each) are loaded in turns
by one process: the POST that keeps an answer, whose holders have the code open already, between two rounds of the bare
view; its ratio is that of confirmations to kept rows a second. Then other holders go the whole way, nine requests each,
from the first page to the receipt. At the end everything is counted: none lost, none doubled, and the chain verifies.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.core import signing
from django.utils import timezone
from harness import Claim, conclude, is_quick, portal
from pages import BENCH, served

from runbooks.access.permissions import COMMAND_LINE
from runbooks.affected_accounts.models import AffectedAccount, State
from runbooks.confirmations.models import Code, Confirmation
from runbooks.confirmations.operations import Issued, Order, issue_codes
from runbooks.confirmations.views.holder.frame import SALT, Compact
from runbooks.directory.models import Account
from runbooks.incidents.models import Incident
from runbooks.timeline.models import TimelineEvent
from runbooks.timeline.verify import verify_chain
from tests.factories import make_incident

CLIENTS = 64
# A confirmation waits for the incident's lock and for the disk: threads that wait cost little, and are kept together.
THREADS = 8
SHARE = 0.25
TOKEN = "a" * 32
SAID = {"abroad": "no", "reused": "yes", "others": "My assistant", "odd": "A call on Monday"}
Holder = dict[str, Any]


def main() -> int:
    quick = is_quick(__doc__)
    holders, rounds = (1_500, 4) if quick else (9_000, 7)
    with portal() as folder:
        incident, issued = prepare(holders)
        print(f"{holders:,} holders have a code")
        share = holders // 2 // (rounds + 1)
        with (
            served("bare_insert", folder, {}, THREADS) as bare,
            served("ir_portal.wsgi", folder, {}, THREADS) as ours,
            load(folder) as ask,
        ):
            waiting = iter(issued)
            measured = [ask(ours, [confirming(next(waiting)) for _ in range(share)])]
            ratios, last = [], ask(bare, [keeping()] * share * 2)
            for _ in range(rounds):
                confirmed = ask(ours, [confirming(next(waiting)) for _ in range(share)])
                after = ask(bare, [keeping()] * share * 2)
                ratios.append(confirmed.rate / statistics.mean((last.rate, after.rate)))
                measured.append(confirmed)
                last = after
                print(f"{confirmed.said('confirmations')}; {after.said('bare INSERTs')}; ratio {ratios[-1]:.2f}")
            whole = ask(ours, [whole_way(one) for one in waiting])
            print(f"The whole way, nine requests a holder: {whole.said('holders')};")
            print(f"  9,000 holders: {9_000 / whole.rate / 60:.1f} min")
        count(incident, holders)
    return conclude(
        "confirm_storm", [Claim("confirmations to bare INSERTs", statistics.median(ratios), SHARE, at_least=True)]
    )


def prepare(number: int) -> tuple[Incident, list[Issued]]:
    """An incident whose every account is contained, and a code for each holder."""
    incident, at = make_incident(), timezone.now()
    people = Account.objects.bulk_create(
        Account(login=f"holder{n}@parliament.example", display_name=f"Holder {n}", first_seen_at=at, last_seen_at=at)
        for n in range(number)
    )
    done = dict.fromkeys(
        ("contained_at", "sign_in_disabled_at", "sessions_revoked_at", "rules_checked_at"), at - timedelta(hours=1)
    )
    rows = AffectedAccount.objects.bulk_create(
        AffectedAccount(
            incident=incident, account=one, login=one.login, display_name=one.display_name, tier="B",
            state=State.CONTAINED, added_at=at, changed_at=at, **done,
        )
        for one in people
    )  # fmt: skip
    orders = [Order(row.pk, Code.Channel.LETTER) for row in rows]
    return incident, issue_codes(incident_id=incident.pk, orders=orders, actor=COMMAND_LINE, at=at)


def confirming(issued: Issued) -> Holder:
    """On the last page: the code is open, the answers are in the cookie, and one POST is left."""
    kept = {"c": issued.code_id, "s": "changed", "q": SAID}
    cookie = signing.dumps(kept, salt=SALT, serializer=Compact, compress=True)
    return {"cookie": f"csrftoken={TOKEN}; confirm={cookie}", "steps": [["POST", "/confirm/check/", form()]]}


def whole_way(issued: Issued) -> Holder:
    steps = [
        ["GET", "/confirm/", ""],
        ["POST", "/confirm/", form(account=issued.login, code=issued.code)],
        ["GET", "/confirm/changed/", ""],
        ["POST", "/confirm/changed/", form(changed="changed")],
        ["GET", "/confirm/about/", ""],
        ["POST", "/confirm/about/", form(**SAID)],
        ["GET", "/confirm/check/", ""],
        ["POST", "/confirm/check/", form()],
        ["GET", "/confirm/done/", ""],
    ]
    return {"cookie": f"csrftoken={TOKEN}", "steps": steps}


def keeping() -> Holder:
    return {"cookie": "a=b", "steps": [["POST", "/", "account=holder1"]]}


def form(**fields: str) -> str:
    return urlencode({"csrfmiddlewaretoken": TOKEN, **fields})


@dataclass(frozen=True, slots=True)
class Slice:
    """What one load of one side gave."""

    rate: float
    p50: float
    p95: float
    load_share: float

    def said(self, what: str) -> str:
        times = f"p50 {self.p50 * 1000:.0f} ms, p95 {self.p95 * 1000:.0f} ms"
        return f"{self.rate:.0f} {what}/s ({times}, load {self.load_share:.0%} of a core)"


Ask = Callable[[int, list[Holder]], Slice]


@contextmanager
def load(folder: Path) -> Iterator[Ask]:
    """The process that asks. An answer that is no page and no way onward ends it."""
    command = [sys.executable, str(BENCH / "holding.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise SystemExit("The load cannot be started.")
        into, out = process.stdin, process.stdout

        def ask(port: int, holders: list[Holder]) -> Slice:
            file = folder / "holders.json"
            file.write_text(json.dumps(holders), encoding="utf-8")
            into.write(json.dumps({"port": port, "clients": CLIENTS, "file": str(file)}) + "\n")
            into.flush()
            if not (line := out.readline()):
                raise SystemExit("The load ended early; its reason stands above.")
            got = json.loads(line)
            if not set(got["statuses"]) <= {"200", "302"}:
                raise SystemExit(f"Not all were answered: {got['statuses']}")
            time.sleep(0.2)
            return Slice(got["holders"] / got["seconds"], got["p50"], got["p95"], got["cpu"] / got["seconds"])

        yield ask
        into.close()


def count(incident: Incident, holders: int) -> None:
    """None lost, none doubled, each with its entry, and the chain verifies."""
    kept = Confirmation.objects.filter(incident=incident)
    found = (
        kept.count(),
        kept.values("affected_account").distinct().count(),
        Code.objects.filter(incident=incident, used_at__isnull=False).count(),
        TimelineEvent.objects.filter(incident=incident, kind="holder.answered").count(),
    )
    verdict = verify_chain(incident.pk)
    print(f"Kept {found[0]:,} confirmations of {found[1]:,} holders; {verdict.entries:,} entries verify")
    if set(found) != {holders} or verdict.broken_at is not None:
        raise SystemExit(f"Of {holders} holders: {found}, {verdict}")


if __name__ == "__main__":
    sys.exit(main())
