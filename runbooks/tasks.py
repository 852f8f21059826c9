"""Switchboard: the tasks of every slice."""

from runbooks.actions import tasks as actions
from runbooks.notifications import tasks as notifications

__all__ = ["actions", "notifications"]
