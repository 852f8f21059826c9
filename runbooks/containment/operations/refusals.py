"""Why a step is refused: each says what is wrong and the mend."""

from collections.abc import Sequence

from runbooks.containment.models import Step
from runbooks.errors import DomainError

REASON_MAX = 400


class StepClosedError(DomainError):
    """The step is done or waived."""


class StepOpenError(DomainError):
    """The step is not closed, so there is nothing to reopen."""


class StepRunningError(DomainError):
    """The step is in progress, so it cannot be started."""


class CannotClaimError(DomainError):
    """Nobody, or somebody who is not in the incident, cannot have a step."""


class NotYourStepError(DomainError):
    """Somebody else has the step."""


class BlockedStepError(DomainError):
    """The step depends on others that are open. `numbers` names them."""

    def __init__(self, step: Step, waits_for: Sequence[Step]) -> None:
        self.numbers = [other.number for other in waits_for]
        named = " and ".join(f"{other.number} {other.title}" for other in waits_for)
        super().__init__(f"Step {step.number} waits for {named}. Complete or waive {_it(waits_for)} first.")


class EvidenceMissingError(DomainError):
    """The step requires evidence that is not there. `missing` holds the rules' labels."""

    def __init__(self, step: Step, missing: Sequence[str]) -> None:
        self.missing = list(missing)
        named = "; ".join(missing)
        super().__init__(f"Step {step.number} is not complete without its evidence. Add {_it(missing)}: {named}.")


class AccountsLeftError(DomainError):
    """The step is not done for every account yet. `left` counts them."""

    def __init__(self, step: Step, fact: str, left: int, total: int) -> None:
        self.left = left
        super().__init__(
            f"Step {step.number} is not done for {left:,} of {total:,} accounts: “{fact}” is not recorded for them. "
            "Record it, or give a reason for completing the step without them."
        )


class ReasonMissingError(DomainError):
    """A decision that others will ask about comes without its reason."""

    status = 400


class BadStepError(DomainError):
    """What was written about a step, or its evidence, cannot be kept as it is."""

    status = 400


def checked_reason(reason: str, purpose: str) -> str:
    """The reason, trimmed; refused when there is none or it is too long. `purpose` ends 'Say why ...'."""
    reason = reason.strip()
    if not reason:
        raise ReasonMissingError(f"Say why {purpose}: others will ask.")
    return short_enough(reason, "The reason", REASON_MAX)


def short_enough(text: str, name: str, longest: int) -> str:
    if len(text) > longest:
        raise BadStepError(f"{name} has {len(text):,} characters. Keep it to {longest:,}.")
    if "\0" in text:
        raise BadStepError(f"{name} holds a NUL character. Remove it.")
    return text


def _it(things: Sequence[object]) -> str:
    return "it" if len(things) == 1 else "them"
