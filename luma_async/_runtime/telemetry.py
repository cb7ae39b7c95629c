"""Log lines, spans and metrics for those who operate a program.

All three use the same attributes: those of OpenTelemetry's semantic
conventions where there is one, and else ``luma_async.*``. No attribute holds a prompt, a key or
the address of a video.

Log lines go to the logger ``luma_async``. Spans and metrics go to OpenTelemetry where its API is
installed, which is for the program to collect them, and nowhere otherwise.

A filter, a handler or a processor that a program has installed may fail;
that must not keep a caller from hearing of what was paid. So nothing here raises.
"""

import logging
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import Context, copy_context
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

from luma_async.errors import APIError

if TYPE_CHECKING:
    from luma_async._runtime.otel import OpenTelemetry

Attributes = Mapping[str, str | int | float | bool]
Operation = Literal["create", "extend", "wait", "download", "batch"]
Metric = Literal[
    "request.duration",
    "request.ids",
    "requests.active",
    "requests.repeated",
    "generations.waiting",
    "generation.delay",
    "orders.unknown",
    "tokens",
]

DELAY = "luma_async.delay"
ERROR = "error.type"
FILE = "file.path"
GENERATION = "gen_ai.response.id"
IDS = "luma_async.ids"
METHOD = "http.request.method"
ROUTE = "luma_async.route"
SIZE = "file.size"
STATE = "luma_async.generation.state"
STATUS = "http.response.status_code"
WAITING = "luma_async.waiting"

_NONE: Attributes = MappingProxyType({})


def log(
    level: int,
    event: str,
    attributes: Attributes,
    message: str,
    *args: object,
    logger: str = "luma_async",
    error: BaseException | None = None,
    stacklevel: int = 2,
) -> None:
    """Log one event, as a sentence and as attributes of the record."""
    extra = {"event.name": f"luma_async.{event}", **attributes}
    # Handlers report their own errors; a filter that fails has nobody to tell.
    with suppress(Exception):
        logging.getLogger(logger).log(
            level, message, *args, extra=extra, exc_info=error, stacklevel=stacklevel
        )


def repeated(
    route: str,
    delay: float,
    error: BaseException,
    attributes: Attributes = _NONE,
    reason: str | None = None,
) -> None:
    """Report that a request failed and is sent once more after some seconds.

    The reason is what the error is, unless something else is given that may stand in a log.
    """
    facts = {ROUTE: route, **describe(error)}
    measure("requests.repeated", 1, facts)
    log(
        logging.INFO,
        "request.repeated",
        {**facts, DELAY: delay, **attributes},
        "%s failed (%s) and is repeated in %.1f s",
        route,
        reason or type(error).__name__,
        delay,
        stacklevel=3,
    )


def describe(error: BaseException) -> Attributes:
    """Return what an error is, without what it says: that may repeat a prompt."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)
    return {ERROR: name} | ({STATUS: error.status} if isinstance(error, APIError) else {})


def _full_name(kind: type[BaseException]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


class Span(Protocol):
    """One operation, from its begin to its end."""

    def set(self, name: str, value: str | float | bool) -> None:
        """Add an attribute that was not known when it began."""

    def context(self) -> Context:
        """Return a context for tasks that are parts of the operation."""


class _NoSpan:
    """Stands for a span where OpenTelemetry is not installed."""

    def set(self, name: str, value: str | float | bool) -> None:
        pass

    def context(self) -> Context:
        return copy_context()


_NO_SPAN: AbstractContextManager[Span] = nullcontext(_NoSpan())


def span(
    operation: Operation, attributes: Attributes = _NONE, *, current: bool = False
) -> AbstractContextManager[Span]:
    """Begin the span of an operation, within the caller's trace; it ends with its context.

    Args:
        operation: What it is called.
        attributes: What is known of it already.
        current: Whether what happens within it is a part of it. An asynchronous generator cannot
            have that: the span would stay current for its consumer.
    """
    collector = _collector()
    if collector is None:
        return _NO_SPAN
    return collector.span(operation, attributes, current=current)


def measure(metric: Metric, value: float, attributes: Attributes = _NONE) -> None:
    """Add to a counter, or record a value of a histogram."""
    if (collector := _collector()) is not None:
        with careful():
            collector.measure(metric, value, attributes)


@contextmanager
def careful() -> Generator[None]:
    """Do something for the program's collector, and log instead of failing."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - no failure of theirs is ours
        _complain(type(error).__name__)


@cache
def _complain(kind: str) -> None:
    # Once, as it would be said at every request.
    message = "The program's OpenTelemetry failed (%s), and misses something; this is said once"
    log(logging.WARNING, "telemetry.failed", {ERROR: kind}, message, kind)


@cache
def _collector() -> "OpenTelemetry | None":
    try:
        # Imported at the first use: a program without OpenTelemetry, or without a client, pays
        # nothing for it.
        from luma_async._runtime.otel import OpenTelemetry  # noqa: PLC0415
    except ModuleNotFoundError:
        return None
    except Exception as error:  # noqa: BLE001 - it may be too old, or name what cannot be loaded
        _complain(type(error).__name__)
        return None
    return OpenTelemetry(careful, describe)
