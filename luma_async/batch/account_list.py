"""Looks at the account's list, shared by all who need one at the same time."""

from collections.abc import Sequence

import anyio
from attrs import define, field

from luma_async._runtime import clock
from luma_async.client import LumaClient
from luma_async.models import GenerationSummary


@define(eq=False)
class AccountList:
    """Lists the account's generations; a list that began after a call is good for that call."""

    _luma: LumaClient
    _turn: anyio.Lock = field(factory=anyio.Lock, init=False)
    _began: float = field(default=-1.0, init=False)
    _list: Sequence[GenerationSummary] = field(default=(), init=False)

    async def look(self) -> Sequence[GenerationSummary]:
        """Return a list of the account that began no earlier than now."""
        asked = clock.now()
        async with self._turn:
            if self._began < asked:
                began = clock.now()
                self._list = await self._luma.list()
                self._began = began
            return self._list
