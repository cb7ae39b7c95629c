"""Scripted faults: what shall go wrong, with which request, how often."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal

import attrs
from attrs.validators import ge, optional

from luma_async.emulator.http_errors import RefusalError
from luma_async.emulator.mutations import SHAPES, reshape
from luma_async.emulator.request_log import WireRequest
from luma_async.emulator.responses import Answer, phrase

Route = Literal["create", "get", "extend", "list", "upload", "video"]
ROUTES = ("create", "get", "extend", "list", "upload", "video")
PAID_ROUTES = ("create", "extend")
_CREATED_BY = ("create", "extend", "upload")
_FRAMING = {"content-length", "transfer-encoding"}


def _id_set(ids: str | Iterable[str]) -> frozenset[str]:
    return frozenset([ids] if isinstance(ids, str) else ids)


@attrs.frozen(kw_only=True, eq=False)
class Fault:
    """Something that goes wrong with certain requests. Wrong combinations are a `ValueError`.

    Which requests it strikes:

    - `route`: those of one route; None strikes any request of either host.
    - `times`: so many of them; None strikes for ever. `skip`: this many pass first.
    - `ids`: only those that name one of these ids. A list names none and is struck all the same.
      The shapes `missing` and `unknown` change these generations and leave the others alone.
    - `prompt`: only paid orders with exactly this prompt.

    What then happens; without any of these, the ordinary answer is given:

    - `status`, `body`: this answer instead of the ordinary one. The body is a text, bytes, or
      anything that JSON can hold; the default is the service's error of that status. With `accept`
      a create or extend is accepted and billed first, otherwise it is not. A status below 300 with
      no body is different: the order is accepted, and its answer only bears another number.
    - `headers`: added to the answer, whichever it is.
    - `shape`: a change to the ordinary answer: `missing` (generations left out), `reordered`,
      `duplicated`, `unknown` (a state that no document names), `foreign` (one that nobody asked
      for), `first` (only one of them), `wrapped` (a list of one, or the list inside an object); or
      a function from the answer's JSON to another. Videos have no shape and are passed over.
    - `delay`: seconds of the event loop between accepting an order and answering it.
    - `drop`: the connection is closed without an answer, "before" the order is accepted, with
      nothing billed, or "after".
    - `cut_at`: the connection is closed after so many bytes of the answer, head included.
    - `drip`: seconds between any two bytes of the answer. The connection is closed behind it.
    - `reset`: a drop or a cut ends in a TCP reset rather than in an orderly end.
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
        complaints = [text for wrong, text in self._mistakes() if wrong]
        if complaints:
            raise ValueError("; ".join(complaints))

    def _mistakes(self) -> Collection[tuple[bool, str]]:
        answers = self.status is not None or self.body is not None
        spoken = answers or bool(self.headers) or self.cut_at is not None or self.drip > 0
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
            (bool(self.drop) and (spoken or bool(self.shape)), "drop gives no answer to change"),
            (answers and bool(self.shape), "shape changes the ordinary answer: give no other"),
            (self.reset and not self.drop and self.cut_at is None, "reset needs drop or cut_at"),
            (self.accept and unpaid, "accept is for create and extend"),
            (self.accept and self.drop == "before", "drop before acceptance accepts nothing"),
            (self.prompt is not None and unpaid, "prompt is for create and extend"),
            (isinstance(self.shape, str) and self.shape not in SHAPES, "shape is not known"),
            (bool(self.shape) and self.route == "video", "a video has no shape"),
        )

    @property
    def needs_raw_answer(self) -> bool:
        """Whether the answer has to be written byte by byte rather than by the web server."""
        breaks_framing = any(name.lower() in _FRAMING for name in self.headers)
        return self.cut_at is not None or self.drip > 0 or breaks_framing

    def concerns(self, request: WireRequest, prompt: str | None) -> bool:
        """Whether it could strike a request, of this prompt if it is a paid order."""
        if self.route not in {None, request.route} or (self.shape and request.host == "cdn"):
            return False
        if self.prompt is not None and self.prompt != prompt:
            return False
        return not self.ids or self.route == "list" or not self.ids.isdisjoint(request.ids)

    def answer(
        self,
        request: WireRequest,
        ordinary: Callable[[], Answer],
        refuse: Callable[[RefusalError], Answer],
    ) -> Answer | None:
        """Return what a struck request is answered with, or None for a connection just closed.

        `ordinary` gives the ordinary answer and thereby accepts and bills the order; it is called
        at most once. `refuse` words an error.
        """
        if self.drop == "before":
            return None
        renumbered = self.body is None and self.status is not None and self.status < 300
        replaced = (self.status is not None or self.body is not None) and not renumbered
        usual = ordinary() if self.accept or not replaced else None
        if self.drop == "after":
            return None
        if replaced or usual is None:
            return self._own_answer(request, refuse).with_headers(self.headers)
        return self._changed(usual).with_headers(self.headers)

    def _own_answer(self, request: WireRequest, refuse: Callable[[RefusalError], Answer]) -> Answer:
        status = self.status or (201 if request.route in _CREATED_BY else 200)
        if self.body is None:
            return refuse(RefusalError(status, _MESSAGES.get(status) or phrase(status)))
        if isinstance(self.body, bytes):
            return Answer(status, {"Content-Type": "application/octet-stream"}, (self.body,))
        if isinstance(self.body, str):
            encoded = self.body.encode("utf-8", "surrogatepass")
            return Answer(status, {"Content-Type": "text/html; charset=utf-8"}, (encoded,))
        return Answer.of_json(status, self.body)

    def _changed(self, usual: Answer) -> Answer:
        changed = attrs.evolve(usual, status=self.status or usual.status)
        if self.shape is None or usual.status >= 300:
            return changed
        value = usual.value()
        shaped = (
            reshape(self.shape, value, self.ids)
            if isinstance(self.shape, str)
            else self.shape(value)
        )
        return attrs.evolve(changed, pieces=(json.dumps(shaped).encode(),))


_MESSAGES = {
    400: "Body validation error",
    401: "Unauthorized",
    403: "You've run out of credits. Top up the balance to go on.",
    429: "Too many requests",
    500: "Internal server error",
}


@attrs.define(eq=False)
class _Armed:
    fault: Fault
    passed: int = 0
    struck: int = 0


class FaultDesk:
    """Holds the faults that wait for their requests."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def inject(self, fault: Fault) -> None:
        """Arm a fault."""
        self._armed.append(_Armed(fault))

    def clear(self, faults: Collection[Fault]) -> None:
        """Disarm these faults, or all when none is named."""
        self._armed = [item for item in self._armed if faults and item.fault not in faults]

    def strike(self, request: WireRequest, prompt: str | None) -> Fault | None:
        """Return the fault that a request is to suffer: the oldest one that is due, if any."""
        for item in self._armed:
            if not item.fault.concerns(request, prompt):
                continue
            if item.passed < item.fault.skip:
                item.passed += 1
            elif item.fault.times is None or item.struck < item.fault.times:
                item.struck += 1
                return item.fault
        return None
