"""One line of a timeline as HTML.

Not a template: on a page of 50 lines the template engine, and even format_html, takes longer than everything else
together. So what anybody wrote is escaped here, once, by `_escaped`; the rest is made of numbers and of our own words.
"""

import html
from functools import lru_cache

from django.templatetags.static import static
from django.utils.safestring import SafeString, mark_safe

from runbooks.timeline.lines import TAKEN_OUT, Line

WRITTEN = ("summary", "by", "label", "kind", "step", "corrected_to")
ENTRY = (
    '<li class="entry%(state)s" id="e%(sequence)d" data-entry="%(sequence)d">'
    '<p class="time"><time datetime="%(iso)s" title="%(full)s">%(time)s</time>%(beside)s</p>'
    '<span class="kind"%(tone)s>%(mark)s<span class="vh">%(label)s%(key)s</span></span>'
    '<div class="body">%(body)s</div>'
    '<p class="seq"><a href="%(base)s%(sequence)d/">%(numbers)s</a>%(hash)s</p></li>\n'
)
BURST = '<p>%s <a class="no-print" href="%s?burst=%d">Unfold<span class="vh"> %s</span></a></p>'
META = '<p class="meta"><a class="what" href="%s?kind=%s">%s</a><span>%s</span>%s%s</p>'
CORRECTED = (
    '<p>%s<del>%s</del></p><p class="fix">Corrected by <a href="%s%d/">#%d</a> at %s: %s '
    '<span class="muted">The first text is kept.</span></p>'
)
GONE = f'<p>%s<span class="muted">{TAKEN_OUT}</span></p>'
GONE_BY = '<p class="fix">By <a href="%s%d/">#%d</a> at %s.</p>'
KEY_MAX = 90
KEY_EVENT = '<li><span class="muted tiny">%s</span><a href="%s%d/">%s</a></li>'
RECORDED = '<span class="rec"><span class="vh">Event time. </span>recorded %s<br>%s later</span>'
ICON = '<svg class="i%s" aria-hidden="true"><use href="%s#i-%s"/></svg>'


def entry_html(line: Line, base: str) -> SafeString:
    """A list item; `base` is the address of the incident's timeline."""
    said = _escaped(line)
    parts: dict[str, object] = {
        "sequence": line.sequence,
        "base": base,
        "state": " bundle" if line.is_burst else " key" if line.is_pinned else "",
        "iso": line.iso,
        "full": line.full,
        "time": line.time or "–",
        "beside": _beside(line),
        "label": said["label"],
        "numbers": line.numbers,
        "tone": f' data-tone="{line.tone}"' if line.tone else "",
        "mark": _icon(line.icon),
        "key": ", key event" if line.is_pinned else "",
        "body": BURST % (said["summary"], base, line.sequence, line.numbers)
        if line.is_burst
        else _body(line, said, base),
        "hash": "" if line.is_burst else f'<span class="print-only">{line.hash}</span>',
    }
    return mark_safe(ENTRY % parts)


def key_event_html(sequence: int, time: str, summary: str, base: str) -> SafeString:
    """A line of the key events, which says how the entry begins; `base` is the address of the incident's timeline."""
    said = summary if len(summary) <= KEY_MAX else f"{summary[: KEY_MAX - 3].rsplit(' ', 1)[0]} ..."
    said = said or TAKEN_OUT
    return mark_safe(KEY_EVENT % (time, base, sequence, html.escape(said)))


def _escaped(line: Line) -> dict[str, str]:
    """What people or machines wrote, safe to stand in an element and in a quoted attribute."""
    return {name: html.escape(text) if (text := getattr(line, name)) else "" for name in WRITTEN}


def _beside(line: Line) -> str:
    """Beside the time: where a run ended, how exactly it is known, when it was written down."""
    until = f'<span class="until">to {line.until}</span>' if line.until else ""
    rough = f'<span class="rough">{line.rough}</span>' if line.rough else ""
    recorded = RECORDED % (line.recorded, line.later) if line.recorded else ""
    return until + rough + recorded


def _body(line: Line, said: dict[str, str], base: str) -> str:
    pin = _icon("pin", " pin") + " " if line.is_pinned else ""
    text = f"<p>{pin}{said['summary']}</p>"
    by = line.corrected_by
    if not line.summary:
        text = GONE % pin + ("" if by is None else GONE_BY % (base, by, by, line.corrected_at))
    elif by is not None:
        after = said["corrected_to"] or TAKEN_OUT
        text = CORRECTED % (pin, said["summary"], base, by, by, line.corrected_at, after)
    step = f'<a href="{base}?step={said["step"]}">Step {said["step"]}</a>' if said["step"] else ""
    corrects = ""
    if line.corrects is not None:
        verb = "Takes out" if line.kind == "entry.redacted" else "Corrects"
        corrects = f'<span>{verb} <a href="{base}{line.corrects}/">#{line.corrects}</a></span>'
    return text + META % (base, said["kind"], said["label"], said["by"], step, corrects)


@lru_cache(maxsize=64)
def _icon(name: str, more: str = "") -> str:
    return ICON % (more, static("runbooks/icons.svg"), name)
