"""Where the key comes from, asked anew for each request so that it can be exchanged."""

import inspect
from collections.abc import Awaitable, Callable

from luma_async._sansio.secret import Secret
from luma_async.errors import ConfigurationError

KeySource = str | Callable[[], str] | Callable[[], Awaitable[str]]


class Keyring:
    """Holds a key, or the caller's function that returns one."""

    def __init__(self, source: KeySource) -> None:
        """Check a key that is given as text at once.

        Raises:
            ConfigurationError: It cannot be a key.
        """
        self._source = source if callable(source) else Secret(source)

    async def key(self) -> Secret:
        """Return the key for one request.

        Raises:
            ConfigurationError: The caller's function failed, or returned what cannot be a key.
        """
        if isinstance(self._source, Secret):
            return self._source
        try:
            value = self._source()
            if inspect.isawaitable(value):
                value = await value
        except Exception as error:
            raise ConfigurationError(
                f"the function that gives the API key failed: {type(error).__name__}"
            ) from error
        return Secret(value)
