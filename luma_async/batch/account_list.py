"""The list of the account's generations, shared by orders that need it at the same time."""

from collections.abc import Sequence

import anyio
from attrs import define, field

from luma_async._runtime import clock
from luma_async.client import LumaClient
from luma_async.models import GenerationSummary


@define(eq=False)
class AccountList:
    """Fetches the list of the account; calls share a request that began after they were made."""

    _luma: LumaClient
    _lock: anyio.Lock = field(factory=anyio.Lock, init=False)
    _requested_at: float = field(default=-1.0, init=False)
    _list: Sequence[GenerationSummary] = field(default=(), init=False)

    async def fetch(self) -> Sequence[GenerationSummary]:
        """Return a list that was requested no earlier than now."""
        called_at = clock.now()
        async with self._lock:
            if self._requested_at < called_at:
                requested_at = clock.now()
                self._list = await self._luma.list()
                self._requested_at = requested_at
            return self._list
