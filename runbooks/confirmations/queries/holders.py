"""What a holder's pages show of what was kept."""

from runbooks.confirmations.models import Confirmation


def confirmation_of(code_id: int) -> Confirmation | None:
    """What the holder answered with this code."""
    return Confirmation.objects.filter(code=code_id).only("receipt", "answer", "answered_at").first()
