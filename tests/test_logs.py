"""The filter hides keys in log lines, whoever writes them."""

import asyncio
import io
import json
import logging
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from hypothesis import given, strategies
from multidict import CIMultiDict

from luma_async import ConfigurationError, KeyFilter, LumaClient, LumaError, Order, RetryPolicy
from luma_async.emulator import Emulator, Fault
from tests.support.clients import quick_client

KEY = "sk-CANARY-77aa01-never-to-be-seen"
SIGNED = "https://cdn.example/v.mp4?X-Amz-Signature=f00d&X-Amz-Credential=abc%2F1&size=3"


class Program:
    """A program that logs to a stream, as careless as can be, with the filter at its handler."""

    def __init__(self, log_filter: logging.Filter, formatter: logging.Formatter) -> None:
        self.stream = io.StringIO()
        self.records: list[logging.LogRecord] = []
        self.log = logging.Logger("a program", logging.DEBUG)  # noqa: LOG001 - seen by nobody else
        handler = logging.StreamHandler(self.stream)
        handler.setFormatter(formatter)
        handler.addFilter(log_filter)
        handler.addFilter(self._keep)
        self.handler = handler
        self.log.addHandler(handler)

    def _keep(self, record: logging.LogRecord) -> bool:
        self.records.append(record)
        return True

    @property
    def shown(self) -> str:
        """All that was written, and all that other handlers would get to see."""
        rest = "".join(repr(vars(record)) for record in self.records)
        tracebacks = (
            "".join(traceback.format_exception(record.exc_info[1]))
            for record in self.records
            if record.exc_info
        )
        return self.stream.getvalue() + rest + "".join(tracebacks)


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    """Make a program whose key is in its environment."""
    monkeypatch.setenv("AIML_API_KEY", KEY)
    return Program(KeyFilter(), logging.Formatter("%(levelname)s %(message)s"))


def fail(words: str) -> None:
    """Fail with a message."""
    raise ValueError(words)


def log_a_failure(log: logging.Logger, words: str) -> None:
    """Log an exception with its traceback."""
    try:
        fail(words)
    except ValueError:
        log.exception("it failed")


CARELESS: Mapping[str, Callable[[logging.Logger], None]] = {
    "in-a-message": lambda log: log.info(f"the key is {KEY}"),  # noqa: G004
    "in-an-argument": lambda log: log.info("the key is %s, %d", KEY, 3),
    "in-an-object": lambda log: log.info("headers: %s", {"Authorization": f"Bearer {KEY}"}),
    "in-bytes": lambda log: log.info("sent %s", f"Authorization: Bearer {KEY}\r\n".encode()),
    "in-a-mapping": lambda log: log.info("the key is %(key)s", {"key": KEY}),
    "in-extra": lambda log: log.info("a request", extra={"headers": [("Authorization", KEY)]}),
    "in-extra-deep": lambda log: log.info("a request", extra={"a": {"b": (KEY, 1, None)}}),
    "in-a-traceback": lambda log: log_a_failure(log, f"no such key: {KEY}"),
    "in-a-stack": lambda log: log.info(KEY, stack_info=True),
    "in-too-many-arguments": lambda log: log.info("no place for it", KEY),  # noqa: PLE1205
    "in-a-wrong-argument": lambda log: log.info("%d", KEY),
    "in-an-address": lambda log: log.info("GET /?key=%s", quote(KEY)),
    "in-an-exception-as-message": lambda log: log.error(ValueError(KEY)),
    "in-an-exception-as-extra": lambda log: log.info("oh", extra={"error": ValueError(KEY)}),
    "in-a-name-of-extra": lambda log: log.info("oh", extra={"seen": {KEY: 1}}),
    "in-headers": lambda log: log.info("oh", extra={"headers": CIMultiDict(authorization=KEY)}),
    "in-a-value": lambda log: log.info("oh", extra={"order": Order(KEY), "all": {KEY}}),
    "in-a-mapping-as-message": lambda log: log.info({"event": "oh", "key": KEY}),
}


@pytest.mark.parametrize("careless", CARELESS.values(), ids=CARELESS)
def test_the_key_of_the_environment_is_hidden(
    program: Program, careless: Callable[[logging.Logger], None]
) -> None:
    """However a program logs it, it is in no line and in no record."""
    careless(program.log)

    assert 1 == len(program.records)
    assert KEY not in program.shown


def test_the_rest_of_a_line_stays(program: Program) -> None:
    """Only the key is taken out, and what signs an address."""
    program.log.info("%s asks for %s with %s", "job 7", SIGNED, KEY)

    assert (
        "INFO job 7 asks for https://cdn.example/v.mp4?X-Amz-Signature=[key]"
        "&X-Amz-Credential=[key]&size=3 with [key]\n"
    ) == program.stream.getvalue()


def test_what_holds_no_key_is_as_it_was(program: Program) -> None:
    """An exception stays one, for handlers that report it to a tracker of errors."""
    log_a_failure(program.log, "the disk is full")

    (record,) = program.records
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ValueError)
    assert "ValueError: the disk is full" in program.stream.getvalue()


def test_the_arguments_of_other_lines_stay(program: Program) -> None:
    """Formatters that look at them, as those for lines of access do, go on to work."""
    program.log.info("%s - %d", "GET /", 200, extra={"times": OrderedDict(first=1)})

    (record,) = program.records
    assert ("%s - %d", ("GET /", 200)) == (record.msg, record.args)
    assert isinstance(vars(record)["times"], OrderedDict)


