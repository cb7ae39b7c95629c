"""All the parts of an open client, put together."""

import asyncio

import aiohttp
from attrs import define, evolve, field

from luma_async._api.api_key_provider import ApiKeyProvider
from luma_async._api.fetcher import Fetcher
from luma_async._api.rate_limiter import RateLimiter
from luma_async._api.sansio import requests
from luma_async._api.sansio.api_key import Account
from luma_async._api.sansio.responses import StatusResult, read_generation
from luma_async._api.transport import Http
from luma_async._downloads.cdn import Cdn
from luma_async._downloads.downloader import Downloader
from luma_async._payments.recorder import Recorder
from luma_async._payments.sansio.budget import BudgetTracker
from luma_async._payments.submitter import Submitter
from luma_async._runtime import clock, telemetry
from luma_async._runtime.shield import wait_shielded
from luma_async._tracking.sansio.duration_models import Kind
from luma_async._tracking.tracker import Tracker
from luma_async._tracking.waiters import SnapshotWaiter
from luma_async._tracking.waits import wait_for_one
from luma_async.errors import GenerationFailedError, NotFoundError, WaitTimeoutError
from luma_async.models import Generation, Order, Statistics
from luma_async.outcome import Outcome
from luma_async.settings import Limits, PollPolicy, RetryPolicy, Timeouts

_KIND_OF_WORK: telemetry.Attributes = {
    "gen_ai.operation.name": "generate_content",
    "gen_ai.output.type": "video",
    "gen_ai.provider.name": "aimlapi",
}


@define(eq=False, kw_only=True)
class Options:
    """What the caller has chosen, checked."""

    api_key_provider: ApiKeyProvider
    base_url: str
    allow_local: bool
    limits: Limits
    polling: PollPolicy
    retries: RetryPolicy
    timeouts: Timeouts
    session: aiohttp.ClientSession | None


@define(eq=False)
class Engine:
    """Lives from the opening of a client to its end, within one event loop."""

    _options: Options
    _budget_tracker: BudgetTracker
    loop: asyncio.AbstractEventLoop = field(factory=asyncio.get_running_loop, init=False)
    rate_limiter: RateLimiter = field(init=False)
    http: Http = field(init=False)
    cdn: Cdn = field(init=False)
    fetcher: Fetcher = field(init=False)
    submitter: Submitter = field(init=False)
    tracker: Tracker = field(init=False)
    downloader: Downloader = field(init=False)
    _closing: "asyncio.Task[None] | None" = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        options, timeouts = self._options, self._options.timeouts
        self.rate_limiter = RateLimiter(options.limits)
        self.http = Http(options.base_url, timeouts, options.session)
        self.cdn = Cdn(options.allow_local, timeouts.connect, timeouts.stall, options.session)
        self.fetcher = Fetcher(
            self.http, options.api_key_provider, self.rate_limiter, options.retries
        )
        self.submitter = Submitter(
            self.http,
            options.api_key_provider,
            self.rate_limiter,
            options.retries,
            self.fetcher.budget,
            self._budget_tracker,
        )
        self.tracker = Tracker(self.fetcher.ask, self.rate_limiter, options.limits, options.polling)
        self.downloader = Downloader(
            self.cdn, self.rate_limiter, options.retries, timeouts.stall, self.get
        )
        self.http.open()
        self.cdn.open()

    async def submit(self, order: Order, recorder: Recorder | None = None) -> Generation:
        """Pay for an order, and remember when it began."""
        kind: Kind = "create" if order.extends is None else "extend"
        with telemetry.span(kind, {**_KIND_OF_WORK, **self.http.server}, current=True) as span:
            generation = await self.submitter.submit(order, recorder)
            span.set(telemetry.GENERATION, generation.id)
        self.tracker.subscriptions.ordered(generation, kind)
        return generation

    @property
    def paid_timeout(self) -> float:
        """The seconds that a paid request may take."""
        return self._options.timeouts.paid

    async def account(self) -> Account:
        """Return what tells this account from others."""
        return Account(await self._options.api_key_provider.key(), self._options.base_url)

    async def get(self, generation_id: str) -> Generation:
        """Ask for one generation now."""
        request = requests.get([generation_id])
        asked_at = clock.now()
        self.fetcher.note_ids(1)
        generation = await self.fetcher.fetch(
            request, lambda answer: read_generation(answer, generation_id)
        )
        self.tracker.subscriptions.take_in(StatusResult(generations=[generation]), asked_at)
        return generation

    async def get_many(self, ids: list[str]) -> dict[str, Generation]:
        """Ask for many generations now, in the requests that the waiting share."""
        found = {}
        look = SnapshotWaiter(ids, attempts=self.fetcher.attempts())
        self.tracker.join(look)
        try:
            while (update := await look.receive()) is not None:
                if update.generation is not None:
                    found[update.id] = update.generation
        finally:
            self.tracker.leave(look)
        return {
            generation_id: found[generation_id] for generation_id in ids if generation_id in found
        }

    async def generate(self, order: Order, timeout: float) -> Generation:
        """Create and wait; if that ends without the caller hearing the id, tell what was paid."""
        generation = await self.submit(order)
        try:
            return await wait_for_one(self.tracker, generation, timeout)
        except (GenerationFailedError, NotFoundError, WaitTimeoutError):
            # These name the generation.
            raise
        except BaseException as end:
            self.submitter.report_unclaimed(Outcome(order=order, generation=generation), end)
            raise

    def statistics(self) -> Statistics:
        """Count what was done so far, and what is being done now."""
        sent = {**self.http.sent, "download": self.cdn.requests}
        subscriptions, planner = self.tracker.subscriptions, self.tracker.planner
        durations = planner.durations.durations
        creates = durations.get("create")
        delay, heard = subscriptions.delays
        return Statistics(
            requests={route: count for route, count in sent.items() if count},
            ids_asked=self.fetcher.ids_asked,
            waiting=len(subscriptions),
            in_flight=self.rate_limiter.in_flight,
            tokens_spent=self._budget_tracker.spent,
            finished=subscriptions.finished,
            mean_delay_seconds=delay / heard if heard else None,
            ids_per_request=planner.size.limit,
            median_seconds=creates.median_seconds if creates is not None else None,
            p90_seconds=creates.p90_seconds if creates is not None else None,
            durations=durations,
        )

    @property
    def polling(self) -> PollPolicy:
        """The policy of the client, with what was learned."""
        return evolve(self._options.polling, learned=self.tracker.planner.durations.learned)

    async def close(self) -> None:
        """End everything; paid requests under way are given the time to tell how they ended.

        It goes on to its end whatever becomes of the caller, and ends once for all who call it.
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="luma_async close")
        if (cancellation := await wait_shielded(self._closing)) is not None:
            raise cancellation

    async def _close(self) -> None:
        try:
            await self.tracker.close()
            self.rate_limiter.close()
            self.http.cancel_free()
            await self.submitter.drain()
        finally:
            await self.http.close()
            await self.cdn.close()
