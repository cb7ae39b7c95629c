"""All the parts of a client, put together."""

import asyncio
from pathlib import Path

import aiohttp
from attrs import define, evolve, field

from luma_async._api.api_key_provider import ApiKeyProvider
from luma_async._api.fetcher import Fetcher
from luma_async._api.rate_limiter import RateLimiter
from luma_async._api.sansio import requests, validation
from luma_async._api.sansio.api_key import Account
from luma_async._api.sansio.responses import (
    StatusResult,
    read_generation,
    read_summaries,
    read_upload,
)
from luma_async._api.transport import Transport
from luma_async._downloads.cdn import Cdn
from luma_async._downloads.downloader import Downloader
from luma_async._payments.recorder import Recorder
from luma_async._payments.sansio.budget import BudgetTracker
from luma_async._payments.submitter import Submitter
from luma_async._runtime import clock, telemetry
from luma_async._runtime.shield import wait_shielded
from luma_async._tracking.sansio.duration_models import Kind
from luma_async._tracking.sansio.progress import has_video_or_failed
from luma_async._tracking.tracker import Tracker
from luma_async._tracking.waiters import Waiter
from luma_async._tracking.waits import wait_for_one
from luma_async.errors import GenerationFailedError, NotFoundError, WaitTimeoutError
from luma_async.models import Generation, GenerationSummary, Order, Statistics, UploadedImage
from luma_async.outcome import Outcome
from luma_async.settings import Limits, PollPolicy, RetryPolicy, Timeouts

_KIND_OF_WORK: telemetry.Attributes = {
    "gen_ai.operation.name": "generate_content",
    "gen_ai.output.type": "video",
    "gen_ai.provider.name": "aimlapi",
}


@define(eq=False, kw_only=True)
class Engine:
    """What a client was given, checked, and the parts that work for it within one event loop."""

    api_key_provider: ApiKeyProvider
    base_url: str
    allow_local: bool
    limits: Limits
    policy: PollPolicy
    retries: RetryPolicy
    timeouts: Timeouts
    budget_tracker: BudgetTracker
    session: aiohttp.ClientSession | None
    loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    rate_limiter: RateLimiter = field(init=False)
    transport: Transport = field(init=False)
    cdn: Cdn = field(init=False)
    fetcher: Fetcher = field(init=False)
    submitter: Submitter = field(init=False)
    tracker: Tracker = field(init=False)
    downloader: Downloader = field(init=False)
    _closing: "asyncio.Task[None] | None" = field(default=None, init=False)

    def open(self) -> None:
        """Make the parts, in the running event loop."""
        timeouts, retries = self.timeouts, self.retries
        self.loop = asyncio.get_running_loop()
        self.rate_limiter = RateLimiter(self.limits)
        self.transport = Transport(self.base_url, timeouts, self.session)
        self.cdn = Cdn(self.allow_local, timeouts.connect, timeouts.stall, self.session)
        self.fetcher = Fetcher(self.transport, self.api_key_provider, self.rate_limiter, retries)
        self.submitter = Submitter(
            self.transport,
            self.api_key_provider,
            self.rate_limiter,
            retries,
            self.fetcher.budget,
            self.budget_tracker,
        )
        self.tracker = Tracker(self.fetcher.ask, self.rate_limiter, self.limits, self.policy)
        self.downloader = Downloader(self.cdn, self.rate_limiter, retries, timeouts.stall, self.get)
        self.transport.open()
        self.cdn.open()

    async def submit(self, order: Order, recorder: Recorder | None = None) -> Generation:
        """Pay for an order, and remember when it began."""
        kind: Kind = "create" if order.extends is None else "extend"
        attributes = {**_KIND_OF_WORK, **self.transport.server}
        with telemetry.span(kind, attributes, current=True) as span:
            generation = await self.submitter.submit(order, recorder)
            span.set(telemetry.GENERATION, generation.id)
        self.tracker.record_start(generation, kind)
        return generation

    async def account(self) -> Account:
        """Return what distinguishes this account from others."""
        return Account(await self.api_key_provider.key(), self.base_url)

    async def list_generations(self) -> list[GenerationSummary]:
        """List all generations of the account."""
        return await self.fetcher.fetch(requests.list_all(), read_summaries)

    async def upload_image(self, url: str) -> UploadedImage:
        """Let the service copy an image."""
        return await self.fetcher.fetch(requests.upload(url), read_upload)

    async def get(self, generation_id: str) -> Generation:
        """Ask for one generation now."""
        asked_at = clock.now()
        self.fetcher.note_ids(1)
        generation = await self.fetcher.fetch(
            requests.get([generation_id]), lambda response: read_generation(response, generation_id)
        )
        self.tracker.receive(StatusResult(generations=[generation]), asked_at)
        return generation

    async def get_many(self, ids: list[str]) -> dict[str, Generation]:
        """Ask for many generations now, in the requests that the waiting share."""
        found = {}
        waiter = Waiter(ids, attempts=self.fetcher.attempts())
        self.tracker.join(waiter)
        try:
            while (update := await waiter.receive()) is not None:
                if update.generation is not None:
                    found[update.id] = update.generation
        finally:
            self.tracker.leave(waiter)
        return {one: found[one] for one in ids if one in found}

    async def generate(self, order: Order, timeout: float) -> Generation:
        """Create and wait; report what was paid if that ends without an error that names the id."""
        generation = await self.submit(order)
        try:
            return await wait_for_one(self.tracker, generation, timeout)
        except (GenerationFailedError, NotFoundError, WaitTimeoutError):
            # These name the generation.
            raise
        except BaseException as end:
            self.submitter.report_unclaimed(Outcome(order=order, generation=generation), end)
            raise

    async def download(self, target: Generation | str, path: Path, *, overwrite: bool) -> Path:
        """Store a video; ask for the generation first where it was not completed when received."""
        if not isinstance(target, Generation) or not has_video_or_failed(target):
            target = await self.get(validation.id_of(target))
        return await self.downloader.download(target, path, overwrite=overwrite)

    def statistics(self) -> Statistics:
        """Count what was done so far, and what is being done now."""
        sent = {**self.transport.sent, "download": self.cdn.requests}
        subscriptions, planner = self.tracker.subscriptions, self.tracker.planner
        durations = planner.durations.durations
        creates = durations.get("create")
        delay, count = subscriptions.delays
        return Statistics(
            requests={route: number for route, number in sent.items() if number},
            ids_asked=self.fetcher.ids_asked,
            waiting=len(subscriptions),
            in_flight=self.rate_limiter.in_flight,
            tokens_spent=self.budget_tracker.spent,
            finished=subscriptions.finished,
            mean_delay_seconds=delay / count if count else None,
            ids_per_request=planner.size.limit,
            median_seconds=creates.median_seconds if creates is not None else None,
            p90_seconds=creates.p90_seconds if creates is not None else None,
            durations=durations,
        )

    @property
    def polling(self) -> PollPolicy:
        """The policy of the client, with what was learned."""
        if self.loop is None:
            return self.policy
        return evolve(self.policy, learned=self.tracker.planner.durations.learned)

    async def close(self) -> None:
        """End everything; paid requests under way are given the time to learn their outcome.

        It goes on to its end even where the caller is cancelled, and runs once for all callers.
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="luma_async close")
        if (cancellation := await wait_shielded(self._closing)) is not None:
            raise cancellation

    async def _close(self) -> None:
        try:
            await self.tracker.close()
            self.rate_limiter.close()
            self.transport.cancel_free()
            await self.submitter.drain()
        finally:
            await self.transport.close()
            await self.cdn.close()
