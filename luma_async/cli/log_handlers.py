"""Log records that are printed on stderr."""

import logging
from collections.abc import Generator
from contextlib import contextmanager

from luma_async.cli.output import note


class _NoteHandler(logging.Handler):
    """Prints messages."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one."""
        note(f"luma-async: {record.getMessage()}")


class _FailedPollHandler(logging.Handler):
    """Prints why a wait makes no progress: status requests fail, and are repeated.

    Each kind of failure is printed once; there may be one every few seconds.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._reported: set[tuple[object, object]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print the first one of each kind."""
        attributes = vars(record)
        if attributes.get("event.name") != "luma_async.poll.failed":
            return
        kind = attributes["error.type"].rpartition(".")[2]
        status = attributes.get("http.response.status_code")
        if (kind, status) not in self._reported:
            self._reported.add((kind, status))
            reason = kind if status is None else f"{kind}, HTTP {status}"
            note(f"luma-async: the status request failed ({reason}); still waiting")


@contextmanager
def log_handlers() -> Generator[None]:
    """Print critical records, warnings of a batch, and failed status requests.

    The commands report everything else, with a hint.
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
