"""Which column of a file says what of an entry: guessed from the names and the tool, shown, corrected."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from runbooks.directory.columns import normalised

LABELS: Final = {
    "occurred_at": "When it happened, or its day",
    "time": "Time of the day",
    "zone": "Time zone or offset",
    "precision": "How exactly that is known",
    "summary": "What happened",
    "more": "More of what happened",
    "lane": "Kind of entry",
    "said_by": "Who says so",
}
NEEDED: Final = {"occurred_at": "the time it happened", "summary": "what happened"}


@dataclass(frozen=True, slots=True)
class Tool:
    """What files come from. `marks` are columns that only it writes; `columns` {normalised name: field}."""

    label: str
    marks: frozenset[str]
    columns: Mapping[str, str]
    day_order: str = ""


SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "occurred_at": (
        "occurredat", "datetime", "timestamp", "eventdate", "eventtime", "when", "date", "time", "utctime", "timeutc",
        "day", "ts", "timecreated", "createdat", "happenedat",
    ),
    "time": ("time", "timeofday", "hour"),
    "zone": ("timezone", "zone", "tz", "utcoffset", "offset", "eventtz"),
    "precision": ("occurredprecision", "precision"),
    "summary": (
        "summary", "message", "description", "desc", "event", "eventtitle", "title", "what", "whathappened", "text",
        "activity", "details", "detail", "note", "notes", "entry",
    ),
    "more": ("eventcontent", "content"),
    "lane": ("lane", "category", "eventcategory"),
    "said_by": ("actor", "who", "analyst", "author", "saidby", "reportedby", "by", "user"),
}  # fmt: skip
TOOLS: Final[Mapping[str, Tool]] = {
    "ir-portal": Tool(
        "IR Portal",
        frozenset({"sequence", "occurredat", "recordedat", "hash"}),
        {
            "occurredat": "occurred_at", "occurredprecision": "precision", "summary": "summary", "lane": "lane",
            "actor": "said_by",
        },
    ),
    "timesketch": Tool(
        "Timesketch", frozenset({"message", "datetime", "timestampdesc"}), {
            "datetime": "occurred_at", "message": "summary", "lane": "lane", "actor": "said_by",
        },
    ),
    "plaso": Tool(
        "plaso (l2tcsv)",
        frozenset({"macb", "sourcetype", "timezone", "desc"}),
        {"date": "occurred_at", "time": "time", "timezone": "zone", "desc": "summary"},
        day_order="mdy",
    ),
    "iris": Tool(
        "DFIR-IRIS",
        frozenset({"eventdate", "eventtitle"}),
        {
            "eventdate": "occurred_at", "eventtz": "zone", "eventtitle": "summary", "eventcontent": "more",
            "eventcategory": "lane",
        },
    ),
    "spreadsheet": Tool("Spreadsheet or another tool", frozenset(), {}),
}  # fmt: skip


def tool_of(columns: Iterable[str]) -> str:
    """The tool that writes such columns; a spreadsheet where nothing tells."""
    names = {normalised(column) for column in columns}
    return next((slug for slug, tool in TOOLS.items() if tool.marks and tool.marks <= names), "spreadsheet")


def guess(columns: list[str], tool: str) -> dict[str, str]:
    """{column: field, or "" where none is recognised}. No field is filled twice: the likelier name wins."""
    guessed = dict.fromkeys(columns, "")
    names = {normalised(column): column for column in reversed(columns)}
    if known := TOOLS[tool].columns:
        return guessed | {names[name]: field for name, field in known.items() if name in names}
    for field, synonyms in SYNONYMS.items():
        found = next((names[name] for name in synonyms if name in names and not guessed[names[name]]), None)
        if found is not None:
            guessed[found] = field
    return guessed


def problems(chosen: Mapping[str, str]) -> list[str]:
    """What keeps a mapping from being used; empty when it will do."""
    found: dict[str, list[str]] = {}
    for column, field in chosen.items():
        if field:
            found.setdefault(field, []).append(column)
    wrong = [f"There is no field {field!r}." for field in found if field not in LABELS]
    wrong += [
        f"{' and '.join(columns)} are both “{LABELS[field]}”. Keep one of them."
        for field, columns in found.items()
        if field in LABELS and len(columns) > 1
    ]
    return wrong + [f"No column says {what}. Choose it." for field, what in NEEDED.items() if field not in found]