class Unspeakable:
    """A value that cannot be shown."""

    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


def test_what_cannot_be_shown_stops_no_program(program: Program) -> None:
    """A line with such a value says so, and what it belongs to goes on."""
    endless: dict[str, object] = {}
    endless["self"] = endless
    deep: dict[str, object] = {"key": KEY}
    for _ in range(3000):
        deep = {"deeper": deep}

    program.log.info("%s", Unspeakable())
    program.log.info("goes on", extra={"endless": endless})
    program.log.info("too deep", extra={"deep": deep})

    assert [
        "INFO a line that cannot be shown: ZeroDivisionError",
        "INFO goes on",
        "INFO a line that cannot be shown: RecursionError",
    ] == program.stream.getvalue().splitlines()


def test_an_exception_that_tells_the_key_becomes_text(program: Program) -> None:
    """Its traceback is shown without the key, and nobody gets at the exception itself."""
    log_a_failure(program.log, f"no such key: {KEY}")

    (record,) = program.records
    assert record.exc_info is None
    assert "ValueError: no such key: [key]" in program.stream.getvalue()


def test_a_key_that_changes_is_hidden_by_the_word_before_it() -> None:
    """A function that returns a fresh key each time needs to tell nobody."""
    program = Program(KeyFilter(), logging.Formatter("%(message)s"))

    program.log.info("Authorization: Bearer of-this-minute-alone; then BEARER  another-one")
    program.log.info("A bearer of bad news")

    assert (
        "Authorization: Bearer [key]; then BEARER  [key]\nA bearer of bad news\n"
    ) == program.stream.getvalue()


def test_other_keys_can_be_named() -> None:
    """A program with several accounts names the keys of all."""
    program = Program(KeyFilter("key-of-account-1", "key-of-account-2"), logging.Formatter())

    program.log.info("key-of-account-1, key-of-account-2")

    assert "[key], [key]\n" == program.stream.getvalue()


def test_what_can_be_no_key_is_refused() -> None:
    """A filter that would hide nothing is a mistake to hear of at the start."""
    with pytest.raises(ConfigurationError, match="empty"):
        KeyFilter("")


@given(
    before=strategies.text(max_size=20),
    key=strategies.text("abcXYZ0189-_.", min_size=8, max_size=40),
    after=strategies.text(max_size=20),
)
def test_any_key_is_hidden_anywhere(before: str, key: str, after: str) -> None:
    """No text around it brings it back."""
    record = logging.makeLogRecord({"msg": before + key + after, "extra": [key]})

    assert KeyFilter(key).filter(record)

    hidden = (before + after).replace(key, "")
    assert key in hidden or key not in repr(vars(record)).replace("[key]", "")


def structured(keys: KeyFilter) -> logging.Formatter:
    """Make structlog's formatter as the documentation shows it."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
            lambda logger, method, line: keys.hide(str(line)),
        ],
    )


def test_structlog_shows_no_key_either(program: Program) -> None:
    """Lines of other loggers, and events of structlog's own, lose it where they become text."""
    program.handler.setFormatter(structured(KeyFilter()))
    own = structlog.wrap_logger(
        program.log, processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
    )

    own.info("a request", headers={"Authorization": f"Bearer {KEY}"})
    log_a_failure(program.log, KEY)
    log_a_failure(own, KEY)

    first, second, third = (json.loads(line) for line in program.stream.getvalue().splitlines())
    assert {"headers": {"Authorization": "Bearer [key]"}, "event": "a request"} == first
    assert "it failed" == second["event"] == third["event"]
    assert "ValueError: [key]" in third["exception"]
    assert KEY not in program.stream.getvalue()


@pytest.fixture
def everything(program: Program) -> Iterator[Program]:
    """Log all that anybody in the process logs, with the filter at the one handler."""
    root = logging.getLogger()
    before, root.level = root.level, logging.DEBUG
    root.addHandler(program.handler)
    yield program
    root.removeHandler(program.handler)
    root.setLevel(before)


CALLS: Mapping[str, Callable[[LumaClient], Any]] = {
    "create": lambda luma: luma.create("A jellyfish"),
    "extend": lambda luma: luma.extend("parent", "A jellyfish"),
    "list": lambda luma: luma.list(),
    "upload": lambda luma: luma.upload_image("https://a.example/b.png"),
    "generate": lambda luma: luma.generate("A jellyfish", timeout=0.2),
}


@pytest.mark.anyio
@pytest.mark.virtual_time
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_service_that_tells_the_key_is_logged_without_it(
    everything: Program, call: Callable[[LumaClient], Any]
) -> None:
    """Everything at DEBUG, asyncio's debug mode on, and a program that logs what it catches."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    emulator = Emulator(api_key=KEY)
    emulator.place("parent", "The parent")
    emulator.inject(Fault(status=500, body=f"no, {KEY}", times=None))
    async with (
        emulator,
        quick_client(emulator.base_url, api_key=KEY, retries=RetryPolicy(attempts=1)) as luma,
    ):
        try:
            await call(luma)
        except LumaError as error:
            logging.getLogger("a program").exception("%r with %s", error, KEY)
    loop.set_debug(False)

    assert {f"Bearer {KEY}"} == {request.authorization for request in emulator.requests}
    assert "with [key]" in everything.shown
    assert KEY not in everything.shown
