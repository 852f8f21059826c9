"""Every refusal of the domain is a DomainError, named beside the operation that raises it."""


class DomainError(Exception):
    """Says what is wrong and how to mend it. Pages show it, the API answers 409, commands print it and exit 1."""

    status = 409


class NotFoundError(DomainError):
    """The thing is not there, or is not this person's to see; the two look the same from outside."""

    status = 404


class NotAllowedError(DomainError):
    """The person is known and may see this, but their role may not do it."""

    status = 403
