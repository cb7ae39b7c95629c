"""Videos behind the server of aiohttp: `python web_aiohttp.py`."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress

from aiohttp import web
from web_videos import LAST_EVENT, PAGE, STREAM_HEADERS, Videos, open_videos

VIDEOS = web.AppKey("videos", Videos)
routes = web.RouteTableDef()


async def videos_of_the_app(app: web.Application) -> AsyncIterator[None]:
    async with open_videos() as app[VIDEOS]:
        yield


async def end_streams(app: web.Application) -> None:
    await app[VIDEOS].close()


@routes.post("/videos")
async def order(request: web.Request) -> web.Response:
    try:
        # Other sites can make a browser send text, but not JSON without being asked first.
        body = await request.json() if request.content_type == "application/json" else None
    except ValueError:
        body = None
    match body:
        case {"prompt": str(prompt)}:
            key = request.headers.get("Idempotency-Key")
            status, answer, headers = await request.app[VIDEOS].order(prompt, key)
            return web.json_response(answer, status=status, headers=headers)
        case _:
            return web.json_response({"error": 'expected JSON: {"prompt": "..."}'}, status=400)


@routes.get("/videos/{id}/events")
async def events(request: web.Request) -> web.StreamResponse:
    if request.headers.get("Last-Event-ID") == LAST_EVENT:
        return web.Response(status=204)
    response = web.StreamResponse(headers=STREAM_HEADERS)
    response.content_type = "text/event-stream"
    await response.prepare(request)
    async with aclosing(request.app[VIDEOS].events(request.match_info["id"])) as stream:
        with suppress(ConnectionError):  # The browser has left, and aiohttp is about to notice.
            async for event in stream:
                await response.write(event)
    return response


@routes.get("/")
async def page(_: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE)


app = web.Application()
app.add_routes(routes)
app.cleanup_ctx.append(videos_of_the_app)
app.on_shutdown.append(end_streams)  # Before the server waits for the handlers to end.

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    # With handler_cancellation a listener who leaves is noticed at once.
    web.run_app(
        app, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")), handler_cancellation=True
    )
