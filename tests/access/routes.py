"""Every named address of the portal, for tests that walk all of them."""

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver


def named_patterns(patterns: list[Any] | None = None) -> Iterator[URLPattern]:
    """The patterns with a name, the admin's left out."""
    for one in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(one, URLResolver):
            if one.namespace != "admin":
                yield from named_patterns(one.url_patterns)
        elif isinstance(one, URLPattern) and one.name:
            yield one


BY_NAME = {str(pattern.name): pattern for pattern in named_patterns()}
NAMES = sorted(BY_NAME)
