"""Texts as an administrator changed them: a few words of Django's template language, and only what the event says.

Whoever edits a text decides what everybody reads under the portal's name, and nothing else: no tag but `if` is known,
no filter that could read more than its value, and no variable beside the event's own.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.template import Context, Engine, TemplateSyntaxError
from django.template.base import FilterExpression, Node, Template, TextNode, VariableNode
from django.template.base import VariableDoesNotExist as NoVariableError
from django.template.defaulttags import IfNode, TemplateLiteral
from django.template.loader import render_to_string

from runbooks.notifications.models import NoticeText

FILTERS: Final = frozenset({"lower", "upper", "pluralize", "default"})
FRAMES: Final = {"en-gb": "notifications/_edited.txt", "cy": "notifications/cy/_edited.txt"}


class BadTextError(ValueError):
    """The text cannot be used; the message says what in it and how to mend that."""


def rendered(event: str, language: str, values: Mapping[str, Any]) -> str | None:
    """The event's text as it was last edited, in the frame of every notice; None while it is as shipped."""
    edited = newest(event, language)
    if edited is None or not edited.body:
        return None
    return framed(edited.subject, edited.body, language, values)


def newest(event: str, language: str) -> NoticeText | None:
    return NoticeText.objects.filter(event=event, language=language).order_by("-version").first()


def framed(subject: str, body: str, language: str, values: Mapping[str, Any]) -> str:
    """Raises BadTextError where the text names what it may not."""
    said = {"edited_subject": filled(subject, values), "edited_body": filled(body, values)}
    return render_to_string(FRAMES[language], dict(values) | said)


def filled(text: str, values: Mapping[str, Any]) -> str:
    try:
        template = Engine(autoescape=False).from_string(text)
        check(template, frozenset(values))
        return template.render(Context(dict(values), autoescape=False))
    except TemplateSyntaxError as error:
        raise BadTextError(f"The text cannot be read: {error}.") from None
    except NoVariableError as error:
        raise BadTextError(f"The text names what the event does not say: {error}.") from None


def check(template: Template, names: frozenset[str]) -> None:
    """Raises BadTextError for a tag, a filter or a name beyond the few that are allowed."""
    for node in template.nodelist.get_nodes_by_type(Node):
        if isinstance(node, TextNode):
            continue
        if not isinstance(node, VariableNode | IfNode):
            word = getattr(getattr(node, "token", None), "contents", "?")
            raise BadTextError(f"{{% {word} %}} cannot be used here. Use names and {{% if %}}.")
        for expression in _expressions(node):
            _check_expression(expression, names)


def _expressions(node: VariableNode | IfNode) -> Iterator[FilterExpression]:
    if isinstance(node, VariableNode):
        yield node.filter_expression
        return
    for condition, _ in node.conditions_nodelists:
        yield from _operands(condition)


def _operands(condition: Any) -> Iterator[FilterExpression]:
    """The names in a condition; `and`, `or`, `not` and comparisons hold theirs in `first` and `second`."""
    if isinstance(condition, TemplateLiteral):
        expression: Any = condition.value
        yield expression
    for part in ("first", "second"):
        if (inner := getattr(condition, part, None)) is not None:
            yield from _operands(inner)


def _check_expression(expression: FilterExpression, names: frozenset[str]) -> None:
    variable = expression.var
    lookups = getattr(variable, "lookups", None)
    if lookups is not None and (len(lookups) > 1 or lookups[0] not in names):
        known = ", ".join(sorted(names))
        raise BadTextError(f"{{{{ {variable.var} }}}} is nothing this event says. It says: {known}.")
    for filter_function, _ in expression.filters:
        name = getattr(filter_function, "_filter_name", "")
        if name not in FILTERS:
            raise BadTextError(f"The filter {name or 'used'} cannot be used here. Use {', '.join(sorted(FILTERS))}.")
