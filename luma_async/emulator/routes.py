"""The API of the service: five routes, with and without the version prefix."""

import uuid
from functools import partial

from aiohttp import web

from luma_async.emulator import json_shapes
from luma_async.emulator.handler import add_route
from luma_async.emulator.http_errors import HttpError
from luma_async.emulator.orders import parse_body, parse_order, parse_upload
from luma_async.emulator.query import read_ids
from luma_async.emulator.responses import Response
from luma_async.emulator.service import IncomingRequest, Service

PREFIXES = ("/luma-ai", "/v1/luma-ai")
MAX_BODY_BYTES = 100 * 1024
"""The longest body that the service's framework accepts."""


def add_routes(app: web.Application, service: Service) -> None:
    """Add the routes of the API; any other path is a 404."""
    serve = partial(
        add_route, app=app, service=service, host="api", on_error=Service.error_response
    )
    for prefix in PREFIXES:
        serve("POST", f"{prefix}/generations", "create", _create)
        serve("POST", f"{prefix}/generations/file-upload", "upload", _upload)
        serve("POST", f"{prefix}/generations/{{id}}/extend", "extend", _extend)
        for method in ("GET", "HEAD"):
            serve(method, f"{prefix}/generations", "list", _list)
            serve(method, f"{prefix}/generation", "get", _get)
    serve("*", "/{rest:.*}", "unknown", _not_found)


def _create(service: Service, request: IncomingRequest) -> Response:
    service.authorize(request)
    order = parse_order(parse_body(request.content_type, request.body))
    generation = service.world.create(order, service.clock.now())
    return Response.from_json(201, service.generation_json(generation))


def _extend(service: Service, request: IncomingRequest) -> Response:
    service.authorize(request)
    order = parse_order(parse_body(request.content_type, request.body))
    generation = service.world.extend(request.logged.ids[0], order, service.clock.now())
    return Response.from_json(201, service.generation_json(generation))


def _get(service: Service, request: IncomingRequest) -> Response:
    service.authorize(request)
    generations = service.world.get_many(read_ids(request.logged.query))
    return Response.from_json(200, [service.generation_json(item) for item in generations])


def _list(service: Service, request: IncomingRequest) -> Response:
    service.authorize(request)
    generations = service.world.listed(service.clock.now())
    return Response.from_json(200, [json_shapes.summary(item) for item in generations])


def _upload(service: Service, request: IncomingRequest) -> Response:
    service.authorize(request)
    url = parse_upload(parse_body(request.content_type, request.body))
    image_id = str(uuid.uuid5(uuid.NAMESPACE_URL, url))
    return Response.from_json(201, [{"id": image_id, **service.image_urls(image_id)}])


def _not_found(_: Service, request: IncomingRequest) -> Response:
    raise HttpError(404, f"Cannot {request.logged.method} {request.logged.path}")
