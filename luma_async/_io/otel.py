"""Spans and metrics for OpenTelemetry, by its API alone.

This module is imported where the API is installed. Whether anything is collected, and where it
goes, is for the program to say, by an SDK.
"""

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import Context, Token, copy_context
from types import MappingProxyType

from attrs import frozen
from opentelemetry import context, metrics, trace
from opentelemetry.context import Context as OtelContext

from luma_async._io.telemetry import (
    Attributes,
    Collector,
    Metric,
    Operation,
    Span,
    careful,
    describe,
)
from luma_async._version import __version__

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


# One of each for the process, however many clients it has.
_INSTRUMENTS: Mapping[Metric, Callable[[float, Attributes], None]] = MappingProxyType(
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
            "generation.delay", "s", "How long after its end an end was heard of.", _DELAYS
        ),
        "orders.unknown": _counter(
            "orders.unknown", "{order}", "Paid requests whose outcome cannot be known."
        ),
        "tokens": _counter("tokens", "{token}", "What was spent, or may have been."),
    }
)


@frozen
class _Recorded(Span):
    span: trace.Span

    def set(self, name: str, value: str | float | bool) -> None:
        with careful():
            self.span.set_attribute(name, value)

    def context(self) -> Context:
        copied = copy_context()
        with careful():
            copied.run(context.attach, trace.set_span_in_context(self.span))
        return copied

    def fail(self, error: BaseException) -> None:
        """Mark it as failed, without the error's words and traceback: they may repeat a prompt."""
        with careful():
            self.span.set_attributes(describe(error))
            self.span.set_status(trace.StatusCode.ERROR)

    def end(self, token: Token[OtelContext] | None) -> None:
        """End it, and let what was current before be so again."""
        if token is not None:
            with careful():
                context.detach(token)
        with careful():
            self.span.end()


class OpenTelemetry(Collector):
    """Sends spans and metrics to the providers that the program has set."""

    @contextmanager
    def span(
        self, operation: Operation, attributes: Attributes, *, current: bool
    ) -> Generator[Span]:
        """Begin a span in the trace of the caller."""
        span, token = _Recorded(trace.INVALID_SPAN), None
        with careful():
            kind = trace.SpanKind.CLIENT if operation in _CLIENTS else trace.SpanKind.INTERNAL
            name = f"luma_async.{operation}"
            span = _Recorded(_TRACER.start_span(name, kind=kind, attributes=attributes))
            if current:
                token = context.attach(trace.set_span_in_context(span.span))
        try:
            yield span
        except (asyncio.CancelledError, GeneratorExit):
            # Whoever asked has left; nothing went wrong.
            raise
        except BaseException as error:
            span.fail(error)
            raise
        finally:
            span.end(token)

    def measure(self, metric: Metric, value: float, attributes: Attributes) -> None:
        """Add to a counter, or record a value of a histogram."""
        _INSTRUMENTS[metric](value, attributes)
