"""One request and its answer: the way that every request of both hosts takes."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias

from aiohttp import web

from luma_async.emulator.faults import Fault
from luma_async.emulator.http_errors import RefusalError
from luma_async.emulator.orders import read_json
from luma_async.emulator.query import read_ids
from luma_async.emulator.request_log import Host, WireRequest
from luma_async.emulator.responses import Answer
from luma_async.emulator.service import Asked, Service

Respond: TypeAlias = Callable[[Service, Asked], Answer]
Refuse: TypeAlias = Callable[[Service, Asked, RefusalError], Answer]
WebHandler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def handler(
    service: Service, host: Host, route: str, respond: Respond, refuse: Refuse
) -> WebHandler:
    """Return the web handler of one route.

    `respond` gives the ordinary answer or raises `RefusalError`, which `refuse` words.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        wire = _note(service, host, route, request)
        with suppress(ConnectionError):
            asked = await _receive(wire, request)
            fault, answer = _settle(service, asked, respond, refuse)
            if fault is not None:
                await asyncio.sleep(fault.delay)
            if answer is None:
                return _hang_up(request, reset=fault is not None and fault.reset)
            with service.lock:
                service.wire.settle(wire.number, answer.status)
            if fault is not None and fault.needs_raw_answer:
                return await _break(request, answer, fault)
            return await _send(request, answer)
        # The client has left. The web server finds that out as well, and sends nothing.
        return web.Response()

    return handle


def _settle(
    service: Service, asked: Asked, respond: Respond, refuse: Refuse
) -> tuple[Fault | None, Answer | None]:
    """Do what a request asks for, as far as a fault allows, and say what it shall be told."""

    def refused(refusal: RefusalError) -> Answer:
        return refuse(service, asked, refusal)

    def ordinary() -> Answer:
        try:
            return respond(service, asked)
        except RefusalError as refusal:
            return refused(refusal)

    with service.lock:
        fault = service.desk.strike(asked.wire, _prompt(asked))
        if fault is None:
            return None, ordinary()
        return fault, fault.answer(asked.wire, ordinary, refused)


def _note(service: Service, host: Host, route: str, request: web.Request) -> WireRequest:
    path, _, query = request.raw_path.partition("?")
    named = request.match_info.get("id")
    with service.lock:
        return service.wire.add(
            WireRequest(
                number=service.wire.next_number,
                route=route,
                method=request.method,
                path=path,
                query=query,
                ids=_asked_ids(query) if route == "get" else (named,) if named else (),
                authorization=request.headers.get("Authorization"),
                connection=service.wire.connection(request.protocol),
                host=host,
                status=None,
                at=service.clock.now(),
            )
        )


def _asked_ids(query: str) -> tuple[str, ...]:
    try:
        return read_ids(query)
    except RefusalError:
        return ()


async def _receive(wire: WireRequest, request: web.Request) -> Asked:
    body: bytes | None = None
    with suppress(web.HTTPRequestEntityTooLarge):
        body = await request.read()
    headers = {name.lower(): text for name, text in request.headers.items()}
    return Asked(wire=wire, content_type=request.content_type, body=body, headers=headers)


def _prompt(asked: Asked) -> str | None:
    if asked.wire.route not in {"create", "extend"}:
        return None
    fields: Any = None
    with suppress(RefusalError):
        fields = read_json(asked.content_type, asked.body)
    prompt = fields.get("user_prompt") if isinstance(fields, dict) else None
    return prompt if isinstance(prompt, str) else None


async def _send(request: web.Request, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = answer.size
    await response.prepare(request)
    for piece in answer.body(request.method):
        await response.write(piece)
    await response.write_eof()
    return response


async def _break(request: web.Request, answer: Answer, fault: Fault) -> web.StreamResponse:
    """Say what the fault lets through, past the web server, and end the connection."""
    room = fault.cut_at
    for piece in answer.raw(request.method):
        await _write(request, piece[:room], fault.drip)
        room = None if room is None else max(0, room - len(piece))
    return _hang_up(request, reset=fault.reset)


async def _write(request: web.Request, data: bytes, drip: float) -> None:
    pieces = (data[place : place + 1] for place in range(len(data))) if drip else (data,)
    for piece in pieces:
        if request.transport is None:
            return
        request.transport.write(piece)
        await asyncio.sleep(drip)


def _hang_up(request: web.Request, *, reset: bool) -> web.StreamResponse:
    if request.transport is not None and reset:
        # A socket that lingers for no time at all ends in a reset instead of in an orderly end.
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    elif request.transport is not None:
        request.transport.close()
    # The web server finds the connection closed, and takes this for an answer nobody waits for.
    return web.Response()
