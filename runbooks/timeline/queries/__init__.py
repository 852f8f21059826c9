"""Reading a timeline: a page of it, one entry, how many there were when."""

from runbooks.timeline.queries.entries import KeyEvent, after, corrections, entry, hour_counts, key_events
from runbooks.timeline.queries.filtering import Filter
from runbooks.timeline.queries.page import PAGE, Cursor, Page, Row, new_entries, page

__all__ = [
    "PAGE",
    "Cursor",
    "Filter",
    "KeyEvent",
    "Page",
    "Row",
    "after",
    "corrections",
    "entry",
    "hour_counts",
    "key_events",
    "new_entries",
    "page",
]
