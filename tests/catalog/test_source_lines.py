"""Finding keys in TOML as people write it, not only as our own files do."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.catalog.source_lines import line_of, source_lines

TRICKY = """\
# [[steps]] in a comment
"quoted key" = 1 # a = 2
text = '''
[[steps]]
key = "not a key"
'''
quotes = \"\"\"a \\"\"\" [ { = # \"\"\"
a.b = [1, [2,
  3], { c = 4, d = [5] },
  # between
  6,
]

[one.two]
x = 1
[[steps]]
id = "first"
[[steps.evidence]]
key = "inner"
[[steps.evidence]]
key = "other"
[[steps]]
id = 'second'
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("quoted key",), 2),
        (("text",), 3),
        (("quotes",), 7),
        (("a", "b"), 8),
        (("a", "b", 0), 8),
        (("a", "b", 1), 8),
        (("a", "b", 2), 9),
        (("a", "b", 3), 11),
        (("one", "two"), 14),
        (("one", "two", "x"), 15),
        (("steps",), 16),
        (("steps", 0), 16),
        (("steps", 0, "id"), 17),
        (("steps", 0, "evidence", 0, "key"), 19),
        (("steps", 0, "evidence", 1), 20),
        (("steps", 0, "evidence", 1, "key"), 21),
        (("steps", 1), 22),
        (("steps", 1, "id"), 23),
    ],
)
def test_each_key_and_element_has_its_line(path: tuple[str | int, ...], line: int) -> None:
    tomllib.loads(TRICKY)
    assert source_lines(TRICKY)[path] == line


def test_strings_and_comments_hide_what_looks_like_keys() -> None:
    paths = source_lines(TRICKY)
    assert ("key",) not in paths
    assert max(path[1] for path in paths if path[0] == "steps" and len(path) > 1) == 1


def test_what_has_no_line_of_its_own_is_where_its_surroundings_are() -> None:
    lines = source_lines(TRICKY)
    assert line_of(lines, ("steps", 1, "title")) == 22
    assert line_of(lines, ("a", "b", 2, "c")) == 9
    assert line_of(lines, ("nowhere", "at", "all")) == 1


@given(st.lists(st.tuples(st.text("abc#[]{}=,'\\ \n", max_size=12), st.integers(0, 3)), min_size=1, max_size=8))
def test_keys_keep_their_lines_whatever_the_strings_between_them_hold(parts: list[tuple[str, int]]) -> None:
    lines, expected = [], {}
    for index, (content, blank) in enumerate(parts):
        lines += [""] * blank
        expected[(f"k{index}",)] = len("\n".join(lines).split("\n")) + 1 if lines else 1
        written = content.replace("\\", "\\\\").replace("'", "\\u0027")
        lines += f'k{index} = """\n{written}"""'.split("\n")
    text = "\n".join(lines)
    tomllib.loads(text)
    assert source_lines(text) == expected
