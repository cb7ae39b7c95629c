"""The commands that need no account: the emulator of the service, and the demonstration."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import anyio
import anyio.to_thread
from cyclopts import Parameter, validators
from rich.console import Console

from luma_async.batch.sansio.order_files import read_orders
from luma_async.cli.demo import Demo
from luma_async.cli.exit_codes import ExitCode
from luma_async.cli.output import DEFAULT_OUTPUT, Output
from luma_async.cli.sample_orders import sample_orders
from luma_async.emulator import Emulator
from luma_async.errors import ConfigurationError
from luma_async.models import Order


async def emulator(
    *,
    host: str = "127.0.0.1",
    port: int = 8787,
    cdn_port: int = 0,
    seed: int = 0,
    median_seconds: float = 60.0,
    time_scale: float = 1.0,
    failure_rate: float = 0.0,
    estimates: bool = False,
    output: Output = DEFAULT_OUTPUT,
) -> None:
    """Serve the emulator until the command is interrupted.

    Parameters
    ----------
    host
        The address of this machine to listen at.
    port
        The port of the API; 0 takes any free one.
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
    estimates
        Tell how long a generation will take, so that a client knows when to ask.
    """
    async with AsyncExitStack() as stack:
        try:
            service = Emulator(
                host=host,
                port=port,
                cdn_port=cdn_port,
                seed=seed,
                median_seconds=median_seconds,
                time_scale=time_scale,
                failure_rate=failure_rate,
                estimates=estimates,
            )
            await stack.enter_async_context(service)
        except OSError as error:
            raise ConfigurationError(f"cannot serve: {error}; --port 0 picks a free port") from None
        except (OverflowError, ValueError) as error:
            raise ConfigurationError(f"cannot serve: {error}") from None
        output.result(
            {"base_url": service.base_url, "cdn_url": service.cdn_url},
            f"Serving the API at {service.base_url}, videos at {service.cdn_url}\n"
            f"  export AIML_API_BASE={service.base_url} AIML_API_KEY=any",
        )
        await anyio.sleep_forever()


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
    output: Output = DEFAULT_OUTPUT,
) -> ExitCode:
    """Run the demonstration.

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
    orders = await anyio.to_thread.run_sync(_read_orders, prompts)
    try:
        show = Demo(
            orders[:count],
            folder=folder,
            speed=speed,
            seed=seed,
            failure_rate=failure_rate,
            console=Console(stderr=output.json),
        )
        failed = await show.run()
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    if output.json:
        output.result(show.results, "")
    return ExitCode.FAILED if failed else ExitCode.DONE


def _read_orders(path: Path | None) -> list[Order]:
    if path is None:
        return sample_orders()
    return [one.order for one in read_orders(str(path), path.read_bytes())]
