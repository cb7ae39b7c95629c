"""Handles one request of either host: logs it, applies a fault if one matches, and responds."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

from aiohttp import web

from luma_async.emulator.faults import Fault
from luma_async.emulator.http_errors import HttpError
from luma_async.emulator.orders import parse_body
from luma_async.emulator.query import read_ids
from luma_async.emulator.request_log import Host, WireRequest
from luma_async.emulator.responses import Response
from luma_async.emulator.service import IncomingRequest, Service

RouteHandler: TypeAlias = Callable[[Service, IncomingRequest], Response]
ErrorHandler: TypeAlias = Callable[[Service, IncomingRequest, HttpError], Response]


def add_route(
    method: str,
    path: str,
    route: str,
    on_request: RouteHandler,
    *,
    app: web.Application,
    service: Service,
    host: Host,
    on_error: ErrorHandler,
) -> None:
    """Add a route to an application.

    `on_request` returns the ordinary response or raises `HttpError`, which `on_error` turns into a
    response.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        with suppress(ConnectionError):
            incoming = await _receive(service, host, route, request)
            fault, response = _respond(service, incoming, on_request, on_error)
            if fault is not None:
                await asyncio.sleep(fault.delay)
            if response is None:
                return _disconnect(request, reset=fault is not None and fault.reset)
            with service.lock:
                service.request_log.record_status(incoming.logged.number, response.status)
            if fault is not None and fault.needs_raw_answer:
                return await _send_raw(request, response, fault)
            return await _send(request, response)
        # The client has disconnected. aiohttp detects that as well, and sends nothing.
        return web.Response()

    app.router.add_route(method, path, handle)


async def _receive(
    service: Service, host: Host, route: str, request: web.Request
) -> IncomingRequest:
    """Log a request, then read its body."""
    path, _, query = request.raw_path.partition("?")
    with service.lock:
        logged = service.request_log.add(
            WireRequest(
                number=service.request_log.next_number,
                route=route,
                method=request.method,
                path=path,
                query=query,
                ids=_requested_ids(route, query, request.match_info.get("id")),
                authorization=request.headers.get("Authorization"),
                connection=service.request_log.connection_number(request.protocol),
                host=host,
                status=None,
                at=service.clock.now(),
            )
        )
    body: bytes | None = None
    with suppress(web.HTTPRequestEntityTooLarge):
        body = await request.read()
    headers = {name.lower(): text for name, text in request.headers.items()}
    return IncomingRequest(
        logged=logged, content_type=request.content_type, body=body, headers=headers
    )


def _requested_ids(route: str, query: str, id_in_path: str | None) -> tuple[str, ...]:
    if route != "get":
        return (id_in_path,) if id_in_path else ()
    try:
        return read_ids(query)
    except HttpError:
        return ()


def _respond(
    service: Service, request: IncomingRequest, on_request: RouteHandler, on_error: ErrorHandler
) -> tuple[Fault | None, Response | None]:
    """Return the matching fault and the response; a response of None closes the connection."""

    def error_response(error: HttpError) -> Response:
        return on_error(service, request, error)

    def ordinary() -> Response:
        try:
            return on_request(service, request)
        except HttpError as error:
            return error_response(error)

    with service.lock:
        fault = service.faults.match(request.logged, _prompt(request))
        if fault is None:
            return None, ordinary()
        return fault, fault.answer(request.logged, ordinary, error_response)


def _prompt(request: IncomingRequest) -> str | None:
    if request.logged.route not in {"create", "extend"}:
        return None
    fields: Any = None
    with suppress(HttpError):
        fields = parse_body(request.content_type, request.body)
    prompt = fields.get("user_prompt") if isinstance(fields, dict) else None
    return prompt if isinstance(prompt, str) else None


async def _send(request: web.Request, response: Response) -> web.StreamResponse:
    stream = web.StreamResponse(status=response.status, headers=response.headers)
    stream.content_length = response.content_length
    await stream.prepare(request)
    for chunk in response.body(request.method):
        await stream.write(chunk)
    await stream.write_eof()
    return stream


async def _send_raw(request: web.Request, response: Response, fault: Fault) -> web.StreamResponse:
    """Write the bytes that the fault allows straight to the transport, and disconnect."""
    bytes_left = fault.cut_at
    for chunk in response.raw(request.method):
        await _write(request, chunk[:bytes_left], fault.drip)
        bytes_left = None if bytes_left is None else max(0, bytes_left - len(chunk))
    return _disconnect(request, reset=fault.reset)


async def _write(request: web.Request, data: bytes, drip: float) -> None:
    for part in (data[start : start + 1] for start in range(len(data))) if drip else (data,):
        if request.transport is None:
            return
        request.transport.write(part)
        await asyncio.sleep(drip)


def _disconnect(request: web.Request, *, reset: bool) -> web.StreamResponse:
    if request.transport is not None and reset:
        # Closing a socket with a linger time of 0 sends a TCP reset.
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    elif request.transport is not None:
        request.transport.close()
    # aiohttp finds the connection closed and does not send this response.
    return web.Response()
