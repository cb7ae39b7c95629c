"""Scripted faults: what goes wrong, with which requests, how often."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal

import attrs
from attrs.validators import ge, optional

from luma_async.emulator.http_errors import HttpError
from luma_async.emulator.mutations import MUTATIONS, mutate
from luma_async.emulator.request_log import WireRequest
from luma_async.emulator.responses import Response

Route = Literal["create", "get", "extend", "list", "upload", "video"]
ROUTES = ("create", "get", "extend", "list", "upload", "video")
PAID_ROUTES = ("create", "extend")
_CREATED_BY = ("create", "extend", "upload")
_FRAMING = {"content-length", "transfer-encoding"}


def _id_set(ids: str | Iterable[str]) -> frozenset[str]:
    return frozenset([ids] if isinstance(ids, str) else ids)


@attrs.frozen(kw_only=True, eq=False)
class Fault:
    """A fault in the responses to certain requests. Invalid combinations are a `ValueError`.

    Which requests match:

    - `route`: requests of one route; None matches every request of either host.
    - `times`: how many requests the fault affects; None is no limit. `skip`: how many matching
      requests pass before the first one.
    - `ids`: only requests for one of these ids. A list names no ids and always matches. The shapes
      `missing` and `unknown` change these generations only.
    - `prompt`: only paid orders with exactly this prompt.

    What happens to them; without any of these fields, they get the ordinary response:

    - `status`, `body`: replace the response. The body is a string, bytes, or anything that JSON can
      represent; the default is the service's error of that status. With `accept` a create or
      extend is accepted and billed first, otherwise it is not. A status below 300 without a body is
      different: the order is accepted, and only the status of its response changes.
    - `headers`: added to the response.
    - `shape`: changes the ordinary response: `missing` (generations left out), `reordered`,
      `duplicated`, `unknown` (a state that no document names), `foreign` (a generation added that
      was not requested), `first` (only the first generation), `wrapped` (an object in a list, or
      the list in an object); or a function that takes the response's JSON and returns another.
      Requests for videos do not match.
    - `delay`: seconds of the event loop between the acceptance of an order and the response.
    - `drop`: closes the connection without a response, "before" the order is accepted and billed,
      or "after".
    - `cut_at`: closes the connection after this many bytes of the response, headers included.
    - `drip`: seconds between any two bytes of the response. The connection is closed afterwards.
    - `reset`: makes `drop` or `cut_at` close the connection with a TCP reset.
    """

    route: Route | None = None
    times: int | None = 1
    skip: int = attrs.field(default=0, validator=ge(0))
    ids: frozenset[str] = attrs.field(default=frozenset(), converter=_id_set)
    prompt: str | None = None
    accept: bool = False
    status: int | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: Any = None
    delay: float = attrs.field(default=0.0, validator=ge(0))
    drop: Literal["before", "after"] | None = None
    reset: bool = False
    cut_at: int | None = attrs.field(default=None, validator=optional(ge(0)))
    drip: float = attrs.field(default=0.0, validator=ge(0))
    shape: str | Callable[[Any], Any] | None = None

    def __attrs_post_init__(self) -> None:
        errors = [message for is_wrong, message in self._checks() if is_wrong]
        if errors:
            raise ValueError("; ".join(errors))

    def _checks(self) -> Collection[tuple[bool, str]]:
        replaces = self.status is not None or self.body is not None
        responds = replaces or bool(self.headers) or self.cut_at is not None or self.drip > 0
        unpaid = self.route is not None and self.route not in PAID_ROUTES
        return (
            (
                self.route not in (None, *ROUTES),
                f"route={self.route!r}: expected one of {', '.join(ROUTES)}",
            ),
            (
                self.drop not in (None, "before", "after"),
                f"drop={self.drop!r}: expected before or after",
            ),
            (
                self.status is not None and not 200 <= self.status <= 599,
                "status is from 200 to 599",
            ),
            (self.times is not None and self.times < 1, "times is at least 1"),
            (bool(self.drop) and (responds or bool(self.shape)), "drop gives no answer to change"),
            (replaces and bool(self.shape), "shape changes the ordinary answer: give no other"),
            (self.reset and not self.drop and self.cut_at is None, "reset needs drop or cut_at"),
            (self.accept and unpaid, "accept is for create and extend"),
            (self.accept and self.drop == "before", "drop before acceptance accepts nothing"),
            (self.prompt is not None and unpaid, "prompt is for create and extend"),
            (isinstance(self.shape, str) and self.shape not in MUTATIONS, "shape is not known"),
            (bool(self.shape) and self.route == "video", "a video has no shape"),
        )

    @property
    def needs_raw_answer(self) -> bool:
        """Whether the response has to bypass the web server."""
        breaks_framing = any(name.lower() in _FRAMING for name in self.headers)
        return self.cut_at is not None or self.drip > 0 or breaks_framing

    def concerns(self, request: WireRequest, prompt: str | None) -> bool:
        """Whether a request matches; `prompt` is that of a paid order."""
        if self.route not in {None, request.route} or (self.shape and request.host == "cdn"):
            return False
        if self.prompt is not None and self.prompt != prompt:
            return False
        return not self.ids or self.route == "list" or not self.ids.isdisjoint(request.ids)

    def answer(
        self,
        request: WireRequest,
        ordinary: Callable[[], Response],
        refuse: Callable[[HttpError], Response],
    ) -> Response | None:
        """Return the response to a matching request; None closes the connection.

        `ordinary` accepts and bills the order and returns the ordinary response; it is called at
        most once. `refuse` returns the response to an error.
        """
        if self.drop == "before":
            return None
        changes_status = self.body is None and self.status is not None and self.status < 300
        replaces = (self.status is not None or self.body is not None) and not changes_status
        response = ordinary() if self.accept or not replaces else None
        if self.drop == "after":
            return None
        if replaces or response is None:
            return self._replacement(request, refuse).with_headers(self.headers)
        return self._changed(response).with_headers(self.headers)

    def _replacement(
        self, request: WireRequest, error_response: Callable[[HttpError], Response]
    ) -> Response:
        status = self.status or (201 if request.route in _CREATED_BY else 200)
        if self.body is None:
            return error_response(HttpError(status))
        if isinstance(self.body, bytes):
            return Response(status, {"Content-Type": "application/octet-stream"}, (self.body,))
        if isinstance(self.body, str):
            encoded = self.body.encode("utf-8", "surrogatepass")
            return Response(status, {"Content-Type": "text/html; charset=utf-8"}, (encoded,))
        return Response.from_json(status, self.body)

    def _changed(self, response: Response) -> Response:
        changed = attrs.evolve(response, status=self.status or response.status)
        if self.shape is None or response.status >= 300:
            return changed
        body = response.json()
        if isinstance(self.shape, str):
            body = mutate(self.shape, body, self.ids)
        else:
            body = self.shape(body)
        return attrs.evolve(changed, chunks=(json.dumps(body).encode(),))


@attrs.define(eq=False)
class _QueuedFault:
    fault: Fault
    skipped: int = 0
    matched: int = 0


class FaultQueue:
    """The faults that were injected, in order."""

    def __init__(self) -> None:
        self._queue: list[_QueuedFault] = []

    def add(self, fault: Fault) -> None:
        """Append a fault."""
        self._queue.append(_QueuedFault(fault))

    def clear(self, faults: Collection[Fault]) -> None:
        """Remove these faults, or all faults if there are none."""
        self._queue = [item for item in self._queue if faults and item.fault not in faults]

    def match(self, request: WireRequest, prompt: str | None) -> Fault | None:
        """Return the oldest fault that applies to a request, and count it."""
        for item in self._queue:
            if not item.fault.concerns(request, prompt):
                continue
            if item.skipped < item.fault.skip:
                item.skipped += 1
            elif item.fault.times is None or item.matched < item.fault.times:
                item.matched += 1
                return item.fault
        return None
