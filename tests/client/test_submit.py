"""Paying with a record that outlives the program. In virtual time."""

import asyncio

import aiohttp
import anyio
import pytest

from luma_async import (
    AuthenticationError,
    BadRequestError,
    ClientStateError,
    ConfigurationError,
    ConnectError,
    Generation,
    LumaClient,
    LumaError,
    Order,
    RateLimitError,
    SubmissionUnknownError,
)
from luma_async.emulator import Emulator, Fault
from tests.support.batches import cable, studio
from tests.support.clients import KEY, posts, tasks_of_ours
from tests.support.suspensions import WAYS

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.virtual_time,
    pytest.mark.usefixtures("nothing_left_behind"),
]

ORDER = Order("A fox", aspect_ratio="1:1")


class Notes:
    """A record on paper, which takes its time; it fails where it is told to.

    Attributes:
        lines: What was noted, with the number of paid requests that had reached the service.
    """

    def __init__(self, emulator: Emulator, *, fails_in: str = "", seconds: float = 0.5) -> None:
        self.lines: list[tuple[object, int]] = []
        self._emulator = emulator
        self._fails_in = fails_in
        self._seconds = seconds

    async def sending(self) -> None:
        """Note the intent."""
        await self._write("sending")

    async def sent(self, result: Generation | LumaError) -> None:
        """Note the outcome."""
        if self._fails_in == "sent":
            raise OSError("out of paper")
        await self._write(result)

    async def _write(self, line: object) -> None:
        if self._fails_in == line:
            raise OSError("out of paper")
        await asyncio.sleep(self._seconds)
        self.lines.append((line, posts(self._emulator)))

    @property
    def results(self) -> list[object]:
        """What came of it."""
        return [line for line, _ in self.lines if line != "sending"]


async def test_an_order_is_what_create_and_extend_send(
    luma: LumaClient, emulator: Emulator
) -> None:
    """The value says which of the two it is; nothing else differs."""
    emulator.place("parent", "The parent")
    made = await luma.submit(ORDER)
    continued = await luma.submit(Order("It puts on a hat", extends="parent"))
    assert [made.id, continued.id] == [bill.id for bill in emulator.ledger]
    assert ["create", "extend"] == [bill.route for bill in emulator.ledger]
    assert "1:1" == emulator.generations[made.id].aspect_ratio
    with pytest.raises(ConfigurationError, match="order"):
        await luma.submit("A fox")  # type: ignore[arg-type]


async def test_the_intent_is_noted_before_and_the_outcome_before_anybody_hears_of_it(
    luma: LumaClient, emulator: Emulator
) -> None:
    """Nothing had arrived when the intent was noted; the outcome was noted when it returned."""
    notes = Notes(emulator)
    made = await luma.submit(ORDER, recorder=notes)
    assert [("sending", 0), (made, 1)] == notes.lines
    assert () == luma.unclaimed()


ENDINGS: dict[str, tuple[Fault, type[LumaError]]] = {
    "refused": (Fault(route="create", status=400), BadRequestError),
    "wrong key": (Fault(route="create", status=401), AuthenticationError),
    "lost": (Fault(route="create", drop="after"), SubmissionUnknownError),
    "failed": (Fault(route="create", status=500), SubmissionUnknownError),
}


@pytest.mark.parametrize(("fault", "kind"), ENDINGS.values(), ids=ENDINGS)
async def test_every_ending_is_noted_as_it_is_raised(
    luma: LumaClient, emulator: Emulator, fault: Fault, kind: type[LumaError]
) -> None:
    """The record learns the error that the caller learns."""
    emulator.inject(fault)
    notes = Notes(emulator)
    with pytest.raises(kind) as raised:
        await luma.submit(ORDER, recorder=notes)
    (result,) = notes.results
    assert (kind, str(raised.value)) == (type(result), str(result))
    assert () == luma.unclaimed()


async def test_each_attempt_is_noted(luma: LumaClient, emulator: Emulator) -> None:
    """Told to come back later, twice: three intents, two refusals and a video."""
    emulator.inject(Fault(route="create", times=2, status=429, headers={"Retry-After": "5"}))
    notes = Notes(emulator)
    made = await luma.submit(ORDER, recorder=notes)
    lines = [line if isinstance(line, str) else type(line) for line, _ in notes.lines]
    assert ["sending", RateLimitError, "sending", RateLimitError, "sending", Generation] == lines
    assert made == notes.results[-1]


async def test_no_connection_is_noted(luma: LumaClient, emulator: Emulator) -> None:
    """Nothing was sent, and the record says that."""
    cable(luma).is_cut = True
    notes = Notes(emulator)
    with pytest.raises(ConnectError):
        await luma.submit(ORDER, recorder=notes)
    assert {ConnectError} == {type(result) for result in notes.results}


async def test_what_never_came_to_sending_is_noted(emulator: Emulator) -> None:
    """The session of the caller is closed meanwhile: nothing was sent, and the record says that."""
    async with aiohttp.ClientSession() as session:
        luma = LumaClient(KEY, base_url="http://127.0.0.1:9", session=session)
        async with luma:
            await session.close()
            notes = Notes(emulator)
            with pytest.raises(ClientStateError) as ended:
                await luma.submit(ORDER, recorder=notes)
    assert [ended.value] == notes.results


