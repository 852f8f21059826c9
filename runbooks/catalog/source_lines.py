"""Where in a TOML file each key and each array element stands.

The standard library's parser gives values without positions. This scan runs after it, over text already known to
be valid TOML, so it only has to tell strings, comments and brackets apart.
"""

import re
from dataclasses import dataclass, field

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r'(?P<string>"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\])*"|\'[^\']*\')'
    r"|(?P<comment>\#[^\n]*)|(?P<mark>[\[\]{},=\n])|(?P<blank>[^\S\n]+)|(?P<bare>[^\s\[\]{},=\#\"']+)",
    re.DOTALL,
)
_KEY_PART = re.compile(r'"((?:\\.|[^"\\])*)"|\'([^\']*)\'|([A-Za-z0-9_-]+)')


@dataclass(slots=True)
class _Scan:
    lines: dict[Path, int] = field(default_factory=dict)
    table: Path = ()
    counts: dict[Path, int] = field(default_factory=dict)


def source_lines(text: str) -> dict[Path, int]:
    """The line, from 1, of every table header, key and array element: `("steps", 3, "depends_on", 0)`."""
    scan = _Scan()
    statement: list[tuple[str, int]] = []
    line = start = 1
    depth = 0
    for token in _TOKEN.finditer(text):
        kind, word = token.lastgroup, token.group()
        if kind == "mark" and word == "\n" and depth == 0:
            _read(scan, statement, start)
            statement = []
        elif kind in {"string", "bare"} or (kind == "mark" and word != "\n"):
            if not statement:
                start = line
            statement.append((word, line))
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(word, 0) if kind == "mark" else 0
        line += word.count("\n")
    _read(scan, statement, start)
    return scan.lines


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of that path, or of the nearest thing around it that has one."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 1


def _read(scan: _Scan, statement: list[tuple[str, int]], start: int) -> None:
    words = [word for word, _ in statement]
    if not words:
        return
    if words[0] == "[":
        _open_table(scan, _parts("".join(words).strip("[]")), start, is_array=words[1] == "[")
        return
    equals = words.index("=")
    path = (*scan.table, *_parts("".join(words[:equals])))
    scan.lines[path] = start
    if words[equals + 1] == "[":
        _read_elements(scan, path, statement[equals + 2 :])


def _open_table(scan: _Scan, names: tuple[str, ...], start: int, *, is_array: bool) -> None:
    """Follow a header from the root: a name that is an array of tables means its latest element."""
    path: Path = ()
    for position, name in enumerate(names):
        path = (*path, name)
        if is_array and position == len(names) - 1:
            scan.counts[path] = scan.counts.get(path, -1) + 1
        if path in scan.counts:
            path = (*path, scan.counts[path])
    scan.table = path
    scan.lines[path] = start
    if is_array:
        scan.lines.setdefault(path[:-1], start)


def _read_elements(scan: _Scan, path: Path, tokens: list[tuple[str, int]]) -> None:
    depth, index, expecting = 1, 0, True
    for word, line in tokens:
        if word in {"]", "}"}:
            depth -= 1
        elif depth == 1 and word == ",":
            expecting = True
            continue
        elif depth == 1 and expecting:
            scan.lines[(*path, index)] = line
            index, expecting = index + 1, False
        depth += word in {"[", "{"}


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(next(group for group in match.groups() if group is not None) for match in _KEY_PART.finditer(dotted))
