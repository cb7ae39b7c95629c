"""What those who operate a service see of the client: spans, metrics and log lines."""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import aiohttp
import anyio
import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics.export import HistogramDataPoint
from opentelemetry.sdk.trace import ReadableSpan

import luma_async
from luma_async import (
    Budget,
    BudgetExceededError,
    GenerationFailedError,
    LumaClient,
    LumaError,
    SubmissionUnknownError,
    WaitErrorGroup,
    WaitTimeoutError,
)
from luma_async._runtime import telemetry
from luma_async.batch import Batch
from luma_async.emulator import Emulator, Fault
from tests.support.batches import run, studio
from tests.support.clients import KEY
from tests.support.collector import Collector

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

PROMPT = "A canary of which nobody but the service is to hear"
TRACER = trace.get_tracer("a service")
OK, ERROR = trace.StatusCode.UNSET, trace.StatusCode.ERROR
FAILS = [(0.0, "queued"), (30.0, "failed")]


@pytest.fixture(scope="session")
def sdk() -> Collector:
    """Set up OpenTelemetry's SDK, once for a process, as a service does when it starts."""
    return Collector()


@pytest.fixture
async def collector(sdk: Collector) -> AsyncIterator[Collector]:
    """Collect what a test makes, and find nothing secret in it."""
    sdk.clear()
    yield sdk
    spans = sdk.spans()
    shown = json.dumps([json.loads(span.to_json()) for span in spans]) + repr(sdk.metrics())
    for secret in (PROMPT, KEY, "X-Amz", "Signature=", "http://127.0.0.1"):
        assert secret not in shown
    # Their words may repeat anything.
    assert [] == [span.events for span in spans if span.events]
    assert {None} >= {span.status.description for span in spans}


def trace_of(span: ReadableSpan) -> int:
    """Return which trace a span belongs to."""
    assert span.context is not None
    return int(span.context.trace_id)


def parent_of(span: ReadableSpan) -> int | None:
    """Return the span that a span is a part of."""
    return span.parent.span_id if span.parent is not None else None


def facts(span: ReadableSpan) -> dict[str, Any]:
    """Return the attributes of a span."""
    return dict(span.attributes or {})


def total(collector: Collector, name: str, **attributes: Any) -> float:
    """Add up what was measured under a name, with certain attributes."""
    wanted = {key.replace("__", "."): value for key, value in attributes.items()}
    return sum(
        point.sum if isinstance(point, HistogramDataPoint) else point.value
        for point in collector.metrics().get(f"luma_async.{name}", [])
        if wanted.items() <= dict(point.attributes or {}).items()
    )


async def test_a_video_is_seen_from_the_order_to_the_file(
    collector: Collector, luma: LumaClient, tmp_path: Path
) -> None:
    """What a request of the service does for a video is in the trace of that request."""
    with TRACER.start_as_current_span("a request") as request:
        done = await luma.generate(PROMPT)
        await luma.download(done, tmp_path / "canary.mp4")
        hat = await luma.extend(done, PROMPT)

    created, waited, downloaded, extended, _ = collector.spans()
    assert ["create", "wait", "download", "extend"] == [
        span.name.removeprefix("luma_async.") for span in (created, waited, downloaded, extended)
    ]
    for span in (created, waited, downloaded, extended):
        assert request.get_span_context().span_id == parent_of(span)
        assert request.get_span_context().trace_id == trace_of(span)
        assert OK == span.status.status_code
    assert [done.id] * 3 + [hat.id] == [
        facts(span)["gen_ai.response.id"] for span in (created, waited, downloaded, extended)
    ]
    assert {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.output.type": "video",
        "gen_ai.provider.name": "aimlapi",
        "gen_ai.response.id": done.id,
        "server.address": "localhost",
        "server.port": 80,
    } == facts(created)
    assert trace.SpanKind.CLIENT is created.kind
    assert trace.SpanKind.INTERNAL is waited.kind
    assert "completed" == facts(waited)["luma_async.generation.state"]
    assert (tmp_path / "canary.mp4").stat().st_size == facts(downloaded)["file.size"]


