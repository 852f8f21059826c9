"""Domains, in one spelling."""

from collections.abc import Iterable


def ascii_domain(domain: str) -> str:
    """However it was written: case, trailing dot, accents or punycode."""
    domain = domain.strip().strip(".").casefold()
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


def is_inside(domain: str, others: Iterable[str]) -> bool:
    """Whether a domain is one of these, or part of one."""
    domain = ascii_domain(domain)
    known = (ascii_domain(other) for other in others)
    return any(other and (domain == other or domain.endswith(f".{other}")) for other in known)
