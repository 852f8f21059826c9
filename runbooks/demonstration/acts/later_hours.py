"""The steps that go on account by account, and those of the second day: some done, some late, some not begun."""

from collections.abc import Iterator

from runbooks.containment.operations import NewStep
from runbooks.demonstration.acts.first_hours import EVIDENCE
from runbooks.demonstration.stage import Cue, Stage
from runbooks.demonstration.work import Piece, Work, added, fingerprint, given, work

AFTERWARDS = "Lists that come later are worked as they come; the facts stand on each account."


def cues() -> Iterator[Cue]:
    for told in (*CONTAINING, *HOLDERS, *AFTER):
        yield from work(told)
    yield added("22:45", "duty", SITUATION_REPORT, due="26:53")
    yield given("26:10", "duty", "added-situation-report-to-both-houses", "communications")
    yield from work(Work("added-situation-report-to-both-houses", "communications", begun="26:12"))
    yield added("25:20", "duty", NEWEST_LISTS, due="26:13")
    yield given("25:21", "duty", "added-contain-the-accounts-of-lists-11-and-12", "directory")
    yield from work(Work("added-contain-the-accounts-of-lists-11-and-12", "directory", begun="25:24"))
    yield added("25:50", "duty", SECOND_STAGE, due="27:05")
    yield given("23:12", "duty", "determine-controllers", "protection")


def _copies(stage: Stage) -> list[list[str]]:
    logins = sorted(holder.login for holder in stage.cast.holders if holder.place >= 0 and holder.wave.number < 10)
    return [
        ["login", "items", "sha256"],
        *([login, str(len(login) % 7), fingerprint("copy", login)] for login in logins),
    ]


def _differences(stage: Stage) -> list[list[str]]:
    return [
        ["what", "mailboxes"],
        ["rules removed", "8"],
        ["of them hidden", "4"],
        ["forwarding switched off", "2"],
        ["delegates removed", "1"],
        ["nothing to remove", "71"],
    ]


def _hunt(stage: Stage) -> list[list[str]]:
    return [
        ["line", "result"],
        ["application consents of the last 30 days", "three withdrawn"],
        ["new credentials on applications", "none"],
        ["mail-flow rules", "unchanged since spring"],
        ["second factors registered in the attack", "two removed"],
        ["accounts in the same offices", "looked at, two added to a list"],
        ["directory roles given in the attack", "none"],
    ]


CONTAINING = (
    Work(
        "disable-sign-in",
        "directory",
        begun="0:52",
        pieces=(
            Piece("1:12", "", "Disabled alone, without a reset in the same request, as the runbook says."),
            Piece(
                "12:36",
                "read-back",
                "Every account on the lists so far reads “disabled”.",
                url=f"{EVIDENCE}/read-back/1",
            ),
        ),
        done="12:40",
    ),
    Work(
        "revoke-sessions",
        "directory",
        begun="0:56",
        pieces=(
            Piece(
                "12:41", "valid-from", f"All sessions valid only from after the revocation, none listed. {AFTERWARDS}"
            ),
        ),
        done="12:43",
    ),
    Work(
        "snapshot-mailbox",
        "mail",
        begun="0:58",
        pieces=(
            Piece("12:44", "snapshot", file="mailbox-copies.csv", table=_copies),
            Piece("12:45", "hold", "Hold IR set on every mailbox of the lists; purging is refused."),
        ),
        done="12:47",
    ),
    Work(
        "reset-password",
        "directory",
        begun="1:00",
        pieces=(
            Piece("12:50", "changed-at", f"Time of the change read for each account. {AFTERWARDS}"),
            Piece(
                "12:51",
                "still-disabled",
                "Read again after the reset: all disabled. Two had lost the lock and were locked again.",
            ),
        ),
        done="12:52",
    ),
    Work(
        "remove-mailbox-rules",
        "mail",
        begun="1:05",
        pieces=(Piece("12:55", "difference", AFTERWARDS, file="differences.csv", table=_differences),),
        done="12:57",
    ),
    Work(
        "revoke-consents",
        "directory",
        begun="4:50",
        pieces=(
            Piece(
                "13:02",
                "consents",
                "Three consents withdrawn, eleven app passwords ended; lists before and after.",
                url=f"{EVIDENCE}/consents",
            ),
        ),
        done="13:04",
    ),
    Work(
        "remove-unknown-factors",
        "directory",
        begun="5:10",
        pieces=(
            Piece(
                "13:07",
                "methods",
                "Two removed: a telephone number and a device. Holders will register again at the desk.",
            ),
        ),
        done="13:08",
    ),
)
HOLDERS = (
    Work(
        "reach-holder",
        "desk",
        begun="2:00",
        pieces=(
            Piece(
                "12:22",
                "attempts",
                "Every try is logged on its account. Numbers from the HR file and the offices’ lists only.",
            ),
        ),
    ),
    Work("confirm-holder", "desk", begun="3:00"),
    Work("interview-holder", "desk", begun="4:30"),
)
AFTER = (
    Work(
        "hunt-persistence",
        "security",
        begun="3:30",
        pieces=(Piece("22:50", "hunt-checklist", "All lines done.", file="hunt-checklist.csv", table=_hunt),),
        done="22:52",
    ),
    Work(
        "replace-weak-passwords",
        "directory",
        begun="5:30",
        pieces=(
            Piece(
                "23:45",
                "waves",
                "First wave, those who run systems and the members’ offices: changed at the desks, no lock-outs.",
            ),
        ),
    ),
    Work("assess-data-access", "security", begun="6:30"),
    Work("notify-regulator", "protection", claimed="1:32"),
    Work(
        "re-enable-accounts",
        "directory",
        begun="23:55",
        pieces=(
            Piece(
                "24:02",
                "gate",
                "Gate report of the first eight: every condition with its time and source.",
                url=f"{EVIDENCE}/gate/1",
            ),
        ),
    ),
)
SITUATION_REPORT = NewStep(
    title="Situation report to both Houses",
    after="publish-updates",
    role="communications",
    instruction="Figures from the overview with their time, nothing else. Both coordinators read it before it goes.",
    evidence=("Report as sent, with its version",),
    two_person=True,
)
NEWEST_LISTS = NewStep(
    title="Contain the accounts of lists 11 and 12",
    after="strip-admin-rights",
    role="identity",
    instruction="Account by account, by the steps from disabling to the second read-back.",
    depends_on=("build-account-list",),
    evidence=("Read-back for each account",),
)
SECOND_STAGE = NewStep(
    title="Decide whether the second stage may open",
    after="re-enable-accounts",
    role="lead",
    instruction="Holders with two-step sign-in are next. It opens when the first stage was quiet for two hours.",
    evidence=("Decision, with the two who made it",),
    two_person=True,
)
