"""What a program's own OpenTelemetry SDK would collect of the client, kept in memory."""

from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, UpDownCounter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    InMemoryMetricReader,
    NumberDataPoint,
)
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

Point = NumberDataPoint | HistogramDataPoint


class Collector:
    """Collects for the whole process, as OpenTelemetry has one set of providers for a process.

    Other tests run with it as well, so that it is to be cleared before something is asked of it.
    """

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._saboteur = _Saboteur()
        tracers = TracerProvider()
        tracers.add_span_processor(self._saboteur)
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        trace.set_tracer_provider(tracers)
        # What was measured since the last look, so that a test sees its own.
        since = AggregationTemporality.DELTA
        kinds = (Counter, Histogram, UpDownCounter)
        self._metrics = InMemoryMetricReader(dict.fromkeys(kinds, since))
        metrics.set_meter_provider(MeterProvider([self._metrics]))

    def clear(self) -> None:
        """Forget what came before."""
        self._spans.clear()
        self._metrics.get_metrics_data()

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """Return the spans that have ended, or those of one name."""
        return [one for one in self._spans.get_finished_spans() if name in (None, one.name)]

    def metrics(self) -> Mapping[str, list[Point]]:
        """Return what was measured since the last look, by name."""
        return {metric.name: list(metric.data.data_points) for metric in self._measured()}

    def break_down(self) -> None:
        """Let every span fail when it begins and when it ends, as a wrong set-up does."""
        self._saboteur.at_work = True

    def mend(self) -> None:
        """Let all be as it was."""
        self._saboteur.at_work = False

    def _measured(self) -> Iterator[Any]:
        data = self._metrics.get_metrics_data()
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                yield from scope.metrics


class _Saboteur(SpanProcessor):
    """A processor of the program's own with a mistake in it."""

    at_work = False

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if self.at_work:
            raise ZeroDivisionError

    def on_end(self, span: ReadableSpan) -> None:
        if self.at_work:
            raise ZeroDivisionError
