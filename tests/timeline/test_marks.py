"""Every kind of entry that the code records has a mark of its own, whose icon there is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import runbooks
from runbooks.timeline.marks import BY_KIND, BY_LANE, mark_of
from runbooks.timeline.models import Lane

HOME = Path(runbooks.__file__).parent
# What builds an entry: which argument names its kind, and what stands before it.
BUILDERS = {"Entry": (0, ""), "action_entry": (1, "action."), "step_entry": (1, "step.")}
# Where the kind is not written out: the kinds that come about there, whose own place is elsewhere or named here.
TOLD = {
    "actions/operations/drafting.py": {"action.excluded", "action.taken_in", "action.resolved"},
    "actions/operations/locking.py": set[str](),
    "actions/operations/saying.py": {
        "action.account_changed", "action.account_asked", "action.account_failed", "action.account_unknown",
    },
    "affected_accounts/operations/selection.py": set[str](),
    "confirmations/operations/checking.py": {"holder.confirmed", "holder.differs"},
    "containment/operations/locking.py": set[str](),
    "exports/importing/lines.py": {"entry.imported"},
    "exports/operations/importing.py": {"entries.imported"},
    "exports/operations/redacting.py": {
        "redaction.requested", "redaction.refused", "redaction.withdrawn", "entry.redacted",
    },
    "room/operations/entries.py": {"entry.pinned", "entry.unpinned"},
    "subscriptions/operations/managing.py": {
        "subscription.made", "subscription.paused", "subscription.resumed", "subscription.secret_exchanged",
        "subscription.ended",
    },
}  # fmt: skip
# What people write goes by its lane: a decision is not to look like a remark.
BY_LANE_ALONE = {"entry.added"}


def kinds_named() -> Iterator[tuple[str, str | None]]:
    """(file, kind of an entry that is built there; None where it is not written out)"""
    for path in sorted(HOME.rglob("*.py")):
        source = path.read_text()
        if "timeline.operations import" not in source and "_entry" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in BUILDERS:
                continue
            place, before = BUILDERS[node.func.id]
            kind = node.args[place]
            said = f"{before}{kind.value}" if isinstance(kind, ast.Constant) else None
            yield str(path.relative_to(HOME)), said


def recorded() -> set[str]:
    return {kind for _, kind in kinds_named() if kind} | set[str]().union(*TOLD.values())


def test_each_kind_has_a_mark_and_each_mark_a_kind() -> None:
    kinds = recorded()
    assert len(kinds) > 60
    assert kinds - BY_LANE_ALONE == set(BY_KIND)


def test_where_a_kind_is_not_written_out_it_is_told_here() -> None:
    places = {path for path, kind in kinds_named() if kind is None and not path.startswith(("connectors", "directory"))}
    assert places == set(TOLD)
    for path, kinds in TOLD.items():
        there = "".join(one.read_text() for one in (HOME / path.split("/")[0]).rglob("*.py"))
        for kind in kinds:
            assert f'"{kind}"' in there or f'"{kind.partition(".")[2]}"' in there, (path, kind)


def test_each_icon_is_in_the_sprite_and_each_tone_in_the_style_sheet() -> None:
    sprite = set(re.findall(r'id="i-([a-z-]+)"', (HOME / "static/runbooks/icons.svg").read_text()))
    marks = [*BY_KIND.values(), *BY_LANE.values()]
    assert {icon for icon, _ in marks} <= sprite
    assert {tone for _, tone in marks} <= {"", "good", "wait", "bad", "held"}


def test_what_people_write_goes_by_its_lane() -> None:
    assert {mark_of("entry.added", lane)[0] for lane in Lane} == {"eye", "bolt", "decide", "comms", "note"}
