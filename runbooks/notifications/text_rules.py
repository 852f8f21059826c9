"""What an edited text may be: a little of Django's template language, and nothing a reader could not see.

Whoever edits a text decides what everybody reads under the portal's name, and nothing else: no tag but `if` is known,
no filter that could read more than its value, no name beside those the event says, no link, no invisible character.
The tags are looked at before anything is compiled, so that no other tag is ever run, not even its reading.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from django.template import Engine, TemplateSyntaxError
from django.template.base import FilterExpression, Lexer, Node, Template, TextNode, Token, TokenType, VariableNode
from django.template.defaulttags import IfNode, TemplateLiteral

from runbooks.notifications.shipped_texts import Wording
from runbooks.notifications.taming import LINK

FILTERS: Final = frozenset({"capfirst", "default", "lower", "pluralize", "upper"})
TAGS: Final = frozenset({"if", "elif", "else", "endif"})
SUBJECT_MAX: Final = 300
BODY_MAX: Final = 4000
# Python's own stack bounds how deep conditions can nest and how long one can be: far below that, wherever it is called.
TAG_MAX: Final = 200
DEPTH_MAX: Final = 4
LOOSE: Final = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}")
QUOTED: Final = re.compile(r'"[^"]*"|\'[^\']*\'')
# Controls, what is only there for programs, halves of characters, what nobody has assigned, other kinds of line ends.
UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class BadTextError(ValueError):
    """The text cannot be used; the message says what in it and how to mend that. `field` is the part it is in."""

    def __init__(self, message: str, field: str = "body") -> None:
        super().__init__(message)
        self.field = field


def tidied(wording: Wording) -> Wording:
    """As it is kept: one kind of line end, no space where nobody sees it."""
    lines = wording.body.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").split("\n")
    return Wording(wording.subject.strip(" \t"), "\n".join(line.rstrip(" ") for line in lines).strip("\n"))


def check_wording(wording: Wording, names: frozenset[str]) -> None:
    """Raises BadTextError for what cannot be kept, whatever it would say."""
    for field, text, most in (("subject", wording.subject, SUBJECT_MAX), ("body", wording.body, BODY_MAX)):
        try:
            _check(text, names, most, is_one_line=field == "subject")
        except BadTextError as error:
            raise BadTextError(str(error), field) from None


def compiled(text: str, names: frozenset[str]) -> Template:
    """Ready to be filled. Raises BadTextError for a tag, a filter or a name beyond the few that are allowed."""
    _check_tags(Lexer(text).tokenize())
    try:
        template = _engine().from_string(text)
    except TemplateSyntaxError as error:
        raise BadTextError(
            f"It cannot be read: {_short(str(error))}. Write {{{{ name }}}} or {{% if name %}}."
        ) from None
    for node in template.nodelist.get_nodes_by_type(Node):
        for expression in _expressions(node):
            _check_expression(expression, names)
    return template


def _check(text: str, names: frozenset[str], most: int, *, is_one_line: bool) -> None:
    if not text:
        raise BadTextError("Write something. To have it as shipped, go back to the shipped text.")
    if len(text) > most:
        raise BadTextError(f"It has {len(text):,} characters. Shorten it to {most:,}.")
    if is_one_line and len(text.splitlines()) > 1:
        raise BadTextError("Write it on one line.")
    _check_characters(text)
    compiled(text, names)
    _check_links(text)


def _check_characters(text: str) -> None:
    for number, line in enumerate(text.split("\n"), start=1):
        for mark in line:
            if unicodedata.category(mark) in UNSEEN:
                raise BadTextError(
                    f"Line {number} holds a character that nobody sees (U+{ord(mark):04X}). Type the line anew."
                )


def _check_tags(tokens: list[Token]) -> None:
    opened: list[int] = []
    for token in tokens:
        line, kind = token.lineno, token.token_type
        if kind == TokenType.TEXT:
            _check_loose(token)
            continue
        if kind == TokenType.COMMENT:
            raise BadTextError(f"Take the comment in line {line} out. Say why below, where it is kept.")
        if len(token.contents) > TAG_MAX:
            raise BadTextError(f"What stands in braces in line {line} is too long. Shorten it to {TAG_MAX} characters.")
        if kind == TokenType.BLOCK:
            _check_block(token, opened)
    if opened:
        raise BadTextError(f"The {{% if %}} in line {opened[-1]} has no end. Add {{% endif %}}.")


def _check_loose(token: Token) -> None:
    if loose := LOOSE.search(token.contents):
        line = (token.lineno or 1) + token.contents.count("\n", 0, loose.start())
        raise BadTextError(f"Line {line} has {loose[0]} alone. Write {{{{ name }}}} on one line, or take it out.")


def _check_block(token: Token, opened: list[int]) -> None:
    word, line = (token.contents.split() or [""])[0], token.lineno or 1
    if word not in TAGS:
        raise BadTextError(f"{{% {_short(word)} %}} cannot be used here. Use names in double braces and {{% if %}}.")
    if word == "if":
        opened.append(line)
        if len(opened) > DEPTH_MAX:
            raise BadTextError(f"Conditions stand {len(opened)} deep in line {line}. Use {DEPTH_MAX} at most.")
    elif not opened:
        raise BadTextError(f"The {{% {word} %}} in line {line} has no beginning. Add {{% if name %}} before it.")
    elif word == "endif":
        opened.pop()


def _expressions(node: Node) -> Iterator[FilterExpression]:
    if isinstance(node, VariableNode):
        yield node.filter_expression
    elif isinstance(node, IfNode):
        for condition, _ in node.conditions_nodelists:
            yield from _operands(condition)
    elif not isinstance(node, TextNode):
        raise BadTextError("Use names in double braces and {% if %}, and nothing else in braces.")


def _operands(condition: Any) -> Iterator[FilterExpression]:
    """The names in a condition; `and`, `or`, `not` and comparisons hold theirs in `first` and `second`."""
    if isinstance(condition, TemplateLiteral):
        expression: Any = condition.value
        yield expression
    for part in ("first", "second"):
        if (inner := getattr(condition, part, None)) is not None:
            yield from _operands(inner)


def _check_expression(expression: FilterExpression, names: frozenset[str]) -> None:
    _check_name(expression.var, names)
    for function, arguments in expression.filters:
        name = getattr(function, "_filter_name", "")
        if name not in FILTERS:
            raise BadTextError(f"|{_short(name)} cannot be used here. Use {', '.join(sorted(FILTERS))}, or none.")
        for is_variable, argument in arguments:
            if is_variable:
                _check_name(argument, names)


def _check_name(variable: Any, names: frozenset[str]) -> None:
    """A text in quotes or a number has no lookups; `a.b` has two, and would read what a value is made of."""
    lookups = getattr(variable, "lookups", None)
    if lookups is not None and (len(lookups) > 1 or lookups[0] not in names):
        known = ", ".join(sorted(names))
        raise BadTextError(f"{{{{ {_short(variable.var)} }}}} is nothing this notice knows. Use one of: {known}.")


def _check_links(text: str) -> None:
    """What would be one whichever way its conditions go: names are read as a word, and else as a gap.

    What only comes about as names are filled is taken apart then.
    """
    plain, constants = [], []
    for token in Lexer(text).tokenize():
        if token.token_type == TokenType.TEXT:
            plain.append(token.contents)
        else:
            plain.append("xx" if token.token_type == TokenType.VAR else " " * token.contents.startswith("el"))
            constants += [found.strip("\"'") for found in QUOTED.findall(token.contents)]
    words = [*"".join(plain).split(), *(word for constant in constants for word in constant.split())]
    if link := next((word for word in words if LINK.search(word)), None):
        raise BadTextError(
            f"“{_short(link)}” would be a link. Take it out: notices lead nowhere, since forged ones do. "
            "If it is none, put a space after the full stop."
        )


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:59]}…"


@cache
def _engine() -> Engine:
    """With what Django itself knows, and no way to any file."""
    return Engine(dirs=[], app_dirs=False, autoescape=False)
