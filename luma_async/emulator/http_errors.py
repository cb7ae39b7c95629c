"""What the service says no to."""


class RefusalError(Exception):
    """A request that the service answers with an error instead of doing what it asks.

    `status` is the HTTP status, `message` the text for the caller. `retry_after` is the number of
    whole seconds that the answer asks the caller to wait, or None for an answer without that
    header. Nothing has been billed when this is raised.
    """

    def __init__(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after
