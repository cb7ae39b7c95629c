"""The job that the library exists for, from prompts to files, while things go wrong."""

from collections import Counter
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest

from luma_async import Generation, Limits, LumaClient, PollPolicy, SubmissionUnknownError
from luma_async.cli.sample_orders import sample_orders
from luma_async.emulator import Emulator, Fault

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

QUICK = PollPolicy(min_interval=0.02, max_interval=0.2)
FAST = Limits(requests_per_second=1000)
SAMPLES = [order.user_prompt for order in sample_orders()]
# Two prompts occur twice, as they do in real lists.
PROMPTS = [f"{prompt}, take {take}" for take in (1, 2, 3) for prompt in SAMPLES] + SAMPLES[:2] * 2


async def _download(luma: LumaClient, generation: Generation, folder: Path) -> None:
    await luma.download(generation, folder / f"{generation.id}.mp4")


@pytest.mark.protocol
async def test_every_prompt_is_paid_once_and_every_video_is_kept(tmp_path: Path) -> None:
    """A list of prompts becomes as many bills and as many playable files."""
    async with (
        Emulator(time_scale=600, seed=7) as service,
        LumaClient("any", base_url=service.base_url, polling=QUICK, limits=FAST) as luma,
    ):
        async with anyio.create_task_group() as group:
            async for outcome in luma.generate_many(PROMPTS):
                assert outcome.generation is not None
                group.start_soon(_download, luma, outcome.generation, tmp_path)

        assert Counter(PROMPTS) == Counter(bill.prompt for bill in service.ledger)
        assert {f"{bill.id}.mp4" for bill in service.ledger} == {p.name for p in tmp_path.iterdir()}
        assert service.tokens_billed == luma.statistics().tokens_spent
        polls = sum(request.route == "get" for request in service.requests)
        assert polls < len(PROMPTS)


@pytest.mark.protocol
async def test_nothing_is_paid_twice_or_lost_while_the_service_misbehaves(tmp_path: Path) -> None:
    """Orders whose answer got lost are told as unknown, and found in the list afterwards."""
    async with (
        Emulator(time_scale=600, seed=8) as service,
        LumaClient("any", base_url=service.base_url, polling=QUICK, limits=FAST) as luma,
    ):
        for skip in (5, 20, 40):
            service.inject(Fault(route="create", skip=skip, drop="after"))
        service.inject(Fault(route="create", skip=10, times=3, status=429))
        for skip, status in ((2, 503), (4, 500), (6, 429), (8, 502)):
            service.inject(Fault(route="get", skip=skip, status=status))
        service.inject(Fault(route="get", skip=10, times=3, shape="missing"))
        service.inject(
            Fault(route="get", skip=14, times=2, body="<html>maintenance</html>", status=200)
        )
        service.inject(Fault(route="video", skip=3, times=9, cut_at=20_000))

        unknown: list[str] = []
        async with (
            anyio.create_task_group() as group,
            aclosing(luma.generate_many(PROMPTS)) as outcomes,
        ):
            async for outcome in outcomes:
                if isinstance(outcome.error, SubmissionUnknownError):
                    unknown.append(outcome.order.user_prompt)
                else:
                    assert outcome.generation is not None
                    group.start_soon(_download, luma, outcome.generation, tmp_path)
        kept = {path.stem for path in tmp_path.iterdir()}
        found = [summary for summary in await luma.list() if summary.id not in kept]
        for generation in await luma.wait_until_done([summary.id for summary in found]):
            await _download(luma, generation, tmp_path)

        assert 3 == len(unknown)
        assert Counter(unknown) == Counter(summary.prompt for summary in found)
        assert Counter(PROMPTS) == Counter(bill.prompt for bill in service.ledger)
        assert {f"{bill.id}.mp4" for bill in service.ledger} == {p.name for p in tmp_path.iterdir()}
        assert service.tokens_billed == luma.statistics().tokens_spent
