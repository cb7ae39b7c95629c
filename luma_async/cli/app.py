"""The commands and their arguments."""

from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import anyio
import anyio.to_thread
from cyclopts import App, Parameter, validators
from rich.console import Console

from luma_async._version import __version__
from luma_async.cli.demo import Demo
from luma_async.cli.orders import read_orders, sample_orders
from luma_async.emulator import Emulator
from luma_async.errors import LumaError

app: App = App(
    name="luma-async",
    version=__version__,
    help="Video generation with Luma Dream Machine on AI/ML API.",
)


@app.command
async def emulator(
    *,
    host: str = "127.0.0.1",
    port: int = 8787,
    cdn_port: int = 0,
    seed: int = 0,
    median_seconds: float = 60.0,
    time_scale: float = 1.0,
    failure_rate: float = 0.0,
) -> None:
    """Serve an emulator of the service until interrupted. It takes any key and costs nothing.

    Parameters
    ----------
    host
        The address of this machine to listen at.
    port
        The port of the API.
    cdn_port
        The port that videos are served at; 0 takes any free one.
    seed
        The same seed gives the same durations and ids.
    median_seconds
        How long half of the generations take at most.
    time_scale
        How many of these seconds pass in a real one.
    failure_rate
        The share of generations that fail, from 0 to 1.
    """
    console = Console()
    try:
        service = Emulator(
            host=host,
            port=port,
            cdn_port=cdn_port,
            seed=seed,
            median_seconds=median_seconds,
            time_scale=time_scale,
            failure_rate=failure_rate,
        )
        async with service:
            console.print(f"Serving the API at {service.base_url}, videos at {service.cdn_url}")
            console.print(f"  export AIML_API_BASE={service.base_url} AIML_API_KEY=any")
            await anyio.sleep_forever()
    except (OSError, OverflowError, ValueError) as error:
        _leave(f"cannot serve: {error}")


@app.command
async def demo(
    *,
    prompts: Path | None = None,
    count: Annotated[
        int | None, Parameter(name=["--count", "-n"], validator=validators.Number(gte=0))
    ] = None,
    folder: Path = Path("videos"),
    speed: float = 20.0,
    seed: int = 0,
    failure_rate: float = 0.0,
) -> None:
    """Create, follow and download videos on an emulator of the service. No key, no cost.

    Parameters
    ----------
    prompts
        A file with a prompt a line, or JSON Lines with the fields of an order. Without it, a
        few dozen prompts that come with the package are taken.
    count
        How many of the prompts to take; all of them by default.
    folder
        Where to store the videos, over those of an earlier run; it is made if it is missing.
    speed
        How many times faster than the real service the emulator works; the client's pace and
        intervals are scaled alike.
    seed
        The same seed gives the same durations.
    failure_rate
        The share of generations that fail, from 0 to 1.
    """
    try:
        read = sample_orders if prompts is None else partial(read_orders, prompts)
        orders = await anyio.to_thread.run_sync(read)
        show = Demo(
            orders[:count],
            folder=folder,
            speed=speed,
            seed=seed,
            failure_rate=failure_rate,
            console=Console(),
        )
        failed = await show.run()
    except (LumaError, OSError, ValueError) as error:
        _leave(str(error))
    if failed:
        raise SystemExit(1)


def _leave(message: str) -> NoReturn:
    text = f"luma-async: {message}"
    Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)
    raise SystemExit(2)
