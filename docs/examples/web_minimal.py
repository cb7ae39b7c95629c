"""The least that a web service needs: one client, opened with the service and closed with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Body, FastAPI, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from luma_async import Budget, LumaClient


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with LumaClient(budget=Budget(tokens=10_000_000)) as app.state.luma:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/videos", status_code=202)
async def order(prompt: Annotated[str, Body(embed=True)], request: Request) -> dict[str, str]:
    return {"id": (await request.app.state.luma.create(prompt)).id}


@app.get("/videos/{id}/events", response_class=EventSourceResponse)
async def events(id: str, request: Request) -> AsyncIterator[ServerSentEvent]:
    async for video in request.app.state.luma.watch(id):
        yield ServerSentEvent(data={"state": video.state, "seconds_left": video.seconds_left})
