"""Switchboard: the admin of each slice."""

from runbooks.access import admin as access_admin

__all__ = ["access_admin"]
