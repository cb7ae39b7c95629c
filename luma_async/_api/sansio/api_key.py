"""The API key, wrapped: it is shown nowhere."""

import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from luma_async.errors import ConfigurationError

KEY_VARIABLES = ("AIML_API_KEY", "AIMLAPI_API_KEY", "AIMLAPI_KEY")
_HIDDEN = "[key]"
# What is shorter is no secret, and might stand in an answer by chance.
_MIN_SECRET_LENGTH = 8


class Secret:
    """A key that reprs, logs and tracebacks with local variables do not show."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        """Check that `value` can be a key.

        Raises:
            ConfigurationError: It cannot; the message does not contain it.
        """
        if not isinstance(value, str):
            raise ConfigurationError(f"the API key: expected text, not {type(value).__name__}")
        if not value:
            raise ConfigurationError("the API key is empty")
        if not all("!" <= character <= "~" for character in value):
            raise ConfigurationError(
                "the API key has a space, a line break or another character that no key has; "
                "give the key alone, without the word Bearer"
            )
        if value[0] in "'\"" or value[-1] in "'\"":
            raise ConfigurationError("the API key is in quotation marks; give it without them")
        self._value = value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> Any:
        raise TypeError("an API key is not to be stored")

    def reveal(self) -> str:
        """Return the key, for the one header that carries it."""
        return self._value

    def redact(self, text: str) -> str:
        """Hide the key in what the service or a library says."""
        return text.replace(self._value, _HIDDEN) if self._is_secret else text

    def redact_bytes(self, data: bytes) -> bytes:
        """Hide the key in the body of an answer."""
        return data.replace(self._value.encode(), _HIDDEN.encode()) if self._is_secret else data

    @property
    def _is_secret(self) -> bool:
        return len(self._value) >= _MIN_SECRET_LENGTH


@frozen
class Account:
    """An account at a service, which can be recognized without keeping its key."""

    _key: Secret
    _base_url: str

    def mark(self, salt: bytes) -> str:
        """Return a mark of this account under a salt, which reveals nothing of the key.

        It is an HMAC (RFC 2104) with SHA-256 of the address of the service and the key.
        """
        text = f"{self._base_url}\n{self._key.reveal()}".encode()
        return hmac.new(salt, text, hashlib.sha256).hexdigest()


def key_from_environment(environment: Mapping[str, str] = os.environ) -> str:
    """Find the key where the provider's own tools look for it.

    Raises:
        ConfigurationError: None of the variables is set.
    """
    for name in KEY_VARIABLES:
        if environment.get(name):
            return environment[name]
    raise ConfigurationError(f"no API key: set {KEY_VARIABLES[0]}, or give LumaClient(api_key=...)")
