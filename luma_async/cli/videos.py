"""The commands for single videos."""

from functools import partial

import anyio.to_thread
from attrs import asdict, evolve
from rich.text import Text

from luma_async._api.sansio.responses import unknown_id
from luma_async._api.sansio.validation import check_order
from luma_async._runtime.sansio.escaping import printable
from luma_async.cli.arguments import IdArgument, IdsArgument, PromptArgument
from luma_async.cli.exit_codes import ExitCode, highest
from luma_async.cli.follow import follow, print_generation, store, submit
from luma_async.cli.options import (
    DEFAULT_CONNECTION,
    DEFAULT_ORDER_OPTIONS,
    DEFAULT_WAIT_OPTIONS,
    ConnectionOptions,
    OrderOptions,
    Place,
    PlaceOption,
    WaitOptions,
)
from luma_async.cli.output import DEFAULT_OUTPUT, Output, note, report
from luma_async.errors import LumaError
from luma_async.models import Generation, Order

_CURRENT_FOLDER = Place("./")


async def create(
    prompt: PromptArgument,
    /,
    *,
    options: OrderOptions = DEFAULT_ORDER_OPTIONS,
    wait: bool = False,
    wait_options: WaitOptions = DEFAULT_WAIT_OPTIONS,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: Output = DEFAULT_OUTPUT,
) -> ExitCode:
    """Submit an order, and follow it where that is asked for.

    Parameters
    ----------
    prompt
        What the video shows, in words; - reads it from stdin.
    wait
        Wait for the video; so do --timeout and --download.
    """
    return await _order(options.order(prompt), wait_options, connection, output, wait=wait)


async def extend(
    id: IdArgument,  # noqa: A002 - the service's name
    prompt: PromptArgument,
    /,
    *,
    options: OrderOptions = DEFAULT_ORDER_OPTIONS,
    wait: bool = False,
    wait_options: WaitOptions = DEFAULT_WAIT_OPTIONS,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: Output = DEFAULT_OUTPUT,
) -> ExitCode:
    """Submit an order that continues a video.

    Parameters
    ----------
    id
        The video to continue; - reads it from stdin.
    prompt
        What happens next, in words; - reads it from stdin.
    wait
        Wait for the video; so do --timeout and --download.
    """
    order = options.order(prompt, extends=id)
    return await _order(order, wait_options, connection, output, wait=wait)


async def get(
    ids: IdsArgument,
    /,
    *,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: Output = DEFAULT_OUTPUT,
) -> ExitCode:
    """Print the generations that the service knows, and report the others.

    Parameters
    ----------
    ids
        The generations; - reads them from stdin, one a line or as another command's JSON.
    """
    async with connection.client() as luma:
        found = await luma.get_many(ids)
    for generation_id in ids:
        if generation_id in found:
            print_generation(output, found[generation_id])
    return highest(report(unknown_id(one)) for one in ids if one not in found)


async def wait(
    ids: IdsArgument,
    /,
    *,
    wait_options: WaitOptions = DEFAULT_WAIT_OPTIONS,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: Output = DEFAULT_OUTPUT,
) -> ExitCode:
    """Follow generations to their end.

    Parameters
    ----------
    ids
        The generations; - reads them from stdin, one a line or as another command's JSON.
    """
    if wait_options.download is not None and len(ids) > 1:
        wait_options = evolve(wait_options, download=wait_options.download.for_many())
    await anyio.to_thread.run_sync(wait_options.check)
    async with connection.client() as luma:
        return await follow(luma, ids, wait_options, output)


async def list_(
    *,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: Output = DEFAULT_OUTPUT,
) -> None:
    """Print the generations of the account."""
    async with connection.client() as luma:
        listed = await luma.list()
    for one in listed:
        line = Text("  ").join([Text(one.id, "bold"), Text(printable(one.prompt or ""))])
        output.result(asdict(one), line)
    if not listed:
        note("the account has no generations")


async def upload(
    url: str,
    /,
    *,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: Output = DEFAULT_OUTPUT,
) -> None:
    """Upload an image by its URL.

    Parameters
    ----------
    url
        The http(s) address of the image.
    """
    async with connection.client() as luma:
        image = await luma.upload_image(url)
    output.result(asdict(image), printable(image.public_url or ""))


async def download(
    ids: IdsArgument,
    /,
    *,
    to: PlaceOption = _CURRENT_FOLDER,
    overwrite: bool = False,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: Output = DEFAULT_OUTPUT,
) -> ExitCode:
    """Download the videos of generations.

    Parameters
    ----------
    ids
        The generations; - reads them from stdin, one a line or as another command's JSON.
    to
        The file, or a folder, where names are ids and what is there already is left alone.
    overwrite
        Fetch again, and replace, what is there already.
    """
    place = to.for_many() if len(ids) > 1 else to
    await anyio.to_thread.run_sync(partial(place.check, replace=overwrite))
    codes = []
    async with connection.client() as luma:
        for generation_id in ids:
            stored = await store(luma, generation_id, place, overwrite=overwrite)
            if isinstance(stored, str):
                output.result({"id": generation_id, "file": stored}, printable(stored))
            else:
                codes.append(stored)
    return highest(codes)


async def _order(
    order: Order,
    wait_options: WaitOptions,
    connection: ConnectionOptions,
    output: Output,
    *,
    wait: bool,
) -> ExitCode:
    check_order(order)
    await anyio.to_thread.run_sync(wait_options.check)
    async with connection.client() as luma:
        generation = await submit(luma, order)
        if not wait and wait_options == DEFAULT_WAIT_OPTIONS:
            _print_receipt(output, generation)
            return ExitCode.DONE
        note(f"the order was accepted as {generation.id}; waiting for the video")
        return await follow(luma, [generation], wait_options, output)


def _print_receipt(output: Output, generation: Generation) -> None:
    """Print the id of an order that is paid; if stdout is closed, the error contains it."""
    try:
        if output.json:
            print_generation(output, generation)
        else:
            output.result({}, generation.id)
    except OSError as error:
        raise LumaError(
            f"the order was accepted as {generation.id} and is paid, but stdout is closed: {error}"
        ) from None
