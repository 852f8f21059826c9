"""The outbox: what an operation announces is written with its change, and delivered afterwards."""

from runbooks.notifications.operations.announcing import announce, tell, working_in
from runbooks.notifications.operations.answering import acknowledge, withdraw
from runbooks.notifications.operations.delivering import deliver

__all__ = ["acknowledge", "announce", "deliver", "tell", "withdraw", "working_in"]
