"""Submit an order, wait for videos, print them and store them."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import anyio
from attrs import asdict
from rich.text import Text

from luma_async._api.sansio.validation import id_of, unique_ids
from luma_async._runtime.sansio.escaping import printable
from luma_async.cli.exit_codes import ExitCode, InterruptedCommandError, highest
from luma_async.cli.options import DEFAULT_WAIT_OPTIONS, Place, WaitOptions
from luma_async.cli.output import Output, report
from luma_async.cli.signals import cancel_on_signals
from luma_async.client import LumaClient
from luma_async.errors import DownloadError, GenerationFailedError, LumaError, WaitTimeoutError
from luma_async.models import Generation, Order
from luma_async.outcome import Outcome

_COLOURS = {"completed": "green", "failed": "red", "error": "red"}


async def submit(luma: LumaClient, order: Order) -> Generation:
    """Submit an order; interrupted, even repeatedly, wait for the response first.

    Raises:
        InterruptedCommandError: It was interrupted; the text says what was paid.
        LumaError: The order failed, or an interrupted one may have been paid.
    """
    with cancel_on_signals():
        try:
            return await luma.submit(order)
        except asyncio.CancelledError:
            raise _what_was_paid(luma) from None


def _what_was_paid(luma: LumaClient) -> Exception:
    match luma.unclaimed():
        case (Outcome(generation=Generation(id=generation_id)), *_):
            resume = DEFAULT_WAIT_OPTIONS.resume_command([generation_id])
            return InterruptedCommandError(
                f"{generation_id} was accepted and is paid; resume with {resume}"
            )
        case (Outcome(error=LumaError() as error), *_):
            return error
    return InterruptedCommandError("no order was sent and nothing was paid")


async def follow(
    luma: LumaClient, targets: Sequence[Generation | str], options: WaitOptions, output: Output
) -> ExitCode:
    """Print generations as they end, and store their videos where that is asked for."""
    pending = unique_ids(targets)
    codes = []
    try:
        async with aclosing(luma.as_completed(targets, timeout=options.timeout)) as ended:
            async for one in ended:
                codes.append(await _finish(luma, one, options.download, output))
                pending.remove(one.id)
    except asyncio.CancelledError:
        raise InterruptedCommandError(
            f"the videos are still being generated; resume with {options.resume_command(pending)}"
        ) from None
    except WaitTimeoutError as error:
        codes.append(report(error, hint=f"resume with {options.resume_command(error.pending)}"))
    except LumaError as error:
        codes.append(report(error))
    return highest(codes)


async def _finish(
    luma: LumaClient, one: Generation, place: Place | None, output: Output
) -> ExitCode:
    stored: str | ExitCode | None = None
    if one.is_completed and place is not None:
        stored = await store(luma, one, place)
    print_generation(output, one, stored if isinstance(stored, str) else None)
    if not one.is_completed:
        return report(GenerationFailedError(one))
    return stored if isinstance(stored, ExitCode) else ExitCode.DONE


async def store(
    luma: LumaClient, one: Generation | str, place: Place, *, overwrite: bool = False
) -> str | ExitCode:
    """Store a video, and return the file; where that fails, say so and return the exit code."""
    generation_id = id_of(one)
    file = anyio.Path(place.file(generation_id))
    try:
        # In a folder it is that very video, and whole: so a command can be given again.
        if overwrite or not place.is_folder or not await file.exists():
            await luma.download(one, file, overwrite=overwrite)
    except DownloadError as error:
        again = f"luma-async download {generation_id} --to {place.quoted}"
        return report(error, hint=f"the video is paid; download it again with `{again}`")
    except LumaError as error:
        return report(error)
    return str(file)


def print_generation(output: Output, one: Generation, file: str | None = None) -> None:
    """Print the id, the state, and where the video is or why there is none."""
    value = asdict(one, filter=lambda field, _: field.name not in ("raw", "seconds_left"))
    if file is not None:
        value["file"] = file
    url = one.video.url if one.video is not None else None
    detail = file or url or one.failure_reason or one.prompt or ""
    state = Text(printable(one.state), _COLOURS.get(one.state, "yellow"))
    output.result(value, Text("  ").join([Text(one.id, "bold"), state, Text(printable(detail))]))
