"""The commands for single videos."""

from functools import partial
from typing import Annotated

import anyio.to_thread
from attrs import asdict, evolve, frozen
from cyclopts import App, Parameter

from luma_async._api.sansio.requests import check_order
from luma_async._api.sansio.responses import unknown_id
from luma_async.cli.arguments import (
    Place,
    PlaceOption,
    IdArgument,
    IdsArgument,
    PromptArgument,
)
from luma_async.cli.exit_codes import ExitCode, highest
from luma_async.cli.follow import WaitOptions, follow, store
from luma_async.cli.interruption import pay
from luma_async.cli.options import ConnectionOptions
from luma_async.cli.output import Output, note, report
from luma_async.models import AspectRatio, Order


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


async def create(
    prompt: PromptArgument,
    /,
    *,
    options: OrderOptions = OrderOptions(),
    wait: bool = False,
    following: WaitOptions = WaitOptions(),  # noqa: B008
    connection: ConnectionOptions = ConnectionOptions(),  # noqa: B008
    output: Output = Output(),  # noqa: B008
) -> ExitCode:
    """Order a video. It costs 0.25 US dollars once it is accepted, and cannot be cancelled.

    Prints the id of the order, or with --wait the finished video.

    For example: `luma-async create "A red fox in the snow" --download fox.mp4`

    Parameters
    ----------
    prompt
        What the video shows, in words; - reads it from stdin.
    wait
        Wait for the video; so do --timeout and --download.
    """
    return await _order(options.order(prompt), following, connection, output, wait=wait)


async def extend(
    id: IdArgument,  # noqa: A002 - the service's name
    prompt: PromptArgument,
    /,
    *,
    options: OrderOptions = OrderOptions(),
    wait: bool = False,
    following: WaitOptions = WaitOptions(),  # noqa: B008
    connection: ConnectionOptions = ConnectionOptions(),  # noqa: B008
    output: Output = Output(),  # noqa: B008
) -> ExitCode:
    """Order the continuation of a finished video. It costs as much as a new one.

    For example: `luma-async extend ID "The fox looks up" --wait`

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
    return await _order(order, following, connection, output, wait=wait)


async def get(
    ids: IdsArgument,
    /,
    *,
    connection: ConnectionOptions = ConnectionOptions(),  # noqa: B008
    output: Output = Output(),  # noqa: B008
) -> ExitCode:
    """Print the states of generations: the id, the state, and the address of the video.

    For example: `luma-async get ID ID --json`

    Parameters
    ----------
    ids
        The generations; - reads them from stdin, one a line or as another command's JSON.
    """
    async with connection.client() as luma:
        found = await luma.get_many(ids)
    for name in ids:
        if name in found:
            output.generation(found[name])
    return highest([report(unknown_id(name)) for name in ids if name not in found])


async def wait(
    ids: IdsArgument,
    /,
    *,
    following: WaitOptions = WaitOptions(),  # noqa: B008
    connection: ConnectionOptions = ConnectionOptions(),  # noqa: B008
    output: Output = Output(),  # noqa: B008
) -> ExitCode:
    """Wait for generations, and print each as it ends. Waiting is free.

    For example: `luma-async create "A red fox" --json | luma-async wait - --download videos/`

    Parameters
    ----------
    ids
        The generations; - reads them from stdin, one a line or as another command's JSON.
    """
    if following.download is not None and len(ids) > 1:
        following = evolve(following, download=following.download.for_many())
    await anyio.to_thread.run_sync(following.check)
    async with connection.client() as luma:
        return await follow(luma, ids, following, output)


async def list_(
    *,
    connection: ConnectionOptions = ConnectionOptions(),  # noqa: B008
    output: Output = Output(),  # noqa: B008
) -> None:
    """Print all generations of the account: the id and the prompt.

    For example: `luma-async list | grep fox`
    """
    async with connection.client() as luma:
        listed = await luma.list()
    for one in listed:
        output.summary(one)
    if not listed:
        note("the account has no generations")


async def upload(
    url: str,
    /,
    *,
    connection: ConnectionOptions = ConnectionOptions(),  # noqa: B008
    output: Output = Output(),  # noqa: B008
) -> None:
    """Let the service copy an image, and print the address to give as --image-url. Free.

    For example: `luma-async upload https://example.com/fox.png`

    Parameters
    ----------
    url
        The http(s) address of the image.
    """
    async with connection.client() as luma:
        output.image(await luma.upload_image(url))


async def download(
    ids: IdsArgument,
    /,
    *,
    to: PlaceOption = Place("./"),  # noqa: B008
    overwrite: bool = False,
    connection: ConnectionOptions = ConnectionOptions(),  # noqa: B008
    output: Output = Output(),  # noqa: B008
) -> ExitCode:
    """Store the videos of finished generations, and print the files. Free; repeat it as you like.

    For example: `luma-async download ID --to fox.mp4`

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
        for name in ids:
            stored = await store(luma, name, place, overwrite=overwrite)
            if isinstance(stored, str):
                output.stored(name, stored)
            else:
                codes.append(stored)
    return highest(codes)


def add_videos(app: App) -> None:
    """Register the commands."""
    for command in (create, extend, get, wait, upload, download):
        app.command(command)
    app.command(list_, name="list")


async def _order(
    order: Order,
    following: WaitOptions,
    connection: ConnectionOptions,
    output: Output,
    *,
    wait: bool,
) -> ExitCode:
    check_order(order)
    await anyio.to_thread.run_sync(following.check)
    async with connection.client() as luma:
        generation = await pay(luma, order)
        if not (wait or following.is_wanted):
            output.receipt(generation)
            return ExitCode.DONE
        note(f"the order was accepted as {generation.id}; waiting for the video")
        return await follow(luma, [generation], following, output)
