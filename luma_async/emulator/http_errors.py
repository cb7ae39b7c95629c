"""The error that a request is answered with."""

from http import HTTPStatus

_MESSAGES = {
    400: "Body validation error",
    403: "You've run out of credits. Top up the balance to go on.",
    429: "Too many requests",
    500: "Internal server error",
}


class HttpError(Exception):
    """Raised when the service answers a request with an error; nothing has been billed then.

    `status` is the HTTP status and `message` the text for the caller; by default it is the
    service's message for that status. `retry_after` is the value of the `Retry-After` header in
    whole seconds; None omits the header.
    """

    def __init__(self, status: int, message: str = "", *, retry_after: int | None = None) -> None:
        self.status = status
        self.message: str = message or _MESSAGES.get(status) or reason_phrase(status)
        self.retry_after = retry_after
        super().__init__(self.message)


def reason_phrase(status: int) -> str:
    """Return the standard reason phrase of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
