"""Which entries a subscription asks for: all, or those of some kinds."""

from collections.abc import Iterable, Sequence
from typing import Final

from runbooks.timeline.marks import BY_KIND

# What people write by hand has no mark of its own.
KNOWN: Final = frozenset(BY_KIND) | {"entry.added"}
LABELS: Final = {
    "account": "Affected accounts",
    "action": "Actions on accounts",
    "affected_list": "Lists of affected accounts",
    "code": "Codes for holders",
    "entries": "Imported entries",
    "entry": "Entries people write, correct or pin",
    "escalation": "Calls that nobody answered",
    "export": "Exports",
    "file": "Files",
    "holder": "Holders who confirm",
    "incident": "The incident itself: declared, edited, its status",
    "letters": "Letters to holders",
    "member": "People of the incident",
    "notice": "Notices",
    "password": "Passwords seen to change",
    "redaction": "Redactions",
    "role": "Roles",
    "step": "Steps of the runbook",
    "subscription": "Subscriptions",
    "text": "Text messages to holders",
}


def matches(asked: Sequence[str], kind: str) -> bool:
    """Whether an entry of this kind is asked for: by its whole name, by its first word, or because all are."""
    return not asked or any(kind == one or kind.startswith(f"{one}.") for one in asked)


def groups() -> list[tuple[str, str, list[str]]]:
    """(first word, label, its kinds) of every kind there is, by label."""
    found: dict[str, list[str]] = {}
    for kind in sorted(KNOWN):
        found.setdefault(kind.partition(".")[0], []).append(kind)
    return sorted(((word, label_of(word), kinds) for word, kinds in found.items()), key=lambda one: one[1].lower())


def label_of(word: str) -> str:
    return LABELS.get(word) or word.replace("_", " ").capitalize()


def unknown(asked: Iterable[str]) -> list[str]:
    """What is neither a kind nor the first word of one."""
    words = {kind.partition(".")[0] for kind in KNOWN}
    return [one for one in asked if one not in KNOWN and one not in words]


def in_words(asked: Sequence[str]) -> str:
    """All entries; or Actions on accounts, step.completed."""
    return ", ".join(one if "." in one else label_of(one) for one in asked) or "All entries"
