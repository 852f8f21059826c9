"""How a call outside fails."""


class OutboundError(Exception):
    """No answer to work with, and why. A permanent one is not tried again; `retry_after` is in seconds.

    `may_have_arrived`: the request may have been read over there, and whether it was done is not known. `is_timeout`:
    it took too long.
    """

    def __init__(
        self,
        reason: str,
        *,
        permanent: bool,
        retry_after: float | None = None,
        may_have_arrived: bool = False,
        is_timeout: bool = False,
    ) -> None:
        super().__init__(reason)
        self.permanent, self.retry_after = permanent, retry_after
        self.may_have_arrived, self.is_timeout = may_have_arrived, is_timeout