async def test_one_that_is_cancelled_while_it_connects_is_noted_as_not_sent(
    luma: LumaClient, emulator: Emulator
) -> None:
    """Nothing has left: the caller gets out at once, and the record says that nothing was paid."""
    cable(luma).seconds = 5.0
    notes = Notes(emulator)
    with anyio.move_on_after(2.0):
        await luma.submit(ORDER, recorder=notes)
    assert anyio.current_time() < 3.0
    assert [ConnectError] == [type(result) for result in notes.results]
    assert (0, 0, ()) == (posts(emulator), luma.statistics().tokens_spent, luma.unclaimed())


async def test_what_cannot_be_noted_is_not_sent(luma: LumaClient, emulator: Emulator) -> None:
    """No paper, no order; the next one finds the tokens where they were."""
    with pytest.raises(OSError, match="out of paper"):
        await luma.submit(ORDER, recorder=Notes(emulator, fails_in="sending"))
    assert (0, 0, ()) == (posts(emulator), luma.statistics().tokens_spent, luma.unclaimed())


@pytest.mark.parametrize("lost", [False, True])
async def test_a_payment_that_cannot_be_noted_is_unclaimed(
    luma: LumaClient, emulator: Emulator, lost: bool
) -> None:
    """The paper ran out meanwhile: the caller hears that, and the client holds the payment."""
    if lost:
        emulator.inject(Fault(route="create", drop="after"))
    with pytest.raises(OSError, match="out of paper"):
        await luma.submit(ORDER, recorder=Notes(emulator, fails_in="sent"))
    (outcome,) = luma.unclaimed()
    assert ORDER == outcome.order
    assert lost == isinstance(outcome.error, SubmissionUnknownError)
    assert lost or emulator.ledger[0].id == (outcome.generation and outcome.generation.id)
    assert 500_000 == luma.statistics().tokens_spent


async def test_a_refusal_that_cannot_be_noted_leaves_nothing_unclaimed(
    luma: LumaClient, emulator: Emulator
) -> None:
    """Nothing was paid, so that there is nothing to hold."""
    emulator.inject(Fault(route="create", status=400))
    with pytest.raises(OSError, match="out of paper"):
        await luma.submit(ORDER, recorder=Notes(emulator, fails_in="sent"))
    assert ((), 0) == (luma.unclaimed(), luma.statistics().tokens_spent)


SERVICES: dict[str, list[Fault]] = {
    "healthy": [],
    "slow": [Fault(route="create", times=None, delay=10.0)],
    "failing": [Fault(route="create", times=None, status=500, accept=True)],
    "busy": [Fault(route="create", times=2, status=429, headers={"Retry-After": "30"})],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("fails", [False, True])
async def test_v5_no_cancellation_hides_a_payment_from_the_record(
    luma: LumaClient, emulator: Emulator, service: str, way: str, fails: bool
) -> None:
    """Cancelled wherever it suspends: what was paid is in the record, or unclaimed without one."""
    cancelled, suspension = True, 0
    while cancelled and suspension < 100:
        suspension += 1
        for fault in SERVICES[service]:
            emulator.inject(fault)
        billed, known = emulator.billed, len(luma.unclaimed())
        notes = Notes(emulator, fails_in="sent" if fails else "")
        cancelled, _ = await WAYS[way](luma.submit(ORDER, recorder=notes), suspension)
        emulator.clear_faults()
        unclaimed = luma.unclaimed()[known:]
        told = [*notes.results, *(one.generation or one.error for one in unclaimed)]
        paid = {one.id for one in told if isinstance(one, Generation)}
        unknown = sum(isinstance(one, SubmissionUnknownError) for one in told)
        bills = {bill.id for bill in emulator.ledger[billed:]}
        assert paid <= bills
        assert len(bills - paid) == unknown
        assert fails or () == unclaimed
        assert [] == tasks_of_ours()
        lines = [line for line, _ in notes.lines]
        assert fails or lines.count("sending") <= len(notes.results)
    assert not cancelled
    assert (await luma.create("Another")).id == emulator.ledger[-1].id


async def test_a_program_that_ends_during_an_order_notes_that_it_is_open(
    luma: LumaClient, emulator: Emulator
) -> None:
    """All tasks are cancelled, as at the end of `asyncio.run`: the record says unknown."""
    emulator.inject(Fault(route="create", delay=20.0))
    notes = Notes(emulator)
    order = asyncio.create_task(luma.submit(ORDER, recorder=notes))
    await anyio.sleep(10.0)
    order.cancel()
    for task in asyncio.all_tasks():
        if task.get_name() == "luma_async create":
            task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await order
    assert [SubmissionUnknownError] == [type(result) for result in notes.results]


async def test_an_account_is_known_again_without_its_key(emulator: Emulator) -> None:
    """Two clients of one key have one mark; with another key, salt or service it is another."""
    marks = []
    for key, url in (
        ("sk-the-first-key", "http://localhost"),
        ("sk-the-first-key", "http://localhost"),
        ("sk-the-other-key", "http://localhost"),
        ("sk-the-first-key", "http://127.0.0.1"),
    ):
        async with studio(emulator, api_key=key, base_url=url) as luma:
            account = await luma.account()
            assert key not in repr(account)
            marks.append(account.mark(b"salt"))
            assert account.mark(b"salt") != account.mark(b"pepper")
    assert marks[0] == marks[1]
    assert 3 == len(set(marks))
    with pytest.raises(ClientStateError):
        await luma.account()
    assert () == emulator.requests
