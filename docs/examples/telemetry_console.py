"""Shows on the console what the client tells OpenTelemetry."""

import asyncio

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from luma_async import LumaClient

tracers = TracerProvider()
tracers.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(tracers)
meters = MeterProvider([PeriodicExportingMetricReader(ConsoleMetricExporter())])
metrics.set_meter_provider(meters)


async def main() -> None:
    """Make a video, as a part of something larger."""
    async with LumaClient() as luma:
        with trace.get_tracer("a studio").start_as_current_span("make a trailer"):
            done = await luma.generate("A trailer with explosions")
            await luma.download(done, "trailer.mp4", overwrite=True)


asyncio.run(main())
meters.shutdown()
