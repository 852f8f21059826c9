"""The bar of a running action: done, failed (hatched), left (empty). The numbers stand beside it, always."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

LEAST_SHARE = 0.8
"""Per cent. A single failure among nine thousand is still to be seen."""
BAR = (
    '<svg class="job-bar{slim}" role="progressbar" aria-label="{label}" aria-valuemin="0" aria-valuemax="{total}"'
    ' aria-valuenow="{good}" aria-valuetext="{said}" width="100%" height="{height}">'
    '<defs><pattern id="{key}" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect class="stripe" width="3" height="5"/></pattern></defs>'
    '<rect class="rail" width="100%" height="{height}"/><rect class="done" width="{done}%" height="{height}"/>'
    '<rect x="{from_bad}%" width="{bad}%" height="{height}" fill="url(#{key})"/>'
    '<rect class="edge" x="{from_bad}%" width="{bad}%" height="{height}"/>'
    '<rect class="given" x="{from_given}%" width="{given}%" height="{height}"/></svg>'
)


def job_bar(
    *, key: str, label: str, said: str, good: int, bad: int, pending: int, total: int, slim: bool = False
) -> SafeString:
    """`key` is the bar's own on the page, `said` what it shows in words. Shares are in per cent of `total`."""
    failed = max(100 * bad / total, LEAST_SHARE) if total and bad else 0.0
    done = min(100 * good / total, 100 - failed) if total else 0.0
    given = min(100 * pending / total, 100 - failed - done) if total else 0.0
    return format_html(
        BAR,
        key=key,
        label=label,
        said=said,
        good=good,
        total=total,
        slim=" slim" if slim else "",
        height=4 if slim else 10,
        done=f"{done:.2f}",
        from_bad=f"{done:.2f}",
        bad=f"{failed:.2f}",
        from_given=f"{done + failed:.2f}",
        given=f"{given:.2f}",
    )
