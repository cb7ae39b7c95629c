"""The load that a client puts on a service that is gone, on the wire and in virtual time."""

import asyncio
import math
from collections import Counter

import anyio
import pytest

from luma_async.emulator import Emulator, Fault
from tests.support.clients import virtual_client

pytestmark = [pytest.mark.anyio, pytest.mark.protocol, pytest.mark.virtual_time]

OUTAGES = {
    "cut": Fault(route="get", drop="before", times=None),
    "503": Fault(route="get", status=503, times=None),
    "500": Fault(route="get", status=500, times=None),
    "429": Fault(route="get", status=429, times=None),
    "html": Fault(route="get", status=200, body="<html>maintenance</html>", times=None),
}


@pytest.mark.parametrize("fault", OUTAGES.values(), ids=OUTAGES)
@pytest.mark.parametrize("many", [1, 200])
async def test_an_outage_is_met_with_no_more_requests_than_a_good_day(
    many: int, fault: Fault
) -> None:
    """Counted on the wire, so with what aiohttp sends again by itself; and no burst after it."""
    emulator = Emulator(seed=many)
    emulator.script(None, [(0, "pending"), (1800, "completed")])
    async with virtual_client(emulator) as luma:
        made = await asyncio.gather(*(luma.create(f"A fox, take {n}") for n in range(many)))
        wait = asyncio.create_task(luma.wait_until_done(made))
        await anyio.sleep(600.0 - anyio.current_time())
        emulator.inject(fault)
        await anyio.sleep(600.0)
        emulator.clear_faults(fault)
        await wait

    gets = [request.at for request in emulator.requests if request.route == "get"]
    before = sum(300 <= at < 600 for at in gets)
    # At least once a minute somebody looks, and aiohttp sends twice what is cut.
    during = sum(900 <= at < 1200 for at in gets)
    assert during <= max(1.1 * before, 10)
    # At first the pauses are short: seven looks in a minute, beside what was under way.
    assert sum(600 <= at < 660 for at in gets) <= max(1.1 * before / 5, 7 * 2 + 2 * 8)
    after = Counter(math.floor(at) for at in gets if at >= 1200)
    assert max(after.values()) <= 11
