"""What a test in another process can see and do: the log, the ledger and the faults, as JSON.

These routes are served beside the API, need no key and stay out of the log.
"""

import json
from collections.abc import Callable
from typing import Any

import attrs
from aiohttp import web

from luma_async.emulator.faults import Fault
from luma_async.emulator.service import Service


def add_routes(app: web.Application, service: Service) -> None:
    """Serve the state of a service.

    `GET /_ledger`, `GET /_wire` and `GET /_generations` show it. `POST /_faults` takes the fields
    of a `Fault` and answers 400 when they make none; `DELETE /_faults` clears all faults.
    """

    def show(path: str, read: Callable[[], Any]) -> None:
        async def handle(_: web.Request) -> web.Response:
            with service.lock:
                return web.json_response(read())

        app.router.add_get(path, handle)

    async def inject(request: web.Request) -> web.Response:
        try:
            fault = Fault(**json.loads(await request.read()))
        except (TypeError, ValueError) as mistake:
            return web.json_response({"message": str(mistake)}, status=400)
        with service.lock:
            service.desk.inject(fault)
        return web.json_response({}, status=201)

    async def clear(_: web.Request) -> web.Response:
        with service.lock:
            service.desk.clear(())
        return web.Response(status=204)

    show("/_ledger", lambda: [attrs.asdict(bill) for bill in service.world.bills])
    show("/_wire", lambda: [attrs.asdict(request) for request in service.wire.requests])
    show("/_generations", lambda: _described(service))
    app.router.add_post("/_faults", inject)
    app.router.add_delete("/_faults", clear)


def _described(service: Service) -> dict[str, Any]:
    known = service.world.describe(service.clock.now())
    return {name: attrs.asdict(item) for name, item in known.items()}
