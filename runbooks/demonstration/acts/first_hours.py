"""The steps of triage, of the lock-down and of what was told in the first hours."""

from collections.abc import Iterator

from runbooks.containment.operations import NewStep
from runbooks.demonstration.stage import Cue, Stage
from runbooks.demonstration.work import Piece, Work, added, fingerprint, given, reopened, waived, work
from runbooks.timeline.models import TimelineEvent

EVIDENCE = "https://evidence.responders.example/ir"
# Networks that are kept free for documentation.
SOURCES = (
    *(f"192.0.2.{number}/27" for number in (0, 32, 96, 160)),
    *(f"198.51.100.{number}/27" for number in (0, 64, 128, 192)),
    *(f"203.0.113.{number}/26" for number in (0, 64, 128)),
    *(f"2001:db8:{number:x}::/48" for number in (0x17, 0x2A, 0x90)),
)


def cues() -> Iterator[Cue]:
    for told in (*TRIAGE, *LOCKDOWN, *TOLD):
        yield from work(told)
    yield reopened(
        "9:05",
        "security",
        "preserve-logs",
        "The mailbox access log has a gap of forty minutes. It is copied again from the second server.",
    )
    yield from work(
        Work(
            "preserve-logs",
            "security",
            pieces=(Piece("10:02", "log-copies", file="log-manifest-2.csv", table=_second_manifest),),
            done="10:04",
        )
    )
    yield given("0:21", "duty", "notify-authorities", "legal")
    yield added("2:10", "duty", RESERVE_ROOM)
    yield waived(
        "4:10",
        "duty",
        "added-move-the-service-desk-to-the-reserve-room",
        "The desk’s own room and telephones are not affected, and the reserve room has six lines instead of fourteen.",
    )
    yield waived(
        "2:40",
        "duty",
        "strip-admin-rights",
        "No account on the lists holds administrator or owner rights; compared with the directory’s roles. "
        "Taken up again if one does.",
    )


def _manifest(stage: Stage) -> list[list[str]]:
    logs = ("sign-in", "directory-audit", "mailbox-access", "vpn", "reverse-proxy")
    head = ["source", "hours", "offset_from_utc", "sha256"]
    return [head, *([log, "720", "+00:00", fingerprint(log, stage.cast.holders[0].login)] for log in logs)]


def _second_manifest(stage: Stage) -> list[list[str]]:
    head = ["source", "hours", "offset_from_utc", "sha256"]
    return [head, ["mailbox-access, second server", "720", "+00:00", fingerprint("second", stage.cast.picked.login)]]


def _first_list(stage: Stage) -> list[list[str]]:
    first = stage.cast.on(stage.cast.holders[0].wave)
    return [["login", "tier", "log_rows"], *([one.login, one.tier, str(3 + len(one.login) % 9)] for one in first)]


def _exclusions(stage: Stage) -> list[list[str]]:
    glass, service = "Break-glass account, tested every quarter", "A program signs in with it"
    kept = [row.login for row in stage.institution.kept]
    return [["login", "reason"], *([login, glass if login.startswith("break-glass") else service] for login in kept)]


def _before_state(stage: Stage) -> list[list[str]]:
    rows = stage.institution.rows
    enabled = sum(row.is_enabled for row in rows)
    return [
        ["what", "accounts", "sha256"],
        ["remote access on", str(enabled), fingerprint("on", len(rows))],
        ["remote access off before", str(len(rows) - enabled), fingerprint("off", len(rows))],
    ]


def _receipts(stage: Stage) -> list[list[str]]:
    size = len(stage.institution.rows) - len(stage.institution.kept)
    return [
        ["change", "accounts", "result", "receipt"],
        ["group remote-access emptied into remote-access-held", str(size), "accepted", fingerprint("group")[:16]],
        ["live sessions ended", str(round(size * 0.23)), "accepted", fingerprint("sessions")[:16]],
        ["live sessions ended, second try", "3", "accepted", fingerprint("again")[:16]],
    ]


def _rules(stage: Stage) -> list[list[str]]:
    return [["rule", "source", "ends"], *([f"gw-{n:03d}", net, "14 days"] for n, net in enumerate(SOURCES, start=1))]


def _exceptions(stage: Stage) -> list[list[str]]:
    return [
        ["exception", "owner", "limited_to", "ends"],
        ["scanners in the post room", "Estates", "10.40.0.0/24", "30 days"],
        ["alerts of the lift controls", "Estates", "10.41.7.0/28", "30 days"],
        ["payroll run", "Human resources", "one address", "7 days"],
    ]


