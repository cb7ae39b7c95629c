"""A filter for log handlers that hides keys, whoever writes them."""

import logging
import os
import re
import traceback
from typing import Any

from luma_async._sansio.secret import KEY_VARIABLES, Secret

_HIDDEN = r"\1[key]"
_CREDENTIALS = (
    # Whatever key, as of a function that returns another one each time.
    re.compile(r"(\bBearer\s+)[^\s\"',;)}\]]+", re.IGNORECASE),
    # What makes the signed address of a video work.
    re.compile(r"([?&](?:x-amz-[a-z-]+|signature|sig|token|policy)=)[^&\s\"'<>)]+", re.IGNORECASE),
)


class KeyFilter(logging.Filter):
    """Hides API keys, and signatures of addresses, in log records.

    ::

        for handler in logging.getLogger().handlers:
            handler.addFilter(KeyFilter())

    The client logs neither. Others may: a program that logs its requests, a library that is set
    to DEBUG, a traceback that shows values. The filter goes to handlers, as a logger's own filter
    does not see what the loggers below it pass on. It changes a record for good, so that handlers
    that come later get it without the key as well. An exception in whose traceback a key was found
    becomes text.

    Args:
        keys: The keys to hide, beside those in the variables that `LumaClient` reads, and
            beside whatever follows the word ``Bearer``.

    Raises:
        ConfigurationError: One of them cannot be a key.
    """

    def __init__(self, *keys: str) -> None:
        super().__init__()
        found = (os.environ.get(name) for name in KEY_VARIABLES)
        self._secrets = [Secret(key) for key in (*keys, *filter(None, found))]

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the keys out of a record, and let it pass."""
        if isinstance(record.msg, str):
            record.msg, record.args = _message(record), None
        if record.exc_info:
            shown = "".join(traceback.format_exception(record.exc_info[1])).rstrip()
            if (hidden := self._hide(shown)) != shown:
                record.exc_text, record.exc_info = hidden, None
        for name, value in vars(record).items():
            setattr(record, name, self._hide(value))
        return True

    def _hide(self, value: Any) -> Any:
        """Return a value without keys, and as it was if there are none."""
        if isinstance(value, str):
            for credentials in _CREDENTIALS:
                value = credentials.sub(_HIDDEN, value)
            for secret in self._secrets:
                value = secret.scrub(value)
        elif isinstance(value, dict):
            return {name: self._hide(inner) for name, inner in value.items()}
        elif isinstance(value, (list, tuple)) and type(value) in (list, tuple):
            return type(value)(self._hide(inner) for inner in value)
        return value


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        # `logging` would complain on stderr, and show the arguments.
        return f"{record.msg} {record.args}"
