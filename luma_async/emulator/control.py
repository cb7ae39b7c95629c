"""Shows the log and the ledger, and accepts faults, as JSON for tests in another process.

These routes are served beside the API, need no key and are not logged.
"""

import json
from collections.abc import Callable
from typing import Any

import attrs
from aiohttp import web

from luma_async.emulator.faults import Fault
from luma_async.emulator.service import Service


def add_routes(app: web.Application, service: Service) -> None:
    """Add the control routes.

    `GET /_ledger`, `GET /_wire` and `GET /_generations` show the state. `POST /_faults` takes the
    fields of a `Fault`, and answers 400 if they are not valid; `DELETE /_faults` clears all faults.
    """

    def show(path: str, read: Callable[[], Any]) -> None:
        async def handle(_: web.Request) -> web.Response:
            with service.lock:
                return web.json_response(read())

        app.router.add_get(path, handle)

    async def inject(request: web.Request) -> web.Response:
        try:
            fault = Fault(**json.loads(await request.read()))
        except (TypeError, ValueError) as error:
            return web.json_response({"message": str(error)}, status=400)
        with service.lock:
            service.faults.add(fault)
        return web.json_response({}, status=201)

    async def clear(_: web.Request) -> web.Response:
        with service.lock:
            service.faults.clear(())
        return web.Response(status=204)

    def generations() -> dict[str, Any]:
        known = service.world.describe(service.clock.now())
        return {generation_id: attrs.asdict(item) for generation_id, item in known.items()}

    show("/_ledger", lambda: [attrs.asdict(bill) for bill in service.world.bills])
    show("/_wire", lambda: [attrs.asdict(request) for request in service.request_log.requests])
    show("/_generations", generations)
    app.router.add_post("/_faults", inject)
    app.router.add_delete("/_faults", clear)
