"""Switchboard: the tasks of every slice."""

from runbooks.actions import tasks as actions
from runbooks.confirmations import tasks as confirmations
from runbooks.notifications import tasks as notifications

__all__ = ["actions", "confirmations", "notifications"]
