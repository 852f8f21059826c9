"""Which icon and tone an entry gets: by its kind where that says more, else by its lane."""

from runbooks.timeline.models import Lane

BY_KIND = {
    "incident.declared": ("decide", "held"),
    "incident.status_changed": ("decide", "held"),
    "step.completed": ("done", "good"),
    "step.waived": ("waived", ""),
    "step.reopened": ("undo", "wait"),
    "step.evidence_added": ("clip", ""),
    "action.drafted": ("note", ""),
    "action.previewed": ("eye", ""),
    "action.excluded": ("shield", ""),
    "action.taken_in": ("warn", "wait"),
    "action.resolved": ("note", ""),
    "action.requested": ("two", "wait"),
    "action.approved": ("done", "held"),
    "action.change_asked": ("amend", "wait"),
    "action.refused": ("ban", "bad"),
    "action.voided": ("ban", "wait"),
    "action.break_glass_used": ("warn", "bad"),
    "action.reviewed": ("done", "good"),
    "action.cancelled": ("ban", ""),
    "action.started": ("bolt", "held"),
    "action.paused": ("pause", "wait"),
    "action.resumed": ("bolt", ""),
    "action.retried": ("retry", ""),
    "action.account_failed": ("fail", "bad"),
    "action.account_unknown": ("warn", "wait"),
    "action.account_differs": ("warn", "bad"),
    "action.account_asked": ("user", ""),
    "action.finished": ("done", "held"),
    "action.verified": ("eye", "good"),
    "action.not_verified": ("warn", "wait"),
    "code.issued": ("key", ""),
    "text.ordered": ("sms", ""),
    "text.failed": ("fail", "bad"),
    "letters.printed": ("letter", ""),
    "holder.answered": ("comms", ""),
    "holder.confirmed": ("done", "good"),
    "holder.differs": ("warn", "bad"),
    "holder.not_verified": ("warn", "bad"),
    "holder.probed": ("warn", "bad"),
    "password.seen": ("eye", "wait"),
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
