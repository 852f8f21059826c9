"""Switchboard: the tasks of every slice."""

from runbooks.actions import tasks as actions
from runbooks.confirmations import tasks as confirmations
from runbooks.exports import tasks as exports
from runbooks.notifications import tasks as notifications
from runbooks.reminders import tasks as reminders
from runbooks.subscriptions import tasks as subscriptions

__all__ = ["actions", "confirmations", "exports", "notifications", "reminders", "subscriptions"]
