"""Spans and metrics for OpenTelemetry, by its API alone.

This module is imported where the API is installed. Whether anything is collected, and where it
goes, is for the program to say, by an SDK.
"""

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context, Token, copy_context
from types import MappingProxyType

from attrs import frozen
from opentelemetry import context, metrics, trace
from opentelemetry.context import Context as OtelContext

from luma_async._version import __version__

Attributes = Mapping[str, str | int | float | bool]
Guard = Callable[[], AbstractContextManager[None]]
Describe = Callable[[BaseException], Attributes]

_TRACER = trace.get_tracer("luma_async", __version__)
_METER = metrics.get_meter("luma_async", __version__)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_DELAYS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_IDS = (1, 2, 5, 10, 20, 50, 100)
_CLIENTS = frozenset({"create", "extend", "download"})


def _counter(name: str, unit: str, description: str) -> Callable[[float, Attributes], None]:
    return _METER.create_counter(f"luma_async.{name}", unit, description).add


def _level(name: str, unit: str, description: str) -> Callable[[float, Attributes], None]:
    return _METER.create_up_down_counter(f"luma_async.{name}", unit, description).add


def _histogram(
    name: str, unit: str, description: str, bounds: tuple[float, ...]
) -> Callable[[float, Attributes], None]:
    return _METER.create_histogram(
        f"luma_async.{name}", unit, description, explicit_bucket_boundaries_advisory=bounds
    ).record


# One of each for the process: its clients share them.
_INSTRUMENTS: Mapping[str, Callable[[float, Attributes], None]] = MappingProxyType(
    {
        "request.duration": _histogram(
            "request.duration", "s", "How long requests to the API take, by route.", _SECONDS
        ),
        "request.ids": _histogram(
            "request.ids", "{generation}", "How many ids a status request asks for.", _IDS
        ),
        "requests.active": _level("requests.active", "{request}", "Requests to the API under way."),
        "requests.repeated": _counter(
            "requests.repeated", "{request}", "Requests that were sent once more, by route."
        ),
        "generations.waiting": _level(
            "generations.waiting", "{generation}", "Generations that somebody waits for."
        ),
        "generation.delay": _histogram(
            "generation.delay", "s", "How long after its end an end was seen.", _DELAYS
        ),
        "orders.unknown": _counter(
            "orders.unknown", "{order}", "Paid requests whose outcome cannot be known."
        ),
        "tokens": _counter("tokens", "{token}", "What was spent, or may have been."),
    }
)


@frozen(eq=False)
class _Span:
    _span: trace.Span
    _guard: Guard

    def set(self, name: str, value: str | float | bool) -> None:
        with self._guard():
            self._span.set_attribute(name, value)

    def context(self) -> Context:
        copied = copy_context()
        with self._guard():
            copied.run(context.attach, trace.set_span_in_context(self._span))
        return copied

    def fail(self, attributes: Attributes) -> None:
        """Mark it as failed, without the error's words and traceback: they may repeat a prompt."""
        with self._guard():
            self._span.set_attributes(attributes)
            self._span.set_status(trace.StatusCode.ERROR)

    def end(self, token: Token[OtelContext] | None) -> None:
        """End it, and make current again what was current before."""
        if token is not None:
            with self._guard():
                context.detach(token)
        with self._guard():
            self._span.end()


@frozen(eq=False)
class OpenTelemetry:
    """Sends spans and metrics to the providers that the program has set.

    The guard catches what these raise.
    """

    _guard: Guard
    _describe: Describe

    @contextmanager
    def span(self, operation: str, attributes: Attributes, *, current: bool) -> Generator[_Span]:
        """Begin a span in the trace of the caller."""
        span, token = _Span(trace.INVALID_SPAN, self._guard), None
        with self._guard():
            kind = trace.SpanKind.CLIENT if operation in _CLIENTS else trace.SpanKind.INTERNAL
            started = _TRACER.start_span(
                f"luma_async.{operation}", kind=kind, attributes=attributes
            )
            span = _Span(started, self._guard)
            if current:
                token = context.attach(trace.set_span_in_context(started))
        try:
            yield span
        except (asyncio.CancelledError, GeneratorExit):
            # The caller has left; nothing went wrong.
            raise
        except BaseException as error:
            span.fail(self._describe(error))
            raise
        finally:
            span.end(token)

    def measure(self, metric: str, value: float, attributes: Attributes) -> None:
        """Add to a counter, or record a value of a histogram."""
        _INSTRUMENTS[metric](value, attributes)
