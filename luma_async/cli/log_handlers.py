"""Lines of the log that a person at a terminal is to see."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

from luma_async.cli.output import note


class _NoteHandler(logging.Handler):
    """Prints lines as they are."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one."""
        note(f"luma-async: {record.getMessage()}")


class _FailedPollHandler(logging.Handler):
    """Tells that the service gives no answer, as a wait goes on all the same.

    Each kind of failure is told once, as there may be one every few seconds.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._told: set[tuple[object, object]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print the first one of each kind."""
        attributes = vars(record)
        if attributes.get("event.name") != "luma_async.poll.failed":
            return
        kind = attributes["error.type"].rpartition(".")[2]
        status = attributes.get("http.response.status_code")
        if (kind, status) not in self._told:
            self._told.add((kind, status))
            told = kind if status is None else f"{kind}, HTTP {status}"
            note(f"luma-async: the service does not say how far it is ({told}); still waiting")


@contextmanager
def log_handlers() -> Generator[None]:
    """Print what may be lost otherwise, what keeps a batch from sending, and failed polls.

    The rest is told by the commands, with what to do about it.
    """
    client, batch = logging.getLogger("luma_async"), logging.getLogger("luma_async.batch")
    handlers = (
        (client, _NoteHandler(logging.CRITICAL)),
        (client, _FailedPollHandler()),
        (batch, _NoteHandler(logging.WARNING)),
    )
    for logger, handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger, handler in handlers:
            logger.removeHandler(handler)
