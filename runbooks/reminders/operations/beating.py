"""The heartbeat: an outside monitor hears that the watchdog lives and found all well, or what is wrong.

When the portal, its machine or its mail is gone, nothing in here can say so: somebody outside must miss it. The
address is HEARTBEAT_URL, as healthchecks.io and what is like it give one a check; docs/escalation.md.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings

from runbooks import outbound
from runbooks.reminders.queries.health import Fault

TIMEOUTS = outbound.Timeouts(connect=5, read=10, total=15)
MOST_BYTES = 64 * 1024


def beat(found: Sequence[Fault]) -> str:
    """Call the monitor, outside any transaction; how that went, in words. Empty where none is set up.

    The address is a secret: whoever knows it can say that all is well. No error names more of it than its host.
    """
    if not settings.HEARTBEAT_URL:
        return ""
    url = _failing(settings.HEARTBEAT_URL) if found else settings.HEARTBEAT_URL
    body = "\n".join(fault.sentence for fault in found)
    try:
        with outbound.client(timeout=TIMEOUTS, most_bytes=MOST_BYTES) as client:
            answer = client.post(url, content=body.encode()) if found else client.get(url)
    except outbound.OutboundError as error:
        return f"Not heard: {error}"
    host = urlsplit(url).hostname
    if answer.status_code >= 400:
        return f"Not heard: {host} answered {answer.status_code}."
    return f"{host} heard that something is wrong" if found else f"{host} heard that all is well"


def _failing(url: str) -> str:
    """The address with /fail at the end of its path."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))
