"""How a call outside fails."""


class OutboundError(Exception):
    """No answer to work with, and why. A permanent one is not tried again; `retry_after` is in seconds.

    `may_have_arrived`: the request may have been read over there, and whether it was done is not known.
    """

    def __init__(
        self, reason: str, *, permanent: bool, retry_after: float | None = None, may_have_arrived: bool = False
    ) -> None:
        super().__init__(reason)
        self.permanent, self.retry_after, self.may_have_arrived = permanent, retry_after, may_have_arrived
