"""Switchboard: the tasks of every slice."""

from runbooks.notifications import tasks as notifications

__all__ = ["notifications"]
