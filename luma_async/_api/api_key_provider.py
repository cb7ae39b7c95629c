"""Where the key comes from: asked for each request, as keys may be exchanged."""

import inspect
from collections.abc import Awaitable, Callable

import anyio

from luma_async._api.sansio.api_key import Secret
from luma_async.errors import ConfigurationError, ConnectError

ApiKeySource = str | Callable[[], str] | Callable[[], Awaitable[str]]


class ApiKeyProvider:
    """Holds a key, or the caller's function that returns one."""

    def __init__(self, source: ApiKeySource, timeout: float) -> None:
        """Check a key that is given as text at once; a function has `timeout` seconds each time.

        Raises:
            ConfigurationError: It cannot be a key.
        """
        self._source = source if callable(source) else Secret(source)
        self._timeout = timeout

    async def key(self) -> Secret:
        """Return the key for one request.

        Raises:
            ConfigurationError: The caller's function failed, or returned what cannot be a key.
            ConnectError: It took too long.
        """
        if isinstance(self._source, Secret):
            return self._source
        try:
            with anyio.fail_after(self._timeout):
                value = self._source()
                if inspect.isawaitable(value):
                    value = await value
        except TimeoutError:
            raise ConnectError(
                "the function that gives the API key took too long; nothing was sent"
            ) from None
        except Exception as error:
            raise ConfigurationError(
                f"the function that gives the API key failed: {type(error).__name__}"
            ) from error
        return Secret(value)
