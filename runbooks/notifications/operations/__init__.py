"""The outbox: what an operation announces is written with its change, and delivered afterwards."""

from runbooks.notifications.operations.announcing import announce, tell, working_in
from runbooks.notifications.operations.answering import acknowledge, acknowledge_all, answer, withdraw
from runbooks.notifications.operations.delivering import deliver
from runbooks.notifications.operations.pulses import pulse

__all__ = ["acknowledge", "acknowledge_all", "announce", "answer", "deliver", "pulse", "tell", "withdraw", "working_in"]