async def test_everybody_waits_in_a_trace_of_their_own(
    collector: Collector, luma: LumaClient
) -> None:
    """Whose request happens to ask for all does not draw the others into its trace."""
    orders = [await luma.create(PROMPT) for _ in range(30)]
    collector.clear()

    async def handle(order: object) -> None:
        with TRACER.start_as_current_span("a request"):
            await luma.wait_until_done(order)  # type: ignore[call-overload]

    async with anyio.create_task_group() as group:
        for order in orders:
            group.start_soon(handle, order)

    requests = {trace_of(span): span for span in collector.spans("a request")}
    waits = collector.spans("luma_async.wait")
    assert 30 == len(requests) == len(waits)
    for span in waits:
        request = requests.pop(trace_of(span))
        assert request.context is not None
        assert request.context.span_id == parent_of(span)
    # The questions that served all of them belong to none.
    assert 60 == len(collector.spans())


async def test_what_is_sent_is_a_part_of_the_order_and_polls_are_of_nothing(
    collector: Collector, emulator: Emulator
) -> None:
    """A trace of aiohttp's own shows the POST below the create, and no poll below any caller."""
    current: dict[str, trace.SpanContext] = {}

    async def note(_: object, __: object, params: aiohttp.TraceRequestStartParams) -> None:
        current[params.method] = trace.get_current_span().get_span_context()

    tracing = aiohttp.TraceConfig()
    tracing.on_request_start.append(note)
    async with (
        emulator,
        aiohttp.ClientSession(trace_configs=[tracing]) as session,
        LumaClient(KEY, base_url=emulator.base_url, session=session) as luma,
    ):
        with TRACER.start_as_current_span("a request"):
            await luma.generate(PROMPT)

    (created,) = collector.spans("luma_async.create")
    assert created.context is not None
    assert created.context.span_id == current["POST"].span_id
    assert not current["GET"].is_valid


async def test_what_a_loop_does_is_no_part_of_the_wait(
    collector: Collector, luma: LumaClient
) -> None:
    """An iteration does not become the parent of what is done with each item."""
    orders = [await luma.create(PROMPT) for _ in range(2)]

    with TRACER.start_as_current_span("a request") as request:
        async for _ in luma.as_completed(orders):
            assert request is trace.get_current_span()
        async for _ in luma.watch(await luma.create(PROMPT)):
            assert request is trace.get_current_span()

    many, one = collector.spans("luma_async.wait")
    assert 2 == facts(many)["luma_async.ids"]
    assert "completed" == facts(one)["luma_async.generation.state"]


async def test_a_failure_is_an_error_without_its_words(
    collector: Collector, emulator: Emulator, luma: LumaClient
) -> None:
    """The span says of what kind it was; what the service said may repeat the prompt."""
    emulator.script(PROMPT, FAILS)
    orders = [await luma.create(PROMPT) for _ in range(2)]
    collector.clear()

    with pytest.raises(GenerationFailedError):
        await luma.wait_until_done(orders[0])
    with pytest.raises(WaitErrorGroup):
        await luma.wait_until_done(orders)
    with pytest.raises(WaitTimeoutError):
        await luma.wait_until_done(await luma.create("Slow"), timeout=1.0)
    emulator.inject(Fault(route="create", status=400, body={"message": PROMPT}))
    with pytest.raises(LumaError):
        await luma.create(PROMPT)

    failed, group, _, late, refused = collector.spans()
    for span, kind in (
        (failed, "GenerationFailedError"),
        (group, "WaitErrorGroup"),
        (late, "WaitTimeoutError"),
        (refused, "BadRequestError"),
    ):
        assert ERROR == span.status.status_code
        assert f"luma_async.errors.{kind}" == facts(span)["error.type"]
    assert 400 == facts(refused)["http.response.status_code"]


async def test_who_leaves_has_not_failed(collector: Collector, luma: LumaClient) -> None:
    """A browser that goes away makes no dashboard red."""
    order = await luma.create(PROMPT)
    collector.clear()

    with anyio.move_on_after(1.0):
        await luma.wait_until_done(order)
    watching = luma.watch(order)
    await anext(watching)
    await watching.aclose()

    left, closed = collector.spans("luma_async.wait")
    assert OK == left.status.status_code == closed.status.status_code