TRIAGE = (
    Work(
        "assign-roles",
        "duty",
        begun="0:06",
        pieces=(
            Piece("0:18", "role-list", "All roles named and acknowledged on the bridge; the list is under People."),
            Piece("0:19", "channel-test", "Bridge on the reserve line: nine heard, the desk on a second try."),
        ),
        done="0:19",
    ),
    Work(
        "open-clock-register",
        "protection",
        begun="0:22",
        pieces=(
            Piece(
                "0:34",
                "awareness-record",
                "Candidates: the alarm, the declaration, the first mailbox seen opened. The two Houses and each member "
                "are controllers of their own. Kept open until the first mailbox is assessed; counsel asked.",
            ),
        ),
        done="0:35",
    ),
    Work(
        "preserve-logs",
        "security",
        begun="0:08",
        pieces=(Piece("0:29", "log-copies", "Five logs, thirty days each.", file="log-manifest.csv", table=_manifest),),
        done="0:30",
    ),
    Work(
        "confirm-attack",
        "security",
        begun="0:31",
        pieces=(
            Piece(
                "0:33",
                "detection-run",
                "First run over the sign-in log.",
                url=f"{EVIDENCE}/detection/1",
                dropped=(
                    "0:35",
                    "Run with the clock of the gateway one hour off: the pattern is right, the times are not.",
                ),
            ),
            Piece(
                "0:36",
                "detection-run",
                "Second run, times in UTC: more than fifteen accounts an address, at most four tries each, one every "
                "0.8 seconds. 180 addresses in 14 networks.",
                url=f"{EVIDENCE}/detection/2",
            ),
        ),
        done="0:37",
    ),
    Work(
        "build-account-list",
        "security",
        begun="0:38",
        pieces=(
            Piece(
                "0:49",
                "tiered-list",
                "First list; it grows as the log is read.",
                file="first-list.csv",
                table=_first_list,
            ),
        ),
        done="0:50",
    ),
)
LOCKDOWN = (
    Work(
        "decide-lockdown",
        "duty",
        begun="0:25",
        pieces=(
            Piece(
                "0:55",
                "decision",
                "Remote access to mail goes off for everyone while the list grows. Harm: members away from the estate "
                "are without mail until they come in or are called. Way back: in stages, first the accounts that "
                "passed every check. Looked at again in four hours. Approved by the duty and the deputy coordinator.",
            ),
        ),
        done="0:56",
    ),
    Work(
        "preflight-lockdown",
        "directory",
        begun="0:57",
        pieces=(
            Piece("1:06", "dry-run", "{restricted} of {size} accounts would change; the directory counts the same."),
            Piece("1:09", "exclusions", "{kept} accounts stay as they are.", file="exclusions.csv", table=_exclusions),
            Piece("1:13", "before-state", file="state-before.csv", table=_before_state),
        ),
        done="1:15",
    ),
    Work(
        "execute-lockdown",
        "directory",
        begun="1:20",
        pieces=(
            Piece("1:38", "receipts", "One group change, then sessions ended.", file="receipts.csv", table=_receipts),
        ),
        done="1:40",
    ),
    Work(
        "verify-lockdown",
        "directory",
        begun="1:42",
        pieces=(
            Piece(
                "1:55",
                "probes",
                "From a mobile network: webmail refused, telephone app refused, IMAP and authenticated SMTP refused. "
                "From a desk on site: mail works. Break-glass sign-in works. A test account was used throughout.",
            ),
        ),
        done="1:56",
    ),
    Work(
        "block-sources",
        "network",
        begun="0:45",
        pieces=(
            Piece(
                "1:59", "rules", "Fourteen rules, none touches an office or a carrier.", file="rules.csv", table=_rules
            ),
        ),
        done="2:01",
    ),
    Work(
        "block-legacy-authentication",
        "directory",
        begun="2:30",
        pieces=(
            Piece("3:50", "policy", "Policy LA-07, first in report-only mode.", url=f"{EVIDENCE}/policies/la-07"),
            Piece("4:20", "exceptions", file="legacy-exceptions.csv", table=_exceptions),
        ),
        done="4:25",
    ),
)
TOLD = (
    Work(
        "tell-users",
        "communications",
        begun="0:58",
        pieces=(
            Piece(
                "1:48",
                "message",
                "Version 2, read by both coordinators. Text message to the numbers on file and a notice at every "
                "entrance: remote mail is off, desks work, we call you, and we never ask for a password or a code.",
            ),
        ),
        done="1:50",
    ),
    Work(
        "notify-authorities",
        "legal",
        begun="0:24",
        pieces=(
            Piece("0:32", "reference", "National response team: NRT-4471, desk opened. Police: reference 0319/17."),
        ),
        done="0:33",
    ),
    Work(
        "publish-updates",
        "communications",
        begun="1:00",
        pieces=(
            Piece(
                "1:44",
                "statements",
                "Holding line, version 1. Approved by the duty coordinator and the legal adviser. No number in it.",
                url=f"{EVIDENCE}/statements/1",
            ),
        ),
        done="1:46",
    ),
    Work(
        "warn-of-callers",
        "communications",
        begun="2:20",
        pieces=(
            Piece("5:40", "script", "Script for the desk, version 3; warning to all, version 1, by text message."),
            Piece("6:05", "desk-acknowledged", "Read out at the desk’s change of shift, all eleven signed."),
        ),
        done="6:10",
    ),
)
RESERVE_ROOM = NewStep(
    title="Move the service desk to the reserve room",
    after="tell-users",
    role="desk",
    instruction="Should the desk’s telephones or sign-in fail, move to the reserve room with the printed call list.",
)


def declaration(stage: Stage) -> int:
    """The sequence of the entry that declared the incident."""
    return TimelineEvent.objects.get(incident_id=stage.incident_id, kind="incident.declared").sequence
