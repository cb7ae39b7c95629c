"""The options that commands share: the connection, what is ordered, how long to wait."""

import getpass
import shlex
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from attrs import asdict, field, frozen
from cyclopts import Parameter

from luma_async._api.sansio.api_key import Secret, key_from_environment
from luma_async._api.sansio.validation import check_timeout
from luma_async.cli.exit_codes import NoKeyError
from luma_async.cli.output import note
from luma_async.client import LumaClient
from luma_async.errors import ConfigurationError
from luma_async.models import AspectRatio, Order


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
        """Return the options for a command line, without the key."""
        return [] if self.base_url is None else ["--base-url", self.base_url]

    def client(self) -> LumaClient:
        """Make a client.

        Raises:
            NoKeyError: There is no key, or it cannot be a key.
            ConfigurationError: The URL is not allowed.
        """
        key = self.key_file
        if key is None:
            try:
                key = _key(key_from_environment())
            except ConfigurationError as error:
                # What follows the colon tells programmers what to do.
                raise NoKeyError(str(error).partition(":")[0]) from None
        return LumaClient(key.reveal(), base_url=self.base_url)


@Parameter(name="*")
@frozen(kw_only=True)
class OrderOptions:
    """What an order has besides its prompt.

    Attributes:
        aspect_ratio: The shape of the picture.
        expand_prompt: Whether the service may elaborate the prompt.
        image_url: The address of the picture that the video begins with.
        image_end_url: The address of the picture that it ends with.
    """

    aspect_ratio: AspectRatio = "16:9"
    expand_prompt: Annotated[bool, Parameter(negative="--no-expand-prompt")] = True
    image_url: str | None = None
    image_end_url: str | None = None

    def order(self, prompt: str, extends: str | None = None) -> Order:
        """Make an order of a prompt."""
        return Order(prompt, **asdict(self), extends=extends)


@frozen
class Place:
    """Where videos go: into a folder, each named after its id, or one into a file.

    Attributes:
        text: What a person wrote; a folder exists already, or is written with a slash at its end.
        is_folder: Whether it is a folder.
    """

    text: str
    is_folder: bool = field(init=False)

    @is_folder.default
    def _(self) -> bool:
        return self.text.endswith("/") or self.path.is_dir()

    @property
    def path(self) -> Path:
        """The folder or the file."""
        return Path(self.text)

    @property
    def quoted(self) -> str:
        """The text, quoted for a shell."""
        return shlex.quote(self.text)

    def for_many(self) -> "Place":
        """Return the place as a folder, for more than one video."""
        return Place(f"{self.text}/")

    def file(self, generation_id: str) -> Path:
        """Return where the video of a generation goes."""
        return self.path / f"{generation_id}.mp4" if self.is_folder else self.path

    def check(self, *, replace: bool = False) -> None:
        """Refuse a place where nothing could be stored, before a video is paid for it.

        Args:
            replace: Whether a file that exists will do.

        Raises:
            ConfigurationError: It cannot be used.
            OSError: It cannot be made.
        """
        if self.is_folder:
            self.path.mkdir(parents=True, exist_ok=True)
        elif self.path.exists() and not replace:
            raise ConfigurationError(f"{self.path} already exists")
        elif not self.path.parent.is_dir():
            raise ConfigurationError(f"there is no folder {self.path.parent}")


def _read_place(_: type, tokens: Sequence[Any]) -> Place:
    return Place(tokens[0].value)


PlaceOption = Annotated[
    Place, Parameter(converter=_read_place, accepts_keys=False, show_default=False)
]


@Parameter(name="*")
@frozen(kw_only=True)
class WaitOptions:
    """What is done about videos that are being made.

    Attributes:
        timeout: The seconds to wait; by default as long as it takes.
        download: The file to store the video in, or a folder, where its name is the id. A folder
            exists already, or is written with a slash at its end.
    """

    timeout: float | None = None
    download: PlaceOption | None = None

    def check(self) -> None:
        """Refuse what could not work, before anything is paid."""
        check_timeout(self.timeout)
        if self.download is not None:
            self.download.check()

    def resume_command(self, ids: Sequence[str]) -> str:
        """Return the command that waits for what is left."""
        download = "" if self.download is None else f" --download {self.download.quoted}"
        return f"`luma-async wait {' '.join(ids)}{download}`"


DEFAULT_CONNECTION = ConnectionOptions()
DEFAULT_ORDER_OPTIONS = OrderOptions()
DEFAULT_WAIT_OPTIONS = WaitOptions()
