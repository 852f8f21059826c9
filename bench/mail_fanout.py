"""One notice to 9,000 people by mail, next to a bare smtplib loop over one connection to the same server.

The portal's side is the announcement with all its rows, two Celery workers, and an attempt's row for each mail; it is
over when every row says delivered. The bare loop sends mails of the same text that were made before its clock began.

With `--chaos` nothing is timed: workers are killed at ten random moments, Valkey is stopped and started, the server
refuses connections, stalls and answers 421, 450 and 550 by chance. At the end nobody may be missing, and nobody may
have two different mails. A worker killed after the server took a mail and before its row says so sends that one again
under the same Message-ID, by which servers and mailboxes know it for the same; those are counted apart.
"""

import argparse
import os
import random
import shutil
import smtplib
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

import redis
from celery import current_app
from django.db import connection, transaction
from django.utils import timezone
from ground import FOLDER, REPOSITORY
from harness import Claim, conclude, portal
from kombu.exceptions import OperationalError

from ir_portal.engines import valkey
from runbooks.access.models import Membership, Role, User
from runbooks.incidents.models import Incident
from runbooks.notifications.models import Notification
from runbooks.notifications.operations import announce
from runbooks.notifications.operations.resending import requeue
from tests.factories import make_incident, make_user

PEOPLE, FEW = 9_000, 1_000
TARGET, ROUNDS = 1.5, 3
WORKERS, KILLS = 2, 10
LONGEST = 1200
BEAT_SECONDS = 2
NO_BROKER = (OperationalError, redis.RedisError, ConnectionError)
CONTEXT = {"before": "Open", "after": "Contained", "reason": "The last account was reset."}
Status = Notification.Status


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 people")
    parser.add_argument("--chaos", action="store_true", help="kill, stop and refuse instead of timing")
    chosen = parser.parse_args()
    port = free_port()
    os.environ |= {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(port), "NOTICE_RETRY_SECONDS": "2"}
    with portal():
        count = FEW if chosen.quick else PEOPLE
        incident = incident_of(count)
        return survive(incident, count, port) if chosen.chaos else race(incident, count, port)


def incident_of(count: int) -> Incident:
    """An incident with so many people in it, each with an address of their own."""
    incident = make_incident(lead=make_user(Role.COORDINATOR), tlp="GREEN")
    people = [
        User(username=f"p{number}", name=f"Person {number}", email=f"p{number}@people.example", role=Role.RESPONDER)
        for number in range(1, count)
    ]
    User.objects.bulk_create(people, batch_size=1000)
    now = timezone.now()
    members = [Membership(incident=incident, user=one, added_by="bench", added_at=now) for one in people]
    Membership.objects.bulk_create(members, batch_size=1000)
    return incident


def race(incident: Incident, count: int, port: int) -> int:
    ours, bare = [], []
    with sink(port) as folder, workers():
        for number in range(ROUNDS + 1):
            seconds = fan_out(incident, count)
            mails = written(count)
            began = time.perf_counter()
            one_connection(port, mails)
            if number:
                ours.append(seconds)
                bare.append(time.perf_counter() - began)
        taken = len((folder / "taken").read_text().splitlines())
    print(f"{count:,} mails: portal {median(ours):.1f} s ({count / median(ours):,.0f}/s), ", end="")
    print(f"bare loop {median(bare):.1f} s ({count / median(bare):,.0f}/s); the server took {taken:,}")
    claims = [
        Claim("to the bare loop", median(ours) / median(bare), TARGET),
        Claim("mails missing or twice", abs(taken - 2 * count * (ROUNDS + 1)), 0),
    ]
    return conclude("mail_fanout", claims)


def fan_out(incident: Incident, count: int) -> float:
    """Seconds from the announcement until every row says delivered; the rows are gone afterwards."""
    began = time.perf_counter()
    say(incident)
    wait_for(lambda: Notification.objects.filter(status=Status.DELIVERED).count() == count)
    seconds = time.perf_counter() - began
    forget()
    return seconds


def say(incident: Incident) -> None:
    with transaction.atomic():
        announce(incident, "incident.status_changed", CONTEXT, at=timezone.now())


def forget() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE runbooks_notification CASCADE")


def written(count: int) -> list[tuple[str, bytes]]:
    """The mails of the bare loop: the words of ours, made beforehand."""
    body = "The incident was open and is now contained.\r\n" * 20
    return [
        (
            f"p{number}@people.example",
            f"Subject: Now contained\r\nFrom: bench@portal.example\r\nTo: p{number}@people.example\r\n"
            f"Message-ID: <bare{number}@portal.example>\r\n\r\n{body}".encode(),
        )
        for number in range(count)
    ]


