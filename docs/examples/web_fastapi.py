"""Videos behind FastAPI: `python web_fastapi.py`, or `uvicorn web_fastapi:app`."""

import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Header, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel
from web_videos import LAST_EVENT, PAGE, STREAM_HEADERS, open_videos

logging.basicConfig(level=logging.INFO)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with open_videos() as app.state.videos:
        app.state.videos.close_on_signal()
        yield


app = FastAPI(lifespan=lifespan)


class NewVideo(BaseModel):
    prompt: str


@app.post("/videos", status_code=202)
async def order(
    video: NewVideo, request: Request, idempotency_key: Annotated[str | None, Header()] = None
) -> JSONResponse:
    answer = await request.app.state.videos.order(video.prompt, idempotency_key)
    return JSONResponse(answer.body, answer.status, answer.headers)


@app.get("/videos/{id}/events")
async def events(
    id: str, request: Request, last_event_id: Annotated[str | None, Header()] = None
) -> Response:
    if last_event_id == LAST_EVENT:
        return Response(status_code=204)
    stream = request.app.state.videos.events(id)
    return StreamingResponse(stream, headers=STREAM_HEADERS, media_type="text/event-stream")


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(PAGE)


if __name__ == "__main__":
    # uvicorn raises the signal again when it has ended; without this it would be the exit code.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
