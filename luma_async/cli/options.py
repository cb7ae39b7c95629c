"""The options of every command that talks to the service."""

import getpass
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from attrs import frozen
from cyclopts import Parameter

from luma_async._api.sansio.api_key import Secret, key_from_environment
from luma_async.cli.exit_codes import NoKeyError
from luma_async.cli.output import note
from luma_async.client import LumaClient
from luma_async.errors import ConfigurationError


class KeyFile(Secret):
    """The key that is in a file."""

    __slots__ = ()


def _key(text: str) -> KeyFile:
    try:
        return KeyFile(text)
    except ConfigurationError as error:
        raise NoKeyError(str(error)) from None


def _read_key(_: type, tokens: Sequence[Any]) -> KeyFile:
    """Take the first line of a file, or of stdin, as the key."""
    name = tokens[0].value
    if name == "-" and sys.stdin.isatty():
        return _key(getpass.getpass("key: "))
    if name == "-":
        return _key(sys.stdin.readline().rstrip("\r\n"))
    path = Path(name)
    with path.open(encoding="utf-8", errors="replace") as file:
        line = file.readline()
    mode = path.stat().st_mode
    if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        note(f"warning: {name} can be read by others on this machine; chmod 600 {name}")
    return _key(line.rstrip("\r\n"))


@Parameter(name="*")
@frozen(kw_only=True)
class ConnectionOptions:
    """How the service is reached; shared by every command that talks to it.

    Attributes:
        key_file: A file with the key in its first line; - reads it from stdin. Without it, the
            key comes from AIML_API_KEY, AIMLAPI_API_KEY or AIMLAPI_KEY.
        base_url: The address of the service; by default AIML_API_BASE, or the service's own.
    """

    key_file: Annotated[
        KeyFile | None,
        Parameter(converter=_read_key, accepts_keys=False, allow_leading_hyphen=True),
    ] = None
    base_url: str | None = None

    def to_arguments(self) -> list[str]:
        """Return the options that say the same, but for the key."""
        return [] if self.base_url is None else ["--base-url", self.base_url]

    def client(self, **options: Any) -> LumaClient:
        """Make a client; the options are those of `LumaClient`.

        Raises:
            NoKeyError: There is no key, or none that could be one.
            ConfigurationError: An option cannot work.
        """
        key = self.key_file
        if key is None:
            try:
                key = _key(key_from_environment())
            except ConfigurationError as error:
                # What follows the colon tells programmers what to do.
                raise NoKeyError(str(error).partition(":")[0]) from None
        return LumaClient(key.reveal(), base_url=self.base_url, **options)