def one_connection(port: int, mails: Sequence[tuple[str, bytes]]) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        for address, content in mails:
            client.sendmail("bench@portal.example", [address], content)


# Chaos


def survive(incident: Incident, count: int, port: int) -> int:
    chance = random.Random(7)
    folder = Path(shutil.os.path.join(FOLDER, "sink"))
    folder.mkdir()
    (folder / "faults").write_text("0.01")
    say(incident)
    disasters = ["kill"] * KILLS + ["broker", "refuse"]
    chance.shuffle(disasters)
    with Running(port, folder) as running:
        for disaster in disasters:
            running.beat_for(chance.uniform(1.0, 4.0))
            running.happen(disaster, chance)
        (folder / "faults").write_text("0")
        running.beat_until_over()
        refused = Notification.objects.filter(status__in=[Status.FAILED, Status.HELD])
        print(f"{refused.count()} were refused for good by a 550 and are sent again, as a person does on the page")
        for notice in refused:
            with transaction.atomic():
                requeue(Notification.objects.select_for_update().get(pk=notice.pk), at=timezone.now())
        running.beat_until_over()
    return judge(folder, count)


def judge(folder: Path, count: int) -> int:
    mails: dict[str, list[str]] = defaultdict(list)
    for line in (folder / "taken").read_text().splitlines():
        recipient, message_id = line.split("\t")
        mails[recipient].append(message_id)
    missing = count - len(mails)
    different = sum(len(set(ids)) > 1 for ids in mails.values())
    again = sum(len(ids) - len(set(ids)) for ids in mails.values())
    lost = Notification.objects.filter(attempts__reason_code="lost").count()
    print(f"{len(mails):,} people have their mail; {missing} missing, {different} with two different ones")
    print(f"{again} came again under the same Message-ID; {lost} rows say that a worker died while sending")
    claims = [
        Claim("missing", missing, 0),
        Claim("two different mails", different, 0),
        Claim("again under the same id, of those said lost or in doubt", again, max(lost, KILLS) + KILLS),
        Claim("rows not delivered", Notification.objects.exclude(status=Status.DELIVERED).count(), 0),
    ]
    return conclude("mail_fanout", claims)


class Running:
    """The server and the workers, which things happen to."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port, self.folder = port, folder
        self.sink = start_sink(port, folder)
        self.workers = [start_worker() for _ in range(WORKERS)]

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self.workers, self.sink):
            end(process)

    def beat_for(self, seconds: float) -> None:
        """What the scheduler does: wake workers, here every two seconds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            wake()
            time.sleep(min(BEAT_SECONDS, max(until - time.monotonic(), 0)))

    def beat_until_over(self) -> None:
        began = time.monotonic()
        while Notification.objects.filter(status=Status.WAITING).exists():
            if time.monotonic() - began > LONGEST:
                raise SystemExit(f"not over after {LONGEST} s")
            self.beat_for(BEAT_SECONDS)

    def happen(self, disaster: str, chance: random.Random) -> None:
        if disaster == "kill":
            place = chance.randrange(WORKERS)
            self.workers[place].kill()
            self.workers[place].wait()
            self.workers[place] = start_worker()
        elif disaster == "broker":
            valkey.stop(quiet)
            time.sleep(3)
            valkey.start(quiet)
        else:
            end(self.sink)
            time.sleep(5)
            self.sink = start_sink(self.port, self.folder)


def wake() -> None:
    with suppress(NO_BROKER):  # what is due is due still
        current_app.send_task("notifications.deliver", retry=False)


def quiet(_: str) -> None:
    pass


# Processes


@contextmanager
def sink(port: int) -> Iterator[Path]:
    folder = FOLDER / "sink"
    folder.mkdir()
    process = start_sink(port, folder)
    try:
        yield folder
    finally:
        end(process)


@contextmanager
def workers() -> Iterator[None]:
    processes = [start_worker() for _ in range(WORKERS)]
    try:
        yield
    finally:
        for process in processes:
            end(process)


def start_sink(port: int, folder: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, REPOSITORY / "bench" / "mail_sink.py", str(port), str(folder)])

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for(answers)
    return process


def start_worker() -> subprocess.Popen[bytes]:
    """One that works by itself, so that what is killed is what sends."""
    before = answering()
    name = f"bench{time.monotonic_ns()}@%h"
    command = [sys.executable, "-m", "celery", "-A", "ir_portal", "worker", "--pool", "solo", "-n", name, "-l", "ERROR"]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if before == 0:
        wait_for(lambda: answering() > 0)
    return process


def answering() -> int:
    """How many workers there are; none are heard of while the broker is away."""
    try:
        return len(current_app.control.ping(timeout=0.5) or [])
    except NO_BROKER:
        return 0


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(condition, seconds: float = 300) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise SystemExit("waited too long")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
