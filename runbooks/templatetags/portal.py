"""The few tags every page uses: icons, bars, moments, Markdown."""

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import nh3
from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from runbooks import presentation

register = template.Library()
MARKDOWN = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
MARKDOWN_TAGS = {
    "p",
    "br",
    "strong",
    "em",
    "ul",
    "ol",
    "li",
    "code",
    "pre",
    "blockquote",
    "a",
    "h3",
    "h4",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}


def sprite() -> str:
    return static("runbooks/icons.svg")


@register.simple_tag
@lru_cache(maxsize=512)
def icon(name: str, tone: str = "") -> SafeString:
    """A mark from the sprite, hidden from screen readers: the word always stands beside it."""
    return format_html(
        '<svg class="i{}" aria-hidden="true"><use href="{}#i-{}"/></svg>', f" {tone}" if tone else "", sprite(), name
    )


@register.simple_tag
def bar(done: int, total: int, tone: str = "") -> SafeString:
    """A thin track filled in proportion. The numbers stand beside it, always."""
    share = 100 * done / total if total else 0
    return format_html(
        '<svg class="track{}" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rail" width="100" height="4"/><rect class="fill" width="{}" height="4"/></svg>',
        f" {tone}" if tone else "",
        f"{share:.2f}",
    )


@register.simple_tag(takes_context=True)
def moment(context: template.Context, value: datetime | None, zone: ZoneInfo | None = None) -> SafeString:
    """A <time> in the incident's zone, with the day when it is not today."""
    if value is None:
        return mark_safe("")
    zone = zone or _zone(context)
    now = context.get("now") or timezone.now()
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.astimezone(zone).isoformat(timespec="seconds"),
        presentation.full_clock(value, zone),
        presentation.clock(value, zone, now),
    )


def _zone(context: template.Context) -> ZoneInfo:
    room = context.get("room")
    if room is not None:
        zone: ZoneInfo = room.zone
        return zone
    return ZoneInfo(timezone.get_current_timezone_name())


@register.filter
def span(value: object) -> str:
    return presentation.span(value) if hasattr(value, "total_seconds") else ""  # type: ignore[arg-type]


@register.filter
def number(value: int) -> str:
    return presentation.number(value)


@register.filter
def plural(count: int, forms: str) -> str:
    """{{ n|plural:"account" }} or {{ n|plural:"entry,entries" }}: with the number before."""
    one, _, many = forms.partition(",")
    return presentation.plural(count, one, many)


@register.filter
def markdown(text: str) -> SafeString:
    """Markdown without raw HTML, and cleaned once more: instructions and notes come from people."""
    cleaned = nh3.clean(
        MARKDOWN.render(text), tags=MARKDOWN_TAGS, attributes={"a": {"href"}}, url_schemes={"http", "https"}
    )
    return mark_safe(cleaned)


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: object) -> str:
    """The page's query string with some parameters changed; None takes one out."""
    parameters = context["request"].GET.copy()
    for name, value in changes.items():
        parameters.pop(name, None)
        if value is not None:
            parameters[name] = str(value)
    encoded = parameters.urlencode()
    return f"?{encoded}" if encoded else "?"
