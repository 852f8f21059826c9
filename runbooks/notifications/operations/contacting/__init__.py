"""What a person says of how the portal reaches them: points, codes, rules, quiet hours, tests. Always their own."""

from runbooks.notifications.operations.contacting.codes import ask_for_code, enter_code
from runbooks.notifications.operations.contacting.points import add_point, end_point, restore_point
from runbooks.notifications.operations.contacting.preferences import Preferences, set_preferences
from runbooks.notifications.operations.contacting.rules import Line, drop_rule, set_rule
from runbooks.notifications.operations.contacting.sending import send_codes
from runbooks.notifications.operations.contacting.testing import send_test

__all__ = [
    "Line",
    "Preferences",
    "add_point",
    "ask_for_code",
    "drop_rule",
    "end_point",
    "enter_code",
    "restore_point",
    "send_codes",
    "send_test",
    "set_preferences",
    "set_rule",
]
