"""A filter for log handlers that hides API keys."""

import logging
import os
import re
import traceback
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from luma_async._api.sansio.api_key import KEY_VARIABLES, Secret

_HIDDEN = r"\1[key]"
_CREDENTIALS = (
    # Whatever key, as of a function that returns another one each time.
    re.compile(r"(\bBearer\s+)[^\s\"',;)}\]]{8,}", re.IGNORECASE),
    # What makes the signed address of a video work, also within JSON and HTML.
    re.compile(
        r"((?:[?&]|&amp;|\\u0026)(?:x-(?:amz|goog)-[a-z-]+|signature|sig|token|policy)=)"
        r"[^&\s\"'<>)\\]+",
        re.IGNORECASE,
    ),
)


class KeyFilter(logging.Filter):
    """Hides API keys, and signatures of addresses, in log records.

    ::

        for handler in logging.getLogger().handlers:
            handler.addFilter(KeyFilter())

    The client logs neither. Others may: a program that logs its requests, a library that is set
    to DEBUG, a traceback that shows values. The filter goes to handlers, as a logger's own filter
    does not see what the loggers below it pass on. A record in which there is a key is changed for
    good, so that handlers that come later get it without the key as well: what held it becomes
    text, be it the arguments of the message, an exception with its traceback, or an object in
    ``extra``. Other records stay as they are.

    Keys in disguise, as in base64, are not recognized.

    Args:
        keys: The keys to hide, beside those in the variables that `LumaClient` reads, and
            beside what follows the word ``Bearer`` and looks like a key.

    Raises:
        ConfigurationError: One of them cannot be a key.
    """

    def __init__(self, *keys: str) -> None:
        super().__init__()
        found = (os.environ.get(name) for name in KEY_VARIABLES)
        secrets = [Secret(key) for key in (*keys, *filter(None, found))]
        # In addresses a key may be quoted.
        quoted = {quote(one.reveal(), safe) for one in secrets for safe in ("", "/")}
        self._secrets = [*secrets, *(Secret(key) for key in sorted(quoted))]

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the keys out of a record, and let it pass."""
        try:
            self._clean(record)
        except Exception as error:  # noqa: BLE001 - what cannot be searched is not to be shown
            record.msg, record.args = f"a line that cannot be shown: {type(error).__name__}", None
            record.exc_info = record.exc_text = record.stack_info = None
        return True

    def hide(self, text: str) -> str:
        """Take the keys out of a text, such as a line that was formatted already."""
        for credentials in _CREDENTIALS:
            text = credentials.sub(_HIDDEN, text)
        for secret in self._secrets:
            text = secret.redact(text)
        return text

    def _clean(self, record: logging.LogRecord) -> None:
        if not isinstance(record.msg, Mapping):
            shown = _message(record)
            if (hidden := self.hide(shown)) != shown:
                record.msg, record.args = hidden, None
        if record.exc_info:
            shown = "".join(traceback.format_exception(record.exc_info[1])).rstrip()
            if (hidden := self.hide(shown)) != shown:
                record.exc_text, record.exc_info = hidden, None
        for name, value in list(vars(record).items()):
            if name not in ("args", "exc_info"):
                setattr(record, name, self._hidden(value))

    def _hidden(self, value: Any) -> Any:
        """Return a value without keys; the very same if it shows none."""
        shown = value if isinstance(value, str) else f"{value!s} {value!r}"
        if self.hide(shown) == shown:
            return value
        if isinstance(value, Mapping):
            return {self._hidden(name): self._hidden(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._hidden(item) for item in value]
        return self.hide(str(value))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - `logging` complains on stderr of it, and shows the arguments
        return f"{record.msg} {record.args}"
