"""Free requests: repeated until they succeed, or repeating makes no sense."""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from attrs import define, field

from luma_async._api.api_key_provider import ApiKeyProvider
from luma_async._api.rate_limiter import RateLimiter
from luma_async._api.sansio import requests
from luma_async._api.sansio.requests import Request
from luma_async._api.sansio.responses import Response, StatusResult, read_states
from luma_async._api.sansio.retry import Attempts, RetryBudget, is_transient
from luma_async._api.transport import SendCount, Transport
from luma_async._runtime import clock, telemetry
from luma_async.errors import APIError, RequestError, ResponseFormatError
from luma_async.models import Generation
from luma_async.settings import RetryPolicy

T = TypeVar("T")


@define(eq=False)
class Fetcher:
    """Makes free requests under the client's limits and its shared retry budget."""

    _transport: Transport
    _api_key_provider: ApiKeyProvider
    _rate_limiter: RateLimiter
    _policy: RetryPolicy
    _random: Callable[[], float] = random.random
    budget: RetryBudget = field(init=False)
    ids_asked: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.budget = RetryBudget(self._policy)

    async def fetch(self, request: Request, read: Callable[[Response], T]) -> T:
        """Make a request until it brings an answer that `read` takes.

        Raises:
            LumaError: The last of the failures.
        """
        attempts = None
        while True:
            async with self._rate_limiter.slot(self._rate_limiter.free):
                # The time spent in the queue is not held against a call.
                attempts = attempts or self.attempts()
                try:
                    return read(await self._exchange(request))
                except (RequestError, APIError, ResponseFormatError) as error:
                    failure = error
            delay = None
            if is_transient(failure):
                delay = attempts.delay_after(failure, clock.now())
            if delay is None:
                raise failure
            telemetry.repeated(request.route, delay, failure)
            await self._rate_limiter.pause(delay)

    async def ask(
        self, ids: Sequence[str], known: Callable[[str], Generation | None]
    ) -> StatusResult:
        """Ask for the state of some generations once; the caller holds a slot.

        `known` returns what is known of an id already.

        Raises:
            LumaError: No usable answer came.
        """
        self.note_ids(len(ids))
        return read_states(await self._exchange(requests.get(ids)), known)

    def note_ids(self, count: int) -> None:
        """Count the ids of a status request."""
        self.ids_asked += count
        telemetry.measure("request.ids", count)

    def attempts(self) -> Attempts:
        """Begin to count the attempts of one call."""
        return Attempts(self._policy, self.budget, clock.now(), self._random)

    async def _exchange(self, request: Request) -> Response:
        self.budget.deposit()
        send_count = SendCount()
        try:
            return await self._transport.exchange(
                request, await self._api_key_provider.key(), send_count
            )
        finally:
            for _ in range(send_count.sent - 1):
                # aiohttp sent it again; that counts as well.
                self.budget.withdraw(clock.now())
                telemetry.measure("requests.repeated", 1, {telemetry.ROUTE: request.route})