async def test_a_batch_is_a_trace_of_its_own_orders(
    collector: Collector, luma: LumaClient, tmp_path: Path
) -> None:
    """Each create, wait and download of a run hangs below the run."""
    async with Batch.open(tmp_path, luma) as batch:
        await batch.add([PROMPT, f"{PROMPT}!"])
        with TRACER.start_as_current_span("a job") as job:
            await run(batch)
        spans = collector.spans()
        await run(batch)

    (ran,) = [span for span in spans if span.name == "luma_async.batch"]
    assert job.get_span_context().span_id == parent_of(ran)
    assert {"luma_async.batch.orders": 2} == facts(ran)
    assert ran.context is not None
    below = [span.name for span in spans if parent_of(span) == ran.context.span_id]
    assert ["create", "create", "download", "download", "wait", "wait"] == sorted(
        name.removeprefix("luma_async.") for name in below
    )
    # A batch that is finished does nothing, and so there is nothing to see.
    assert len(spans) == len(collector.spans())


async def test_a_batch_that_cannot_go_on_is_an_error(
    collector: Collector, emulator: Emulator, luma: LumaClient, tmp_path: Path
) -> None:
    """Without credits it ends as one that failed."""
    emulator.inject(Fault(route="create", status=401, times=None))
    async with Batch.open(tmp_path, luma) as batch:
        await batch.add([PROMPT])
        with pytest.raises(LumaError):
            await run(batch)

    (ran,) = collector.spans("luma_async.batch")
    assert ERROR == ran.status.status_code


async def test_requests_are_counted_by_route_and_status(
    collector: Collector, emulator: Emulator, luma: LumaClient
) -> None:
    """A dashboard shows what is asked of the service, what fails, and what is asked again."""
    order = await luma.create(PROMPT)
    emulator.inject(Fault(route="list", times=2, status=503))
    emulator.inject(Fault(route="get", drop="before", times=2))
    await luma.list()
    await luma.wait_until_done(order)
    await luma.extend(order, PROMPT)

    metrics = collector.metrics()
    durations = metrics["luma_async.request.duration"]
    counts: dict[tuple[object, ...], int] = {}
    for point in durations:
        assert isinstance(point, HistogramDataPoint)
        seen = dict(point.attributes or {})
        end = seen.get("http.response.status_code", seen.get("error.type"))
        counts[seen["http.request.method"], seen["url.template"], end] = point.count
    gets = counts.pop(("GET", "/luma-ai/generation", 200))
    assert {
        ("POST", "/luma-ai/generations", 201): 1,
        ("POST", "/luma-ai/generations/{id}/extend", 201): 1,
        ("GET", "/luma-ai/generations", 503): 2,
        ("GET", "/luma-ai/generations", 200): 1,
        ("GET", "/luma-ai/generation", "luma_async.errors.DisconnectedError"): 1,
    } == counts
    (ids,) = metrics["luma_async.request.ids"]
    assert isinstance(ids, HistogramDataPoint)
    assert gets + 1 == ids.count == ids.sum
    repeated = {
        (point.attributes or {})["luma_async.route"]: getattr(point, "value", None)
        for point in metrics["luma_async.requests.repeated"]
    }
    # aiohttp has repeated the other one by itself.
    assert {"list": 2, "get": 1} == repeated
    (delay,) = metrics["luma_async.generation.delay"]
    assert isinstance(delay, HistogramDataPoint)
    assert 1 == delay.count


async def test_what_goes_on_now_is_a_level(collector: Collector, luma: LumaClient) -> None:
    """The waiting and the requests under way go up, and down again whatever ends them."""
    orders = [await luma.create(PROMPT) for _ in range(3)]
    collector.clear()

    async with anyio.create_task_group() as group:
        for order in orders:
            group.start_soon(luma.wait_until_done, order)
        await anyio.sleep(0.1)
        assert 3 == total(collector, "generations.waiting")
        group.cancel_scope.cancel()

    assert -3 == total(collector, "generations.waiting")

    await luma.list()
    (level,) = collector.metrics()["luma_async.requests.active"]
    assert 0 == getattr(level, "value", None)


