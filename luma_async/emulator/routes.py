"""The API of the service: its five routes, with and without the version prefix."""

import uuid

from aiohttp import web

from luma_async.emulator import handler, json_shapes
from luma_async.emulator.handler import Respond
from luma_async.emulator.http_errors import RefusalError
from luma_async.emulator.orders import read_json, read_order, read_upload
from luma_async.emulator.query import read_ids
from luma_async.emulator.responses import Answer
from luma_async.emulator.service import Asked, Service

PREFIXES = ("/luma-ai", "/v1/luma-ai")
LONGEST_BODY = 100 * 1024
"""Bytes of the longest body that the service's framework takes."""


def add_routes(app: web.Application, service: Service) -> None:
    """Let an application answer as the API, errors of unknown addresses included."""

    def serve(method: str, path: str, route: str, respond: Respond) -> None:
        handle = handler.handler(service, "api", route, respond, Service.refuse)
        app.router.add_route(method, path, handle)

    for prefix in PREFIXES:
        serve("POST", f"{prefix}/generations", "create", _create)
        serve("POST", f"{prefix}/generations/file-upload", "upload", _upload)
        serve("POST", f"{prefix}/generations/{{id}}/extend", "extend", _extend)
        for method in ("GET", "HEAD"):
            serve(method, f"{prefix}/generations", "list", _list)
            serve(method, f"{prefix}/generation", "get", _get)
    serve("*", "/{rest:.*}", "unknown", _unknown)


def _create(service: Service, asked: Asked) -> Answer:
    service.admit(asked)
    order = read_order(read_json(asked.content_type, asked.body))
    generation = service.world.create(order, service.clock.now())
    return Answer.of_json(201, service.show(generation))


def _extend(service: Service, asked: Asked) -> Answer:
    service.admit(asked)
    order = read_order(read_json(asked.content_type, asked.body))
    generation = service.world.extend(asked.wire.ids[0], order, service.clock.now())
    return Answer.of_json(201, service.show(generation))


def _get(service: Service, asked: Asked) -> Answer:
    service.admit(asked)
    generations = service.world.known(read_ids(asked.wire.query))
    return Answer.of_json(200, [service.show(item) for item in generations])


def _list(service: Service, asked: Asked) -> Answer:
    service.admit(asked)
    generations = service.world.listed(service.clock.now())
    return Answer.of_json(200, [json_shapes.summary(item) for item in generations])


def _upload(service: Service, asked: Asked) -> Answer:
    service.admit(asked)
    url = read_upload(read_json(asked.content_type, asked.body))
    image = str(uuid.uuid5(uuid.NAMESPACE_URL, url))
    addresses = service.image_addresses(image)
    return Answer.of_json(201, [{"id": image, **addresses}])


def _unknown(_: Service, asked: Asked) -> Answer:
    raise RefusalError(404, f"Cannot {asked.wire.method} {asked.wire.path}")
