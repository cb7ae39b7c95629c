"""Following videos to their end, and storing them."""

import asyncio
import shlex
from collections.abc import Sequence
from contextlib import aclosing

import anyio
from attrs import frozen
from cyclopts import Parameter

from luma_async._api.sansio.requests import check_timeout, unique_ids
from luma_async.cli.arguments import Place, PlaceOption
from luma_async.cli.exit_codes import ExitCode, InterruptedCommandError, highest
from luma_async.cli.interruption import resume_command
from luma_async.cli.output import Output, report
from luma_async.client import LumaClient
from luma_async.errors import DownloadError, GenerationFailedError, LumaError, WaitTimeoutError
from luma_async.models import Generation


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

    @property
    def is_wanted(self) -> bool:
        """Whether any of it was asked for."""
        return self.timeout is not None or self.download is not None

    def check(self) -> None:
        """Refuse what could not work, before anything is paid."""
        check_timeout(self.timeout)
        if self.download is not None:
            self.download.check()

    def resume(self, ids: Sequence[str]) -> str:
        """Write the command that goes on."""
        place = self.download
        return resume_command(list(ids), "" if place is None else f" --download {_written(place)}")


async def follow(
    luma: LumaClient, targets: Sequence[Generation | str], following: WaitOptions, output: Output
) -> ExitCode:
    """Print generations as they end, their videos stored if that is wanted."""
    pending = unique_ids(targets)
    codes = []
    try:
        async with aclosing(luma.as_completed(targets, timeout=following.timeout)) as ended:
            async for one in ended:
                codes.append(await _finish(luma, one, following.download, output))
                pending.remove(one.id)
    except asyncio.CancelledError:
        raise InterruptedCommandError(
            f"nothing is lost, what was ordered is being made; go on with "
            f"{following.resume(pending)}"
        ) from None
    except WaitTimeoutError as error:
        codes.append(report(error, hint=f"go on with {following.resume(error.pending)}"))
    except LumaError as error:
        codes.append(report(error))
    return highest(codes)


async def _finish(
    luma: LumaClient, one: Generation, place: Place | None, output: Output
) -> ExitCode:
    stored: str | ExitCode | None = None
    if one.is_completed and place is not None:
        stored = await store(luma, one, place)
    output.generation(one, stored if isinstance(stored, str) else None)
    if not one.is_completed:
        return report(GenerationFailedError(one))
    return stored if isinstance(stored, ExitCode) else ExitCode.DONE


async def store(
    luma: LumaClient, one: Generation | str, place: Place, *, overwrite: bool = False
) -> str | ExitCode:
    """Store a video, and return the file; where that fails, say so and return the exit code."""
    name = one if isinstance(one, str) else one.id
    file = anyio.Path(place.file(name))
    try:
        # In a folder it is that very video, and whole: so a command can be given again.
        if overwrite or not place.is_folder or not await file.exists():
            await luma.download(one, file, overwrite=overwrite)
    except DownloadError as error:
        again = f"luma-async download {name} --to {_written(place)}"
        return report(error, hint=f"the video is paid; download it again: `{again}`")
    except LumaError as error:
        return report(error)
    return str(file)


def _written(place: Place) -> str:
    return shlex.quote(place.text)