async def test_what_is_spent_is_counted(
    collector: Collector, emulator: Emulator, luma: LumaClient
) -> None:
    """Money that may have been spent counts, and stands out as such."""
    await luma.create(PROMPT)
    emulator.inject(Fault(route="create", drop="after"))
    with pytest.raises(SubmissionUnknownError):
        await luma.create(PROMPT)
    emulator.inject(Fault(route="create", status=400))
    with pytest.raises(LumaError):
        await luma.create(PROMPT)

    metrics = collector.metrics()
    assert [1_000_000] == [getattr(one, "value", 0) for one in metrics["luma_async.tokens"]]
    (unknown,) = metrics["luma_async.orders.unknown"]
    assert {"luma_async.route": "create"} == dict(unknown.attributes or {})
    *_, doubtful, _ = collector.spans("luma_async.create")
    assert "luma_async.errors.SubmissionUnknownError" == facts(doubtful)["error.type"]


async def test_an_order_beyond_the_budget_is_seen_as_well(
    collector: Collector, emulator: Emulator
) -> None:
    """It never left, and the trace says why."""
    async with studio(emulator, budget=Budget(tokens=1)) as luma:
        with pytest.raises(BudgetExceededError):
            await luma.create(PROMPT)

    (span,) = collector.spans()
    assert "luma_async.errors.BudgetExceededError" == facts(span)["error.type"]


class _Broken(logging.Filter):
    """A filter of the program's own with a mistake in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        raise ZeroDivisionError


async def test_a_broken_filter_costs_no_video(emulator: Emulator, luma: LumaClient) -> None:
    """Whatever a program does with log lines, it hears of what it paid for."""
    log, broken = logging.getLogger("luma_async"), _Broken()
    log.addFilter(broken)
    log.setLevel(logging.DEBUG)
    try:
        assert (await luma.generate(PROMPT)).is_completed
    finally:
        log.removeFilter(broken)
        log.setLevel(logging.NOTSET)
    assert 1 == emulator.billed


async def test_a_broken_collector_costs_no_video(
    sdk: Collector,
    emulator: Emulator,
    luma: LumaClient,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    """A mistake in how OpenTelemetry is set up is logged, once, and stops nothing."""
    telemetry._complain.cache_clear()
    sdk.break_down()
    try:
        done = await luma.generate(PROMPT)
        await luma.download(done, tmp_path / "canary.mp4")
    finally:
        sdk.mend()

    assert 1 == emulator.billed
    assert 1 == caplog.text.count("OpenTelemetry failed (ZeroDivisionError)")


@pytest.fixture
def _without_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "luma_async._runtime.otel", None)
    telemetry._collector.cache_clear()
    yield
    telemetry._collector.cache_clear()


@pytest.mark.usefixtures("_without_opentelemetry")
async def test_nothing_is_missed_where_it_is_not_installed(
    collector: Collector, luma: LumaClient, tmp_path: Path
) -> None:
    """The client does the same without it."""
    async with Batch.open(tmp_path, luma) as batch:
        await batch.add([PROMPT])
        (outcome,) = await run(batch)

    assert outcome.error is None
    assert [] == collector.spans()


async def test_an_opentelemetry_that_does_not_fit_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, luma: LumaClient, caplog: pytest.LogCaptureFixture
) -> None:
    """One that is too old is done without, and the log says so."""
    monkeypatch.setitem(sys.modules, "luma_async._runtime.otel", ModuleType("of another version"))
    telemetry._collector.cache_clear()
    telemetry._complain.cache_clear()
    try:
        assert (await luma.generate(PROMPT)).is_completed
    finally:
        telemetry._collector.cache_clear()
    assert 1 == caplog.text.count("OpenTelemetry failed (ImportError)")


BROKEN = """
import asyncio, sys
from opentelemetry import trace

class Broken(trace.NonRecordingSpan):
    def set_attribute(self, *_):
        raise ZeroDivisionError
    set_attributes = set_status = end = set_attribute

class Tracer(trace.NoOpTracer):
    def start_span(self, *_, **__):
        return Broken(trace.INVALID_SPAN_CONTEXT)

