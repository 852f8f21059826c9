"""Which icon and tone an entry gets: by its kind where that says more, else by its lane."""

from runbooks.timeline.models import Lane

BY_KIND = {
    "incident.declared": ("decide", "held"),
    "incident.status_changed": ("decide", "held"),
    "step.completed": ("done", "good"),
    "step.waived": ("waived", ""),
    "step.reopened": ("undo", "wait"),
    "step.evidence_added": ("clip", ""),
    "contact.logged": ("phone", ""),
    "entry.corrected": ("amend", ""),
    "entry.pinned": ("pin", ""),
    "entry.unpinned": ("pin", ""),
}
BY_LANE = {
    Lane.DETECTION: ("eye", ""),
    Lane.ACTION: ("bolt", ""),
    Lane.DECISION: ("decide", ""),
    Lane.CONTACT: ("comms", ""),
    Lane.NOTE: ("note", ""),
}


def mark_of(kind: str, lane: str) -> tuple[str, str]:
    """(icon of the sprite, tone: bad, wait, held, good or empty)"""
    return BY_KIND.get(kind) or BY_LANE[Lane(lane)]
