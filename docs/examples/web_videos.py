"""Videos in a web service, whatever its framework: ordered once, and told of as events.

`web_fastapi.py`, `web_litestar.py` and `web_aiohttp.py` put this behind their addresses.
"""

import asyncio
import json
import logging
import math
import random
import signal
import sqlite3
import threading
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from luma_async import (
    BadRequestError,
    Budget,
    ClientStateError,
    ConfigurationError,
    Generation,
    LumaClient,
    LumaError,
    NotFoundError,
    Order,
    PollPolicy,
    SubmissionUnknownError,
)

BUDGET = Budget(tokens=10_000_000)
"""What one process may spend in its life: 20 videos, 5 US dollars."""
POLLING = PollPolicy(missing_grace=10.0, missing_answers=3)
"""Gives up sooner than usual on ids that the service does not know: anybody can make one up."""
HEARTBEAT_SECONDS = 15.0
"""Proxies close a connection on which nothing moves, many of them after a minute."""

PAGE = Path(__file__).with_name("page.html")
STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""Against proxies that would keep events, or hold them back."""
LAST_EVENT = "done"
"""The id of a last event. Who comes back with it is answered 204, so that it stays away."""

_SENDING, _UNKNOWN = "sending", "unknown"
_LOG = logging.getLogger("videos")


class Answer(NamedTuple):
    """What a `POST` is answered with."""

    status: int
    body: dict[str, str]
    headers: dict[str, str]


class NotNotedError(Exception):
    """An order could not be written down, and so was not sent."""


class Record:
    """What became of one order, in a database that outlives the process.

    It is told before the order leaves, and of the outcome before anybody else hears of it, also
    when the browser has left meanwhile. A key cannot be noted twice, by another process neither.
    """

    def __init__(self, orders: sqlite3.Connection, key: str, prompt: str) -> None:
        self._orders = orders
        self._name = (key, prompt)

    @property
    def outcome(self) -> str | None:
        """The id of the generation, or in what state the order is; None if it was not sent.

        What cannot be read counts as being sent, as it may be.
        """
        statement = "select outcome from orders where key = ? and prompt = ?"
        try:
            found = self._orders.execute(statement, self._name).fetchone()
        except sqlite3.Error as error:
            _LOG.error("order %s cannot be looked up: %s", self._name[0], error)
            return _SENDING
        return None if found is None else str(found[0])

    async def sending(self) -> None:
        """Note the order; this raises, and so stops it, where it is noted already, or cannot be."""
        sent_at = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            self._orders.execute(
                "insert into orders values (?, ?, ?, ?)", (*self._name, _SENDING, sent_at)
            )
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise NotNotedError(f"it could not be noted: {error}") from error

    async def sent(self, result: Generation | LumaError) -> None:
        """Note the outcome, or strike the order out where nothing was paid."""
        if isinstance(result, (Generation, SubmissionUnknownError)):
            outcome = result.id if isinstance(result, Generation) else _UNKNOWN
            # Before the database hears of it, which may fail.
            _LOG.info("order %s: %s", self._name[0], outcome)
            statement = "update orders set outcome = ? where key = ? and prompt = ?"
            self._orders.execute(statement, (outcome, *self._name))
        else:
            statement = "delete from orders where key = ? and prompt = ?"
            self._orders.execute(statement, self._name)


class Videos:
    """Orders videos, and tells what becomes of them; one object for all of a process."""

    def __init__(self, luma: LumaClient, orders: sqlite3.Connection) -> None:
        self._luma = luma
        self._orders = orders

    async def order(self, prompt: str, key: str | None) -> Answer:
        """Order a video, once however often the same key and prompt come."""
        record = Record(self._orders, key or uuid.uuid4().hex, prompt)
        try:
            if record.outcome is None:
                await self._luma.submit(Order(prompt), recorder=record)
        except (SubmissionUnknownError, sqlite3.IntegrityError):
            pass  # The record says which: sent, with no answer; or being sent by somebody else.
        except sqlite3.Error as error:
            _LOG.error("what became of an order could not be noted: %s", error)
            return _answer(_UNKNOWN)
        except UnicodeError:
            return Answer(422, {"error": "The prompt or its key holds half a character."}, {})
        except (ValueError, BadRequestError) as error:
            return Answer(422, {"error": str(error)}, {})
        except (LumaError, NotNotedError) as error:
            _LOG.warning("an order was not sent, or refused: %s", error)
            seconds = math.ceil(getattr(error, "retry_after", None) or 10)
            text = "No video can be ordered now. Nothing was paid."
            return Answer(503, {"error": text}, {"Retry-After": str(seconds)})
        return _answer(record.outcome)

    async def events(self, id: str) -> AsyncGenerator[bytes]:
        """Yield Server-Sent Events, from the present state to the last, and heartbeats between."""
        # So that the listeners of a process that stops do not all come back at once.
        yield f"retry: {random.randint(1000, 5000)}\n\n".encode()
        inbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        reader = asyncio.create_task(self._follow(id, inbox))
        reader.add_done_callback(lambda _: inbox.put_nowait(None))
        try:
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        event = await inbox.get()
                except TimeoutError:
                    event = b":\n\n"
                if event is None:
                    return
                yield event
        finally:
            reader.cancel()

    async def _follow(self, id: str, inbox: asyncio.Queue[bytes | None]) -> None:
        try:
            async with aclosing(self._luma.watch(id)) as changes:
                async for generation in changes:
                    inbox.put_nowait(_event(generation))
        except ClientStateError:
            pass  # The process stops: without a last event the browser comes back by itself.
        except (NotFoundError, ConfigurationError):
            inbox.put_nowait(_last_event("unknown", "The service does not know this video."))
        except LumaError as error:
            _LOG.warning("%s is followed no longer: %s", id, error)
            inbox.put_nowait(_last_event("lost", "It cannot be followed now. Look again later."))

    async def close(self) -> None:
        """End all streams. Orders under way are given the time to learn their outcome."""
        await self._luma.close()

    def close_on_signal(self) -> None:
        """Close as soon as the process is told to stop.

        For servers such as uvicorn, which wait for open streams before the lifespan may end.
        """
        if threading.current_thread() is not threading.main_thread():
            return  # No signals come here, as in a test client.
        loop = asyncio.get_running_loop()
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def stop(number: int, frame: FrameType | None) -> None:
            asyncio.run_coroutine_threadsafe(self.close(), loop)
            if callable(handler := handlers[signal.Signals(number)]):
                handler(number, frame)

        for number in handlers:
            signal.signal(number, stop)


@asynccontextmanager
async def open_videos() -> AsyncIterator[Videos]:
    """Open the one client of this process, and the orders that all processes share."""
    # Waiting for a lock stops the event loop, and so all streams. In WAL mode there are fewer
    # locks to wait for; and a wait ends soon, as an order that was not noted can come again.
    with closing(sqlite3.connect("orders.sqlite", timeout=0.5, isolation_level=None)) as orders:
        with suppress(sqlite3.OperationalError):  # Another worker does it, for all of them.
            orders.execute("pragma journal_mode = wal")
        orders.execute(
            "create table if not exists orders"
            " (key text, prompt text, outcome text, sent_at text, primary key (key, prompt))"
        )
        async with LumaClient(budget=BUDGET, polling=POLLING) as luma:
            yield Videos(luma, orders)


def _answer(outcome: str | None) -> Answer:
    if outcome == _UNKNOWN:
        text = (
            "The order was sent, and it is not known what became of it. It may have been paid: do "
            "not order it again before the operator of this service has looked into the account."
        )
        return Answer(502, {"error": text}, {})
    if outcome in (_SENDING, None):
        text = "This order is on its way, or cannot be looked up now."
        return Answer(409, {"error": text}, {"Retry-After": "2"})
    return Answer(202, {"id": str(outcome)}, {"Location": f"/videos/{outcome}/events"})


def _event(generation: Generation) -> bytes:
    video = generation.video if generation.is_completed else None
    data = {
        "state": generation.state,
        "prompt": generation.prompt,
        "seconds_left": generation.seconds_left,
        "video": (video.url or video.download_url) if video is not None else None,
        "reason": generation.failure_reason,
    }
    return _encoded(data, is_last=generation.is_done)


def _last_event(state: str, reason: str) -> bytes:
    return _encoded({"state": state, "reason": reason}, is_last=True)


def _encoded(data: Mapping[str, object], *, is_last: bool) -> bytes:
    name = f"id: {LAST_EVENT}\n" if is_last else ""
    return f"{name}data: {json.dumps(data)}\n\n".encode()