class Provider(trace.NoOpTracerProvider):
    def get_tracer(self, *_, **__):
        return Tracer()

if "own" in sys.argv:
    trace.set_tracer_provider(Provider())

from luma_async import LumaClient, SubmissionUnknownError
from luma_async.emulator import Emulator, Fault, VirtualTimeLoop

async def main():
    async with Emulator() as emulator, LumaClient("any-key", base_url=emulator.base_url) as luma:
        done = await luma.generate("A fox")
        await luma.download(done, "fox.mp4")
        emulator.inject(Fault(route="create", drop="after"))
        try:
            await luma.create("A fox")
        except SubmissionUnknownError:
            print(done.state, "and in doubt")

with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
    runner.run(main())
"""


@pytest.mark.parametrize(
    ("argument", "environment"),
    [("own", {}), ("", {"OTEL_PYTHON_TRACER_PROVIDER": "of-nobody"})],
    ids=["a tracer that fails", "a provider that cannot be loaded"],
)
def test_whatever_a_program_traces_with_it_hears_of_its_videos(
    argument: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """Videos and doubts reach a program whose own OpenTelemetry raises at every turn."""
    output = subprocess.run(
        [sys.executable, "-c", BROKEN, argument],
        env={**os.environ, **environment},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "completed and in doubt\n" == output.stdout
    assert "OpenTelemetry failed" in output.stderr


async def test_what_the_service_calls_a_state_is_bounded(
    collector: Collector, emulator: Emulator, luma: LumaClient
) -> None:
    """Whatever it says, no attribute grows, or holds what cannot be sent on."""
    emulator.script(PROMPT, [(0.0, "queued"), (30.0, "x" * 5000 + "\n"), (60.0, "completed")])
    async with aclosing(luma.watch(await luma.create(PROMPT))) as changes:
        async for one in changes:
            if one.state.startswith("x"):
                break
    (span,) = collector.spans("luma_async.wait")
    assert "x" * 100 == facts(span)["luma_async.generation.state"]


def test_whoever_makes_no_client_does_not_load_it() -> None:
    """Importing the package does not import OpenTelemetry, though it is installed."""
    program = "import sys, luma_async.batch; print('opentelemetry' in sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert "False\n" == output.stdout


class TestLogLines:
    """One line for each event, with the facts as attributes of the record."""

    async def test_a_life_of_a_video(
        self, luma: LumaClient, caplog: pytest.LogCaptureFixture, tmp_path: Path
    ) -> None:
        """At INFO there is a line for what was paid, for its end, and for the file."""
        caplog.set_level(logging.INFO, "luma_async")

        done = await luma.generate(PROMPT)
        await luma.download(done, tmp_path / "canary.mp4")

        assert [
            "luma_async.order.accepted",
            "luma_async.generation.ended",
            "luma_async.video.stored",
        ] == [vars(record)["event.name"] for record in caplog.records]
        assert {done.id} == {vars(record)["gen_ai.response.id"] for record in caplog.records}
        assert "completed" == vars(caplog.records[1])["luma_async.generation.state"]
        assert PROMPT not in caplog.text

    async def test_trouble_is_told_with_its_kind(
        self, emulator: Emulator, luma: LumaClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A failed poll, a repeated request and a doubtful payment can be told by their names."""
        caplog.set_level(logging.INFO, "luma_async")
        emulator.script(PROMPT, FAILS)
        order = await luma.create(PROMPT)
        emulator.inject(Fault(route="list", status=503, body={"message": PROMPT}))
        emulator.inject(Fault(route="get", status=502, body={"message": PROMPT}))
        emulator.inject(Fault(route="create", drop="after"))

        await luma.list()
        with pytest.raises(GenerationFailedError):
            await luma.wait_until_done(order)
        with pytest.raises(SubmissionUnknownError):
            await luma.create(PROMPT)

        told = {vars(record)["event.name"]: vars(record) for record in caplog.records}
        assert 503 == told["luma_async.request.repeated"]["http.response.status_code"]
        assert 502 == told["luma_async.poll.failed"]["http.response.status_code"]
        assert "failed" == told["luma_async.generation.ended"]["luma_async.generation.state"]
        assert "create" == told["luma_async.order.unknown"]["luma_async.route"]
        assert PROMPT not in caplog.text
        assert "test_telemetry" not in {record.module for record in caplog.records}
        assert {"fetcher", "tracker", "submitter"} == {one.module for one in caplog.records}

    async def test_a_generation_that_is_not_known_has_ended_too(
        self, luma: LumaClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Its line says of what kind the end was."""
        caplog.set_level(logging.INFO, "luma_async")

        with pytest.raises(LumaError):
            await luma.wait_until_done("nobody-s")

        (line,) = [one for one in caplog.records if "nobody-s" in one.getMessage()]
        assert "generation nobody-s ended: luma_async.errors.NotFoundError" == line.getMessage()


DOCS = Path(__file__).parents[2] / "docs"


def documented(page: str) -> set[str]:
    """Return the names of the package that the tables of a page have in their cells."""
    rows = [line for line in (DOCS / "howto" / page).read_text().splitlines() if line[:1] == "|"]
    return set(re.findall(r"`(luma_async\.[a-z_.]+)`", "\n".join(rows)))


def test_every_metric_is_documented() -> None:
    """Whoever builds a dashboard finds all there is on one page."""
    metrics = {f"luma_async.{name}" for name in get_args(telemetry.Metric)}
    assert set() == metrics - documented("telemetry.md")


def test_every_event_is_documented() -> None:
    """Whoever filters lines by their names finds all names on one page, and no others."""
    called = {
        f"luma_async.{event}"
        for path in Path(luma_async.__file__).parent.rglob("*.py")
        for event in re.findall(r"\blog\(\s*logging\.[A-Z]+,\s*\"([a-z_.]+)\"", path.read_text())
    }
    names = {name for name in documented("logging.md") if name in called or name not in FACTS}
    assert called == names
    assert 20 == len(called)


FACTS = {
    value for value in vars(telemetry).values() if isinstance(value, str) and "luma_async" in value
} | {"luma_async.poll.answered", "luma_async.batch.orders", "luma_async.order"}


def run_example(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the documentation in an empty folder, against an emulator."""
    with Emulator(time_scale=3000, estimates=True).running_in_thread() as emulator:
        return subprocess.run(
            [sys.executable, "-W", "error", str(DOCS / "examples" / name)],
            env={**os.environ, "AIML_API_KEY": KEY, "AIML_API_BASE": emulator.base_url},
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )


def test_the_program_of_the_docs_shows_all_on_the_console(tmp_path: Path) -> None:
    """Spans in one trace, and the metrics, by OpenTelemetry's own exporters."""
    shown = run_example("telemetry_console.py", tmp_path).stdout

    spans, rest = [], shown
    while rest.startswith("{"):
        span, end = json.JSONDecoder().raw_decode(rest)
        rest = rest[end:].lstrip()
        spans.append(span)
    *spans, measured = spans
    assert [
        "luma_async.create",
        "luma_async.wait",
        "luma_async.download",
        "make a trailer",
    ] == [span["name"] for span in spans]
    assert 1 == len({span["context"]["trace_id"] for span in spans})
    (scope,) = measured["resource_metrics"][0]["scope_metrics"]
    assert "luma_async" == scope["scope"]["name"]
    assert "luma_async.tokens" in [metric["name"] for metric in scope["metrics"]]
    assert "explosions" not in shown
    assert KEY not in shown


def test_the_recipe_for_structlog_writes_facts(tmp_path: Path) -> None:
    """Each line is an object of JSON, with the attributes as its fields."""
    lines = run_example("logs_structlog.py", tmp_path).stderr.splitlines()

    accepted, ended = (json.loads(line) for line in lines)
    assert ("luma_async", "info") == (accepted["logger"], accepted["level"])
    assert "luma_async.order.accepted" == accepted["event.name"]
    assert accepted["gen_ai.response.id"] == ended["gen_ai.response.id"]
    assert "completed" == ended["luma_async.generation.state"]
    assert accepted["event"].startswith("create was accepted as generation")
