"""Videos behind Litestar: `python web_litestar.py`, or `uvicorn web_litestar:app`."""

import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import uvicorn
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import State
from litestar.exceptions import ClientException
from litestar.params import Parameter
from litestar.response import File, Stream
from web_videos import LAST_EVENT, PAGE, STREAM_HEADERS, open_videos

logging.basicConfig(level=logging.INFO)


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    async with open_videos() as app.state.videos:
        app.state.videos.close_on_signal()
        yield


@dataclass
class NewVideo:
    prompt: str


@post("/videos")
async def order(
    request: Request[None, None, State],
    data: NewVideo,
    state: State,
    key: Annotated[str | None, Parameter(header="Idempotency-Key")] = None,
) -> Response[dict[str, str]]:
    # Other sites can make a browser send text, but not JSON without being asked first.
    if request.content_type[0] != "application/json":
        raise ClientException("expected JSON")
    answer = await state.videos.order(data.prompt, key)
    return Response(answer.body, status_code=answer.status, headers=answer.headers)


@get("/videos/{id:str}/events")
async def events(
    id: str,
    state: State,
    last_event_id: Annotated[str | None, Parameter(header="Last-Event-ID")] = None,
) -> Response[None] | Stream:
    if last_event_id == LAST_EVENT:
        return Response(None, status_code=204)
    return Stream(state.videos.events(id), headers=STREAM_HEADERS, media_type="text/event-stream")


@get("/")
async def page() -> File:
    return File(PAGE, media_type="text/html", content_disposition_type="inline")


app = Litestar([order, events, page], lifespan=[lifespan])

if __name__ == "__main__":
    # uvicorn raises the signal again when it has ended; without this it would be the exit code.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
