"""The client: every call of the service, and the ways to wait for videos."""

import asyncio
import builtins
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NoReturn, Self, overload
from urllib.parse import urlsplit

import aiohttp
import anyio

from luma_async._api.api_key_provider import ApiKeyProvider, ApiKeySource
from luma_async._api.sansio import urls, validation
from luma_async._api.sansio.api_key import Account, key_from_environment
from luma_async._payments.recorder import Recorder
from luma_async._payments.sansio.budget import BudgetTracker
from luma_async.errors import ClientStateError, SubmissionUnknownError
from luma_async.models import (
    AspectRatio,
    Generation,
    GenerationSummary,
    Order,
    Statistics,
    UploadedImage,
)
from luma_async.outcome import Outcome
from luma_async.settings import Budget, Limits, PollPolicy, RetryPolicy, Timeouts

# The engine is most of what there is to load. So it is loaded with the first client: a program that
# names types, shows a help text or collects tests makes none.
if TYPE_CHECKING:
    from luma_async._engine.engine import Engine

DEFAULT_BASE_URL = "https://api.aimlapi.com"
BASE_URL_VARIABLES = ("AIML_API_BASE", "AIMLAPI_API_BASE", "AIMLAPI_BASE_URL")


class LumaClient:
    """A client of Luma Dream Machine on AI/ML API.

    ::

        async with LumaClient() as luma:
            jellyfish = await luma.create("Flying jellyfish")
            done = await luma.wait_until_done(jellyfish)
            await luma.download(done, "jellyfish.mp4")

    One client serves any number of coroutines of one event loop, and should: all that wait
    share their requests. It can be opened once.

    Args:
        api_key: The key as text, or a function or coroutine function that returns it and is
            called for every request. None reads ``AIML_API_KEY``, ``AIMLAPI_API_KEY`` or
            ``AIMLAPI_KEY`` from the environment, in this order. The key is sent to the API
            alone, never to the host of a video, and is part of no error, log or `repr`.
        base_url: The address of the API. None reads ``AIML_API_BASE``, ``AIMLAPI_API_BASE`` or
            ``AIMLAPI_BASE_URL``, and otherwise takes the service's own. A loopback address
            allows plain http, and videos at loopback addresses; any other has to be https.
        limits: How much is asked of the service at a time.
        polling: How often it is asked whether generations are finished.
        retries: When requests are repeated.
        timeouts: How long an attempt may take.
        budget: What may be spent; None spends without limit.
        session: A session of the caller's to send requests through, for a proxy or certificates
            of its own. It is never closed, and must not send an Authorization by itself. While
            the client is open it has one more trace configuration, by which the client learns
            whether a paid request has left. Its middlewares see free requests alone, as one
            that repeats would pay twice.

    Raises:
        ConfigurationError: There is no key, or an option cannot work.
        ClientStateError: The session is closed already.
    """

    def __init__(
        self,
        api_key: ApiKeySource | None = None,
        *,
        base_url: str | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        polling: PollPolicy = PollPolicy(),  # noqa: B008
        retries: RetryPolicy = RetryPolicy(),  # noqa: B008
        timeouts: Timeouts = Timeouts(),  # noqa: B008
        budget: Budget | None = None,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        from luma_async._downloads.cdn import check_session
        from luma_async._engine.engine import Engine

        if base_url is None:
            found = (os.environ.get(name) for name in BASE_URL_VARIABLES)
            base_url = next((url for url in found if url), DEFAULT_BASE_URL)
        budget = Budget() if budget is None else budget
        validation.check_kinds(
            limits=(limits, Limits),
            polling=(polling, PollPolicy),
            retries=(retries, RetryPolicy),
            timeouts=(timeouts, Timeouts),
            budget=(budget, Budget),
        )
        if session is not None:
            validation.check_kinds(session=(session, aiohttp.ClientSession))
            check_session(session)
        base_url = urls.check_base_url(base_url)
        self._engine = Engine(
            api_key_provider=ApiKeyProvider(
                key_from_environment() if api_key is None else api_key, timeouts.connect
            ),
            base_url=base_url,
            allow_local=urls.is_loopback(urlsplit(base_url).hostname or ""),
            limits=limits,
            policy=polling,
            retries=retries,
            timeouts=timeouts,
            budget_tracker=BudgetTracker(budget),
            session=session,
        )
        self._state: Literal["new", "open", "closed"] = "new"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client cannot be pickled: it holds a key and connections")

    def __repr__(self) -> str:
        return f"<LumaClient {self._engine.base_url} {self._state}>"

    async def open(self) -> Self:
        """Begin the client in the running event loop; what ``async with`` does when it is entered.

        It is for notebooks, and for frameworks with hooks for start and end. Whoever opens a client
        has to `close` it, or the outcome of paid requests under way may be lost.

        Raises:
            ClientStateError: It was opened before.
        """
        if self._state != "new":
            raise ClientStateError("a client is opened once; make another one")
        self._engine.open()
        self._state = "open"
        return self

    async def __aenter__(self) -> Self:
        """Open the client."""
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        await self.close()

    async def close(self) -> None:
        """End the client; what ``async with`` does when it is left.

        All waits and free requests end at once with `ClientStateError`. Paid requests under way
        are given the time to learn their outcome, at most `Timeouts.paid`. Closing again does
        nothing.
        """
        if self._state != "new":
            self._state = "closed"
            await self._engine.close()

    async def create(
        self,
        user_prompt: str,
        *,
        aspect_ratio: AspectRatio = "16:9",
        expand_prompt: bool = True,
        image_url: str | None = None,
        image_end_url: str | None = None,
    ) -> Generation:
        """Order a video. It costs 500,000 tokens (0.25 US dollars) once it is accepted.

        The request is sent once. It is sent again only where it is proven that it was not
        accepted: no connection came about, or the service answered 429 or 425. If the caller is
        cancelled after the request has left, the cancellation is held back until the answer is
        there (at most `Timeouts.paid` seconds), and `unclaimed` holds what it brought.

        Args:
            user_prompt: What the video shows, in words; at most 32 KiB.
            aspect_ratio: The shape of the picture.
            expand_prompt: Whether the service may elaborate the prompt.
            image_url: An http(s) address of the picture that the video begins with.
            image_end_url: An http(s) address of the picture that it ends with.

        Raises:
            ConfigurationError: An argument cannot work; nothing was sent.
            BudgetExceededError: The budget does not allow for it; nothing was sent.
            ConnectError: No connection came about; nothing was sent.
            APIError: The service said no; nothing was paid.
            SubmissionUnknownError: The order may have been accepted. Look before paying again.
        """
        order = Order(
            user_prompt,
            aspect_ratio=aspect_ratio,
            expand_prompt=expand_prompt,
            image_url=image_url,
            image_end_url=image_end_url,
        )
        return await self._open_engine().submit(order)

    async def submit(self, order: Order, *, recorder: Recorder | None = None) -> Generation:
        """Order what a value says: what `create` and `extend` do, for an `Order`.

        Args:
            order: What to order.
            recorder: Keeps a record of the payment: of the intent before the first byte leaves,
                and of the outcome before anybody else hears of it, whatever becomes of the caller.
                What is recorded is not in `unclaimed`.
        """
        validation.check_kinds(order=(order, Order))
        return await self._open_engine().submit(order, recorder)

    async def reconcile(
        self, error: SubmissionUnknownError, *, list_delay: float = 60.0
    ) -> Generation:
        """Look for an order whose outcome is unknown in the account's list. Free.

        It is found where there is no doubt: exactly one generation of its prompt is there that
        was made while it was on its way and is not known to be another's; and the list shows what
        this client has ordered before, each with its prompt. So a client that was never given a
        generation can tell nothing.

        Args:
            error: What `create`, `extend` or `submit` raised.
            list_delay: The seconds from the order on that the list is given to show it.

        Raises:
            SubmissionUnknownError: The same error again, with a note that says what is in doubt.
            LumaError: The service could not be asked.
        """
        from luma_async._engine.recovery import search

        validation.check_kinds(error=(error, SubmissionUnknownError))
        return await search(self._open_engine(), error, validation.check_timeout(list_delay))

    async def extend(
        self,
        generation_or_id: Generation | str,
        user_prompt: str,
        *,
        aspect_ratio: AspectRatio = "16:9",
        expand_prompt: bool = True,
        image_url: str | None = None,
        image_end_url: str | None = None,
    ) -> Generation:
        """Order the continuation of a completed video; it is a generation with an id of its own.

        It costs, is sent and fails like `create`. An id that the service does not know raises
        `NotFoundError`.
        """
        order = Order(
            user_prompt,
            aspect_ratio=aspect_ratio,
            expand_prompt=expand_prompt,
            image_url=image_url,
            image_end_url=image_end_url,
            extends=validation.id_of(generation_or_id),
        )
        return await self._open_engine().submit(order)

    async def get(self, id: Generation | str) -> Generation:  # noqa: A002 - the service's name
        """Ask for the state of one generation now. Free, and retried.

        Raises:
            NotFoundError: The service does not know it; a new one may take it a moment to find.
            LumaError: The last failure, when retrying did not help.
        """
        return await self._open_engine().get(validation.id_of(id))

    async def get_many(self, ids: Iterable[Generation | str]) -> dict[str, Generation]:
        """Ask for the state of any number of generations now. Free, and retried.

        They are asked for together, `Limits.ids_per_request` at a time, and with those that are
        being waited for.

        Returns:
            The generations by id, in the order asked; ids that the service does not know are
            absent. No ids make no request.
        """
        engine = self._open_engine()
        return await engine.get_many(validation.unique_ids(validation.check_targets(ids)))

    async def list(self) -> builtins.list[GenerationSummary]:
        """Return all generations of the account. Free, and retried."""
        return await self._open_engine().list_generations()

    async def upload_image(self, url: str) -> UploadedImage:
        """Let the service copy the image at an http(s) address. Free, and retried."""
        return await self._open_engine().upload_image(url)

    @overload
    async def wait_until_done(  # type: ignore[overload-overlap]  # text is one id, no iterable
        self, generation_or_id: Generation | str, *, timeout: float | None = None
    ) -> Generation: ...

    @overload
    async def wait_until_done(
        self, generation_or_id: Iterable[Generation | str], *, timeout: float | None = None
    ) -> builtins.list[Generation]: ...

    async def wait_until_done(
        self,
        generation_or_id: Generation | str | Iterable[Generation | str],
        *,
        timeout: float | None = None,
    ) -> Generation | builtins.list[Generation]:
        """Wait until a generation, or each of many, has its video. Waiting is free.

        A poll that fails does not end the wait. All waits of a client share their requests, and
        a generation that is done already needs none.

        Args:
            generation_or_id: One generation or id, or an iterable of them.
            timeout: The seconds to wait; None waits for as long as it takes.

        Returns:
            The completed generation, or a list of them in the order asked.

        Raises:
            GenerationFailedError: The service gave it up.
            NotFoundError: The service does not know it (see `PollPolicy.missing_grace`).
            APIError, RequestError: Questions for it alone fail, while others are answered.
            WaitErrorGroup: Some of many failed so; it holds the completed ones as well.
            WaitTimeoutError: The time is over. What is pending still runs and is still paid;
                waiting for it again resumes.
            ClientStateError: The client was closed.
        """
        from luma_async._tracking import waits

        tracker = self._open_engine().tracker
        seconds = validation.check_timeout(timeout)
        if isinstance(generation_or_id, (str, Generation)):
            return await waits.wait_for_one(tracker, generation_or_id, seconds)
        return await waits.wait_for_list(
            tracker, validation.check_targets(generation_or_id), seconds
        )

    def as_completed(
        self, generations_or_ids: Iterable[Generation | str], *, timeout: float | None = None
    ) -> AsyncGenerator[Generation]:
        """Iterate over generations in the order in which they end, failed ones included.

        Ids that the service does not know are raised last, in a `WaitErrorGroup`, when all
        others have been yielded. When the `timeout`, in seconds, is over, `WaitTimeoutError`
        tells what is pending: it still runs and is still paid.
        """
        from luma_async._tracking import waits

        targets = validation.check_targets(generations_or_ids)
        seconds = validation.check_timeout(timeout)
        return waits.as_completed(self._open_engine().tracker, targets, seconds)

    def watch(self, generation_or_id: Generation | str) -> AsyncGenerator[Generation]:
        """Iterate over a generation's changes of state, from the present one to the last.

        The last one is done: completed or failed. The others tell in `Generation.seconds_left`
        how long it will probably take. One request serves all who watch or wait, so that a state
        which lasts only for seconds may pass unseen.

        Raises:
            NotFoundError: The service does not know it.
            GenerationFailedError: It was completed, but its video did not appear.
        """
        from luma_async._tracking import waits

        validation.id_of(generation_or_id)
        return waits.watch(self._open_engine().tracker, generation_or_id)

    async def generate(
        self,
        user_prompt: str,
        *,
        timeout: float | None = None,
        aspect_ratio: AspectRatio = "16:9",
        expand_prompt: bool = True,
        image_url: str | None = None,
        image_end_url: str | None = None,
    ) -> Generation:
        """Order a video and wait for it: `create`, then `wait_until_done`, with their errors.

        The `timeout`, in seconds, is for the wait alone. If the caller is cancelled during the
        wait, the video goes on and `unclaimed` holds it.
        """
        order = Order(
            user_prompt,
            aspect_ratio=aspect_ratio,
            expand_prompt=expand_prompt,
            image_url=image_url,
            image_end_url=image_end_url,
        )
        engine = self._open_engine()
        return await engine.generate(order, validation.check_timeout(timeout))

    def generate_many(
        self,
        orders: Iterable[Order | str] | AsyncIterable[Order | str],
        *,
        max_in_flight: int | None = None,
    ) -> AsyncGenerator[Outcome]:
        """Order many videos and iterate over their outcomes, in the order in which they end.

        Every order that is read has exactly one outcome. The orders are read no faster than
        slots free up, so that they may come from an endless source; a slot is free again once
        its outcome has been taken. When an error would meet every further order as well (the
        key, the credits, the budget, three unknown outcomes in a row), no more orders are read,
        and the error is raised once the outcomes of all others have been yielded.

        When the iteration is left early, what was paid goes on and `unclaimed` holds it; use
        `contextlib.aclosing` to have that done at a time of your choosing.

        Args:
            orders: Orders, or prompts, from an iterable or an async iterable.
            max_in_flight: The generations that run at the service at once; None does not bound
                them. Creates are bounded by `Limits.concurrent_requests` in any case.
        """
        from luma_async._engine.fan_out import FanOut

        validation.check_many(orders)
        validation.check_max_in_flight(max_in_flight)
        return FanOut(
            self._open_engine(),
            orders,
            anyio.Semaphore(max_in_flight or sys.maxsize),
            anyio.Semaphore(self._engine.limits.concurrent_requests),
        ).outcomes()

    async def download(
        self,
        generation_or_id: Generation | str,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
    ) -> Path:
        """Store the video of a completed generation in a file. Free; repeat it as you like.

        The file appears under its name only when it is complete, checked to be a whole MP4 and
        durable; until then it is a ``.part`` beside it. A transfer that breaks off is resumed,
        by a later call as well, and an address that has expired is asked for anew.

        Args:
            generation_or_id: What to download; for an id, and for a generation that was not
                completed when it was received, the service is asked first.
            path: The file to make, in a folder that exists.
            overwrite: Whether a file of that name may be replaced.

        Raises:
            DownloadError: The video could not be fetched or stored. It is paid all the same.
            VideoExpiredError: A fresh address is not served either.
        """
        return await self._open_engine().download(generation_or_id, Path(path), overwrite=overwrite)

    def unclaimed(self) -> tuple[Outcome, ...]:
        """Return what was paid, or may have been, while nobody was left to take the result.

        That is so where the caller of `create`, `extend` or `generate` was cancelled after the
        request had left, and where `generate_many` was left early. Each outcome has the order
        and its generation, or a `SubmissionUnknownError`. The client keeps them for its life.
        """
        return () if self._state == "new" else tuple(self._engine.submitter.unclaimed)

    async def account(self) -> Account:
        """Return what tells the account from others without its key, for records of payments."""
        return await self._open_engine().account()

    @property
    def polling(self) -> PollPolicy:
        """The policy given, with what the client has learned of how long generations take.

        Given to another client, or kept with `PollPolicy.to_json` for another process, it spares
        that one the learning. It may be read at any time, after the end of the client as well.
        """
        return self._engine.polling

    def statistics(self) -> Statistics:
        """Count what this client has done so far and is doing now, and tell what it learned."""
        return Statistics() if self._state == "new" else self._engine.statistics()

    def _open_engine(self) -> "Engine":
        if self._state == "closed":
            raise ClientStateError("the client is closed")
        if self._state == "new":
            raise ClientStateError(
                "open the client first: async with LumaClient() as luma, or await luma.open()"
            )
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            raise ClientStateError("the client is used outside of an event loop") from None
        if running is not self._engine.loop:
            raise ClientStateError("the client was opened in another event loop")
        return self._engine
