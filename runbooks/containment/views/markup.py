"""The rows of the checklist and the small pieces they repeat, escaped once and kept.

A template that spells them out for forty rows takes longer than the queries do.
"""

from functools import lru_cache
from html import escape
from typing import NamedTuple

from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

NOTHING = mark_safe("")


class Mark(NamedTuple):
    """Shape, hue and word of a state; never one without the others."""

    icon: str
    hue: str
    word: str


class Flag(NamedTuple):
    icon: str
    text: str
    tone: str = ""


class Action(NamedTuple):
    """The one thing a row offers: a link, or a button that posts to an address."""

    label: str
    address: str
    posts: bool = False


def row_markup(
    *,
    css: str,
    key: str,
    mark: Mark,
    number: str,
    address: str,
    title: str,
    is_expanded: bool,
    flags: SafeString,
    owner: SafeString,
    due: SafeString,
    action: SafeString,
) -> SafeString:
    """A step of the list, without its end tag: the one that is shown whole goes on in the template."""
    current = ' aria-current="true"' if is_expanded else ""
    # Not format_html, which takes three times as long: what is not escaped here is markup already.
    key, number, address, title = escape(key), escape(number), escape(address), escape(title)
    return mark_safe(
        f'<li class="step{css}" id="step-{key}"><span class="mark">{mark_markup(mark)}</span>'
        f'<span class="no">{number}</span><div class="t"><a href="{address}"{current}>{title}</a>{flags}</div>'
        f'<div class="own">{owner}</div><div class="due">{due}</div><div class="act">{action}</div>'
    )


@lru_cache(maxsize=64)
def mark_markup(mark: Mark) -> SafeString:
    return format_html('{}<span class="vh">{}</span>', _icon(mark.icon, mark.hue), mark.word)


def flags_markup(count: SafeString, flags: list[Flag]) -> SafeString:
    if not count and not flags:
        return NOTHING
    return mark_safe(f'<div class="flags">{count}{"".join(_flag(flag) for flag in flags)}</div>')


@lru_cache(maxsize=4096)
def _flag(flag: Flag) -> SafeString:
    return format_html("<span{}>{} {}</span>", _class(flag.tone), _icon(flag.icon), flag.text)


@lru_cache(maxsize=1024)
def count_markup(done: int, total: int) -> SafeString:
    """A bar with its numbers: 84 of 90."""
    share = f"{100 * done / total:.0f}" if total else "0"
    return format_html(
        '<span class="count-bar"><svg class="track" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rail" width="100" height="4"/><rect class="fill" width="{}" height="4"/></svg>{} of {}</span>',
        share,
        f"{done:,}",
        f"{total:,}",
    )


@lru_cache(maxsize=1024)
def two_lines(first: str, second: str, tone: str = "") -> SafeString:
    """Main words, and muted ones beneath them."""
    more = format_html(' <span class="muted">{}</span>', second) if second else NOTHING
    return format_html("<span{}>{}</span>{}", _class(tone), first, more)


def action_markup(action: Action | None, number: str) -> SafeString:
    if action is None:
        return NOTHING
    if action.posts:
        return format_html(
            '<button class="btn btn-sm" type="submit" form="row-action" formaction="{}">{}'
            '<span class="vh"> step {}</span></button>',
            action.address,
            action.label,
            number,
        )
    return format_html('<a class="btn btn-sm" href="{}">{} {}</a>', action.address, _icon("right"), action.label)


def hide_markup(address: str) -> SafeString:
    """The way back from the step that is shown whole."""
    return format_html('<a class="btn btn-sm" href="{}">{} Hide details</a>', address, _icon("x"))


@lru_cache(maxsize=256)
def _icon(name: str, hue: str = "") -> SafeString:
    sprite = static("runbooks/icons.svg")
    return format_html(
        '<svg class="i{}" aria-hidden="true"><use href="{}#i-{}"/></svg>', f" {hue}" if hue else "", sprite, name
    )


def _class(tone: str) -> SafeString:
    return format_html(' class="{}"', tone) if tone else NOTHING
