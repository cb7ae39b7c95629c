"""The ledger in a file: whose it is, what it survives, and what it refuses to go on with."""

import asyncio
import logging
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from luma_async._api.sansio.api_key import Account, Secret
from luma_async._runtime import failpoints
from luma_async.batch.ledger.sansio import transitions as rules
from luma_async.batch.ledger.sansio.record import NewOrder, Record
from luma_async.batch.ledger.sansio.transaction import LedgerTransaction
from luma_async.batch.ledger.sqlite import APPLICATION_ID, VERSION, SqliteLedger, read_ledger
from luma_async.batch.ledger.sqlite_rows import SqliteTransaction
from luma_async.errors import LedgerError
from luma_async.models import Order

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left_behind")]

KEY = "sk-7Qz9-XwVu-3kLm-Pj8h"
URL = "https://api.example.org"
NAME = "orders.sqlite"
MISSING = "the newest changes 1 are missing"


def account(key: str = KEY, url: str = URL) -> Callable[[bytes], str]:
    """Return what tells an account from others."""
    return Account(Secret(key), url).mark


@asynccontextmanager
async def opened(path: Path, **options: Any) -> AsyncIterator[SqliteLedger]:
    """Own a ledger for a while."""
    async with aclosing(SqliteLedger(path, **options)) as ledger:
        await ledger.open(account())
        yield ledger


async def add(ledger: SqliteLedger, *prompts: str) -> None:
    """Add some orders."""
    orders = [NewOrder(Order(prompt), "prompts.txt:1", order_id=prompt) for prompt in prompts]
    await ledger.transact(lambda transaction: rules.plan(transaction, orders), name="add")


async def records(ledger: SqliteLedger) -> list[Record]:
    """Read all records."""
    return await ledger.transact(lambda transaction: transaction.records(), name="read")


async def prompts(ledger: SqliteLedger) -> list[str]:
    """Read what was ordered."""
    return [record.order.user_prompt for record in await records(ledger)]


async def refusal(path: Path, key: str = KEY, url: str = URL, **options: Any) -> str:
    """Open a ledger in vain, and return why."""
    ledger = SqliteLedger(path)
    with pytest.raises(LedgerError) as raised:
        await ledger.open(account(key, url), **options)
    with pytest.raises(LedgerError):
        await records(ledger)
    return str(raised.value)


def contents(path: Path) -> dict[str, bytes]:
    """Return what is in the folder of a ledger, without the lock."""
    return {
        one.name: one.read_bytes()
        for one in path.parent.iterdir()
        if one.name not in (f"{NAME}.lock", f"{NAME}-shm")
    }


def names(path: Path) -> list[str]:
    """Return the names of all that is in the folder of a ledger."""
    return sorted(one.name for one in path.parent.iterdir())


def copy(path: Path, *parts: str) -> Path:
    """Copy parts of a ledger into a new folder, as they are on the disk at this moment."""
    folder = Path(tempfile.mkdtemp(dir=path.parent.parent))
    for part in parts or ("", "-wal", ".lock"):
        shutil.copy(f"{path}{part}", folder)
    return folder / NAME


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a ledger is to be, in a folder of its own."""
    folder = tmp_path / "batch"
    folder.mkdir()
    return folder / NAME


@pytest.fixture
async def closed(path: Path) -> Path:
    """Leave a ledger behind that was closed in an orderly way."""
    async with opened(path) as ledger:
        await add(ledger, *(f"{animal} in the snow" for animal in ("fox", "hare", "lynx")))
        run = await ledger.transact(rules.begin_run, name="run")
        await ledger.transact(
            lambda transaction: rules.set_baseline(transaction, run, ["g-0"]), name="run"
        )
    return path


class TestFile:
    """What is on the disk."""

    async def test_it_is_the_users_own(self, path: Path) -> None:
        """Nobody else may read the prompts, neither in the file nor beside it."""
        async with opened(path) as ledger:
            await add(ledger, "fox")
            expected = ["", "-shm", "-wal", ".lock"]
            assert [NAME + part for part in expected] == names(path)
            assert {0o600} == {stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
        assert [NAME, f"{NAME}.lock"] == names(path)

    async def test_p19_it_says_what_it_is_and_is_written_through(self, path: Path) -> None:
        """Other programs recognize it, and a commit outlives the power."""
        async with opened(path) as ledger:
            pragmas = ["application_id", "user_version", "journal_mode", "synchronous"]
            found = await ledger.transact(
                lambda transaction: [
                    pragma(transaction, name) for name in [*pragmas, "foreign_keys"]
                ],
                name="look",
            )
        assert [APPLICATION_ID, VERSION, "wal", 2, 1] == found
        assert b"LUMA" == path.read_bytes()[68:72]

    async def test_it_explains_itself_to_users_of_sqlite(self, closed: Path) -> None:
        """The views say how many orders cost what, and which of them are to be looked at."""
        async with opened(closed) as ledger:
            await ledger.transact(send_two, name="send")
            with closing(sqlite3.connect(f"file:{closed}?mode=ro", uri=True)) as reader:
                summary = reader.execute("SELECT state, orders, tokens, usd FROM summary")
                assert [
                    ("planned", 1, 0, 0.0),
                    ("submitting", 1, 500_000, 0.25),
                    ("unknown", 1, 500_000, 0.25),
                ] == summary.fetchall()
                meanings = reader.execute("SELECT meaning FROM summary").fetchall()
                assert 3 == len({meaning for (meaning,) in meanings})
                held = reader.execute(
                    "SELECT number, order_id, user_prompt, reason FROM look_before_paying_again"
                )
                expected = (2, "hare in the snow", "hare in the snow", "timeout")
                assert [expected] == held.fetchall()
                events = reader.execute("SELECT order_number, state, reason FROM events")
                assert (2, "unknown", "timeout") == events.fetchall()[-1]

    async def test_p23_a_state_that_does_not_exist_is_not_written(self, closed: Path) -> None:
        """A mistake of ours does not get into the file."""
        async with opened(closed) as ledger:
            before = await records(ledger)
            lost: Any = "lost"
            broken = evolve(before[0], state=lost)
            with pytest.raises(LedgerError, match="cannot note 'test'"):
                await ledger.transact(lambda transaction: transaction.write(broken), name="test")
            assert before == await records(ledger)


def pragma(transaction: LedgerTransaction, name: str) -> object:
    """Ask SQLite for a setting."""
    assert isinstance(transaction, SqliteTransaction)
    return transaction._connection.execute(f"PRAGMA {name}").fetchone()[0]


def send_two(transaction: LedgerTransaction) -> None:
    """Send two orders, and lose the answer of the second one."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    for name in ("fox in the snow", "hare in the snow"):
        rules.mark_submitting(transaction, name, at=at, price=500_000, budget=None)
    rules.mark_unknown(transaction, "hare in the snow", reason="timeout", at=at)


class TestOwner:
    """One program at a time."""

    async def test_p28_a_second_owner_is_refused_at_once(self, path: Path) -> None:
        """In this process as in others; the message names the process."""
        async with opened(path) as ledger:
            assert f"{path}: locked by another process (pid {os.getpid()})" == await refusal(path)
            await add(ledger, "fox")
        async with opened(path) as ledger:
            assert ["fox"] == await prompts(ledger)

    async def test_p28_p29_another_process_owns_it_until_it_dies(self, path: Path) -> None:
        """Killed, it leaves what it had noted, and no lock."""
        with owner(path) as process:
            assert f"locked by another process (pid {process.pid})" in await refusal(path)
            before = contents(path)
            found = await asyncio.to_thread(read_ledger, path)
            assert ["fox"] == [record.order_id for record in found]
            assert before == contents(path)
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        async with opened(path) as ledger:
            assert ["fox"] == await prompts(ledger)

    async def test_a_lock_that_cannot_be_read_names_nobody(self, path: Path) -> None:
        """It is kept all the same."""
        async with opened(path) as ledger:
            Path(f"{path}.lock").write_bytes(b"\xff\x00")
            assert f"{path}: locked by another process" == await refusal(path)
            await add(ledger, "fox")

    async def test_p30_a_forked_process_has_no_ledger(self, path: Path) -> None:
        """It is told so, whatever it tries, and its parent goes on."""
        done = await asyncio.to_thread(run_script, FORKING, path)
        assert "child: a forked process cannot use the ledger that its parent has opened\n" * 2 == (
            "".join(line for line in done.splitlines(True) if line.startswith("child"))
        )
        assert done.endswith("parent: ['fox']\n")

    async def test_p30_who_is_another_process_gets_no_further(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The ledger stays open for the one that has opened it."""
        async with opened(path) as ledger:
            with monkeypatch.context() as context:
                context.setattr(os, "getpid", lambda: 1)
                for work in (records(ledger), ledger.aclose(), ledger.open(account())):
                    with pytest.raises(LedgerError, match="a forked process"):
                        await work
            assert [] == await records(ledger)

    async def test_p39_it_is_used_while_it_is_open(self, path: Path) -> None:
        """Before and after there is a plain error; closing it again is no mistake."""
        ledger = SqliteLedger(path)
        with pytest.raises(LedgerError, match="the ledger is closed"):
            await records(ledger)
        await ledger.open(account())
        await ledger.aclose()
        await ledger.aclose()
        for work in (records(ledger), ledger.open(account())):
            with pytest.raises(LedgerError, match="the ledger is closed"):
                await work
        await ledger.aclose()

    async def test_one_that_was_never_open_can_be_closed(self, path: Path) -> None:
        """Nothing is made for that."""
        async with aclosing(SqliteLedger(path)):
            pass
        assert [] == names(path)

    async def test_p34_who_is_cancelled_while_opening_owns_nothing(self, path: Path) -> None:
        """The file is whole, and free for the next one."""
        ledger = SqliteLedger(path)
        task = asyncio.ensure_future(ledger.open(account()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with opened(path) as ledger:
            assert [] == await records(ledger)


class TestAccount:
    """Whose money it is."""

    @pytest.mark.parametrize(
        ("key", "url"), [("sk-another-key", URL), (KEY, "https://other.example.org")]
    )
    async def test_p27_another_account_is_refused(self, closed: Path, key: str, url: str) -> None:
        """Its orders were paid by somebody else; a new key of the same account takes it over."""
        async with aclosing(SqliteLedger(closed)) as ledger:
            await ledger.open(account())
            name = (await records(ledger))[0].order_id
            await ledger.transact(
                lambda transaction: rules.mark_submitting(
                    transaction, name, at=datetime.now(UTC), price=1, budget=None
                ),
                name="submitting",
            )
        before = contents(closed)
        assert "it belongs to another key or another service" in await refusal(closed, key, url)
        assert before == contents(closed)
        async with aclosing(SqliteLedger(closed)) as ledger:
            await ledger.open(account(key, url), accept_new_key=True)
            assert 3 == len(await records(ledger))
        assert "it belongs to another key" in await refusal(closed)
        async with aclosing(SqliteLedger(closed)) as ledger:
            await ledger.open(account(key, url))

    async def test_a_ledger_that_has_paid_nothing_goes_over_to_any_key(self, closed: Path) -> None:
        """The first key was mistyped: that is no reason to begin anew."""
        async with aclosing(SqliteLedger(closed)) as ledger:
            await ledger.open(account("sk-another-key"))
            assert 3 == len(await records(ledger))

    async def test_the_key_is_in_no_file(self, path: Path) -> None:
        """Nor is any part of it."""
        async with opened(path) as ledger:
            await add(ledger, "fox")
            everything = b"".join(one.read_bytes() for one in path.parent.iterdir())
        everything += path.read_bytes()
        parts = [KEY[start : start + 5].encode() for start in range(3, len(KEY) - 4)]
        assert [] == [part for part in parts if part in everything]
        assert b"example.org" not in everything


class TestDamage:
    """Files that are refused, and left as they are."""

    async def refused_untouched(self, path: Path) -> str:
        """Open a file in vain, twice, with nothing changed and nothing left but the lock."""
        before = contents(path)
        first = await refusal(path)
        assert first == await refusal(path)
        assert before == contents(path)
        assert [NAME, f"{NAME}.lock"] == names(path)
        with pytest.raises(LedgerError):
            await asyncio.to_thread(read_ledger, path)
        assert [NAME, f"{NAME}.lock"] == names(path)
        return first

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"", id="P23 empty"),
            pytest.param(b"my notes\n" * 50, id="P23 no SQLite"),
            pytest.param(b"SQLite format 3\0", id="P23 the beginning of a header"),
            pytest.param(b"\0" * 8192, id="P23 zeros"),
        ],
    )
    async def test_what_is_no_ledger_is_left_alone(self, path: Path, data: bytes) -> None:
        """It may be somebody's only copy of something."""
        path.write_bytes(data)
        message = "damaged, or not a ledger of luma-async; it was not changed"
        assert f"{path}: {message}" == await self.refused_untouched(path)

    async def test_a_database_of_another_program_is_left_alone(self, path: Path) -> None:
        """It says by itself that it is none of ours."""
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE orders (number)")
            connection.execute("PRAGMA application_id = 7")
        assert "not a ledger of luma-async" in await self.refused_untouched(path)

    async def test_p26_a_newer_version_is_left_alone(self, closed: Path) -> None:
        """A newer package has to read it."""
        patch(closed, 60, (VERSION + 1).to_bytes(4))
        message = await self.refused_untouched(closed)
        assert f"has version {VERSION + 1}, and this package reads version {VERSION}" in message

    @pytest.mark.parametrize(
        "size", [1, 16, 80, 99, 100, 512, 4095, 4096, 4097, 8192, 20_000, -8192, -4096]
    )
    async def test_p23_a_file_that_is_cut_is_refused(self, closed: Path, size: int) -> None:
        """Wherever it ends."""
        whole = closed.stat().st_size
        os.truncate(closed, size if size > 0 else whole + size)
        await self.refused_untouched(closed)

    async def test_p23_a_cut_is_seen_or_harmless(self, closed: Path) -> None:
        """Even if only the last byte is missing: what opens has the records that were written."""
        expected = await asyncio.to_thread(read_ledger, closed)
        data = closed.read_bytes()
        outcomes = []
        for size in [*range(0, len(data), 499), len(data) - 1]:
            closed.write_bytes(data[:size])
            try:
                outcomes.append(await asyncio.to_thread(read_ledger, closed))
            except LedgerError:
                continue
        assert [] == [one for one in outcomes if one != expected]

    async def test_p23_a_flipped_bit_is_seen_or_harmless(self, closed: Path) -> None:
        """Anywhere in the file: what opens has the records that were written."""
        expected = await asyncio.to_thread(read_ledger, closed)
        data = closed.read_bytes()
        outcomes = set()
        for place in range(0, len(data), 61):
            path = closed.parent / "flipped.sqlite"
            path.write_bytes(flipped(data, place))
            try:
                assert expected == await asyncio.to_thread(read_ledger, path)
                outcomes.add("harmless")
            except LedgerError:
                outcomes.add("seen")
            assert flipped(data, place) == path.read_bytes()
        assert {"harmless", "seen"} == outcomes

    async def test_p23_a_flipped_bit_in_a_record_is_always_seen(self, closed: Path) -> None:
        """SQLite itself has no checksums; each byte of each prompt is looked at."""
        data = closed.read_bytes()
        start = data.index(b"hare in the snow")
        for place in range(start, start + 16):
            closed.write_bytes(flipped(data, place))
            await self.refused_untouched(closed)

    async def test_p23_flips_all_over_the_file_do_not_reach_a_run(self, closed: Path) -> None:
        """Opened for writing, it is refused untouched, or has the records that were written."""
        expected = await asyncio.to_thread(read_ledger, closed)
        data = closed.read_bytes()
        for place in [*range(0, 100, 3), *range(100, len(data), 509)]:
            closed.write_bytes(flipped(data, place))
            ledger = SqliteLedger(closed)
            try:
                await ledger.open(account())
            except LedgerError:
                assert flipped(data, place) == closed.read_bytes()
                continue
            assert expected == await records(ledger)
            await ledger.aclose()

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM ledger WHERE name = 'salt'",
            "DELETE FROM ledger",
            "UPDATE ledger SET value = 'no salt' WHERE name = 'salt'",
            "DROP TABLE events",
            "UPDATE orders SET tokens = 1 WHERE number = 2",
            "UPDATE orders SET sent_at = 'yesterday'",
        ],
    )
    async def test_p23_what_no_ledger_of_ours_says_is_refused(
        self, closed: Path, statement: str
    ) -> None:
        """Somebody has written into it; it is an error of this package, and not of another."""
        with closing(sqlite3.connect(closed)) as connection, connection:
            connection.execute(statement)
        assert str(closed) in await refusal(closed) or statement.startswith("UPDATE orders")

    async def test_p22_a_folder_that_is_no_file_is_refused(self, path: Path) -> None:
        """Neither written nor read."""
        path.mkdir()
        assert "cannot be opened" in await refusal(path)
        with pytest.raises(LedgerError, match="cannot be read"):
            read_ledger(path)

    async def test_there_is_nothing_to_read_without_a_batch(self, path: Path) -> None:
        """And nothing is made."""
        with pytest.raises(LedgerError, match="there is no batch"):
            read_ledger(path)
        assert [] == names(path)

    async def test_p22_a_folder_that_is_missing_is_refused(self, tmp_path: Path) -> None:
        """It may be on a disk that is not there."""
        assert "cannot be opened" in await refusal(tmp_path / "none" / NAME)

    async def test_p22_a_folder_that_cannot_be_written_is_refused(self) -> None:
        """Before anything is sent, and with nothing left there."""
        with tempfile.TemporaryDirectory(prefix="luma") as folder:
            Path(folder).chmod(0o555)
            done = await asyncio.to_thread(run_script, UNPRIVILEGED, Path(folder) / NAME)
            assert done.startswith("refused: ")
            assert "Permission denied" in done
            assert [] == list(Path(folder).iterdir())

    async def test_a_link_in_the_place_of_the_lock_is_not_followed(self, path: Path) -> None:
        """What it leads to is not written."""
        target = path.parent / "precious"
        target.write_text("precious")
        Path(f"{path}.lock").symlink_to(target)
        assert "cannot be opened" in await refusal(path)
        assert "precious" == target.read_text()


class TestLosses:
    """Ledgers that have lost their newest changes."""

    async def test_a_killed_program_loses_nothing(self, path: Path) -> None:
        """All that was told of is there, and nothing is left to repair."""
        async with opened(path) as ledger:
            await add(ledger, "fox")
            image = copy(path)
        async with opened(image) as ledger:
            assert ["fox"] == await prompts(ledger)

    @pytest.mark.parametrize(
        ("parts", "message"),
        [
            pytest.param(("", ".lock"), MISSING, id="P25 without the wal"),
            pytest.param(("",), "the newest changes are missing", id="P25 alone"),
            pytest.param(("-wal", ".lock"), "orders.sqlite-wal is there; put it back", id="wal"),
            pytest.param(("-wal",), "orders.sqlite-wal is there; put it back", id="wal alone"),
            pytest.param((".lock",), MISSING, id="P25 the lock alone"),
            pytest.param(("", "-wal"), "the newest changes are missing", id="without the lock"),
        ],
    )
    async def test_p25_a_part_of_a_ledger_is_refused(
        self, path: Path, parts: tuple[str, ...], message: str
    ) -> None:
        """It would pay again for what it does not know. Trying again changes nothing."""
        async with opened(path) as ledger:
            await add(ledger, "fox")
            image = copy(path, *parts)
            before = copy(path)
        had_file = image.exists()
        for _ in range(3):
            assert message in await refusal(image)
        assert had_file == image.exists()
        for part in ("", "-wal", ".lock"):
            shutil.copy(f"{before}{part}", image.parent)
        async with opened(image) as ledger:
            assert ["fox"] == await prompts(ledger)

    async def test_p25_an_older_copy_is_refused(self, closed: Path) -> None:
        """The count of changes is kept outside of the file."""
        old = closed.read_bytes()
        async with opened(closed) as ledger:
            await add(ledger, "wolf")
        closed.write_bytes(old)
        for _ in range(2):
            assert MISSING in await refusal(closed)
        assert old == closed.read_bytes()

    async def test_a_closed_ledger_is_its_file_alone(self, closed: Path) -> None:
        """A copy of it is a ledger, and is protected from then on."""
        image = copy(closed, "")
        async with opened(image) as ledger:
            assert 3 == len(await records(ledger))
            await add(ledger, "wolf")
        shutil.copy(closed, image)
        assert MISSING in await refusal(image)

    @pytest.mark.parametrize("lock", [b"", b"\xff" * 200, b"process 1\nchanges many\n"])
    async def test_a_damaged_lock_counts_nothing(self, closed: Path, lock: bytes) -> None:
        """Then it depends on whether the ledger was closed."""
        async with opened(closed) as ledger:
            await add(ledger, "wolf")
            image = copy(closed)
        Path(f"{image}.lock").write_bytes(lock)
        for _ in range(2):
            assert "the newest changes are missing" in await refusal(image)
        Path(f"{closed}.lock").write_bytes(lock)
        async with opened(closed) as ledger:
            assert 4 == len(await records(ledger))

    async def test_others_may_look_between_runs(self, closed: Path) -> None:
        """A program that opens and closes it takes nothing away."""
        async with opened(closed) as ledger:
            await add(ledger, "wolf")
            image = copy(closed)
        with closing(sqlite3.connect(image)) as connection:
            assert (4,) == connection.execute("SELECT count(*) FROM orders").fetchone()
        assert not Path(f"{image}-wal").exists()
        async with opened(image) as ledger:
            assert 4 == len(await records(ledger))

    async def test_an_empty_wal_is_none(self, closed: Path) -> None:
        """As programs leave it behind that only read."""
        closed.unlink()
        Path(f"{closed}.lock").unlink()
        Path(f"{closed}-wal").touch()
        async with opened(closed) as ledger:
            assert [] == await records(ledger)

    async def test_p09_p24_a_torn_wal_ends_at_a_commit(self, path: Path) -> None:
        """Power is lost at any byte: the ledger is as after one of its commits, and in order."""
        states: list[list[Record]] = []
        async with opened(path) as ledger:
            image = copy(path)
            for number in range(5):
                states.append(await records(ledger))
                await add(ledger, f"fox {number}", f"hare {number}")
                image = copy(path)
            states.append(await records(ledger))
        wal = Path(f"{image}-wal").read_bytes()
        page = int.from_bytes(wal[8:12])
        frames = range(32, len(wal) + 1, 24 + page)
        assert len(wal) == frames[-1]
        assert len(frames) > 10
        ends = sorted({0, 16, *frames, *(frame - 1000 for frame in frames[1:])})
        found = [states.index(await state_with(image, wal[:end])) for end in ends]
        assert found == sorted(found)
        assert set(range(len(states))) == set(found)
        for frame in frames[:-1]:
            for place in (frame, frame + 9, frame + 24, frame + 24 + page // 2):
                assert await state_with(image, flipped(wal, place)) in states

    async def test_p25_a_torn_wal_is_refused_where_the_lock_has_counted_more(
        self, path: Path
    ) -> None:
        """What was told of is missing: a disk that lies is no reason to pay again."""
        async with opened(path) as ledger:
            await add(ledger, "fox")
            image = copy(path)
        wal = Path(f"{image}-wal")
        wal.write_bytes(wal.read_bytes()[:-1])
        for _ in range(2):
            assert MISSING in await refusal(image)


class TestTrouble:
    """Disks and neighbours."""

    async def test_p20_p21_a_full_disk_changes_nothing(self, closed: Path) -> None:
        """The change is refused as a whole, and goes in when there is room again."""
        async with opened(closed) as ledger:
            before = await records(ledger)
            await ledger.transact(lambda transaction: limit(transaction, 1), name="fill")
            many = [f"{'wolf' * 500} {number}" for number in range(50)]
            with pytest.raises(LedgerError, match="cannot note 'add': database or disk is full"):
                await add(ledger, *many)
            assert before == await records(ledger)
            await ledger.transact(lambda transaction: limit(transaction, 100_000), name="room")
            await add(ledger, *many)
            after = await records(ledger)
            assert 53 == len(after)
        assert after == await asyncio.to_thread(read_ledger, closed)

    async def test_p31_a_reader_keeps_nobody_from_writing(self, closed: Path) -> None:
        """Somebody has it open for long, and sees what was there when the look began."""
        reader = sqlite3.connect(closed, isolation_level=None)
        with closing(reader):
            async with opened(closed) as ledger:
                reader.execute("BEGIN")
                assert (3,) == reader.execute("SELECT count(*) FROM orders").fetchone()
                await add(ledger, "wolf")
                assert (3,) == reader.execute("SELECT count(*) FROM orders").fetchone()
            assert 4 == len(await asyncio.to_thread(read_ledger, closed))
            async with opened(closed) as ledger:
                assert 4 == len(await records(ledger))

    async def test_p31_a_writer_that_does_not_end_is_an_error(self, closed: Path) -> None:
        """Nothing is noted, so that nothing is sent; afterwards all is as before."""
        async with opened(closed, busy_seconds=0.01) as ledger:
            locked = pytest.raises(LedgerError, match="cannot note 'add': database is locked")
            with writing(closed), locked:
                await add(ledger, "wolf")
            assert 3 == len(await records(ledger))
            await add(ledger, "wolf")

    async def test_a_writer_that_does_not_end_keeps_it_from_being_opened(
        self, closed: Path
    ) -> None:
        """It is refused, and not owned by half."""
        with writing(closed):
            ledger = SqliteLedger(closed, busy_seconds=0.01)
            with pytest.raises(LedgerError, match="cannot be opened: database is locked"):
                await ledger.open(account())
        async with opened(closed) as ledger:
            assert 3 == len(await records(ledger))

    async def test_a_ledger_that_cannot_be_closed_well_is_whole_all_the_same(
        self, closed: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is said once, and the next owner finds everything."""
        async with opened(closed, busy_seconds=0.01) as ledger:
            await add(ledger, "wolf")
            with writing(closed):
                await ledger.aclose()
        (said,) = [one for one in caplog.records if one.levelno == logging.WARNING]
        assert "not closed in an orderly way: database is locked" in said.getMessage()
        async with opened(closed) as ledger:
            assert 4 == len(await records(ledger))

    async def test_what_is_durable_holds_even_where_it_cannot_be_counted(
        self, closed: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An error would say that it does not, and a receipt would be taken for lost."""
        async with opened(closed) as ledger:
            only_to_read = os.open(f"{closed}.lock", os.O_RDONLY)
            os.dup2(only_to_read, ledger._lock_file._descriptor)
            os.close(only_to_read)
            await add(ledger, "wolf")
            assert 4 == len(await records(ledger))
        assert "a change could not be counted" in caplog.text
        async with opened(closed) as ledger:
            assert 4 == len(await records(ledger))


class DiedError(Exception):
    """The program dies here."""


class TestDeath:
    """Programs that die between two steps."""

    @pytest.fixture(autouse=True)
    def _disarmed(self) -> Iterator[None]:
        yield
        failpoints.armed = None

    @staticmethod
    def die_at(name: str) -> None:
        """Let the program die at a named point."""

        def die(point: str) -> None:
            if point == name:
                failpoints.armed = None
                raise DiedError

        failpoints.armed = die

    @pytest.mark.parametrize("point", ["create: before rename", "create: after rename"])
    async def test_p01_a_new_ledger_is_whole_or_not_there(self, path: Path, point: str) -> None:
        """Whatever a death leaves behind is no hindrance to the next one."""
        self.die_at(point)
        with pytest.raises(DiedError):
            await SqliteLedger(path).open(account())
        assert (point == "create: after rename") == path.exists()
        for part in ("-wal", "-shm"):
            Path(f"{path}.new{part}").write_bytes(b"left")
        async with opened(path) as ledger:
            await add(ledger, "fox")

    @pytest.mark.parametrize(("point", "expected"), [("before commit", 3), ("after commit", 4)])
    async def test_p09_a_change_is_there_from_its_commit_on(
        self, closed: Path, point: str, expected: int
    ) -> None:
        """Not before, and not only later."""
        async with opened(closed) as ledger:
            self.die_at(f"add: {point}")
            with pytest.raises(DiedError):
                await add(ledger, "wolf")
            assert expected == len(await records(ledger))
            image = copy(closed)
        async with opened(image) as ledger:
            assert expected == len(await records(ledger))


def limit(transaction: LedgerTransaction, pages: int) -> None:
    """Let the disk be full beyond some pages, or as it is."""
    pragma(transaction, f"max_page_count = {pages}")


def patch(path: Path, place: int, data: bytes) -> None:
    """Overwrite a few bytes of a file."""
    whole = path.read_bytes()
    path.write_bytes(whole[:place] + data + whole[place + len(data) :])


def flipped(data: bytes, place: int) -> bytes:
    """Return some bytes with one bit of one of them flipped."""
    bit = 1 << place % 7
    return data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]


async def state_with(image: Path, wal: bytes) -> list[Record]:
    """Open a ledger with another wal, and a lock that has counted nothing."""
    torn = copy(image, "")
    Path(f"{torn}-wal").write_bytes(wal)
    Path(f"{torn}.lock").write_bytes(b"process 1\nchanges 0\n")
    async with opened(torn) as ledger:
        return await records(ledger)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Be another program that writes into the file, and does not end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        yield
        writer.execute("ROLLBACK")


SCRIPT = """
import asyncio, os, sys, warnings
from contextlib import aclosing
from pathlib import Path
from luma_async.batch.ledger.sqlite import SqliteLedger
from luma_async.batch.ledger.sansio import transitions as rules
from luma_async.batch.ledger.sansio.record import NewOrder
from luma_async._api.sansio.api_key import Account, Secret
from luma_async.errors import LedgerError
from luma_async.models import Order

path, key, url = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
account = Account(Secret(key), url).mark

def add(transaction):
    return rules.plan(transaction, [NewOrder(Order("fox"), order_id="fox")])

def names(transaction):
    return [record.order_id for record in transaction.records()]
"""

OWNING = """
async def main():
    async with aclosing(SqliteLedger(path)) as ledger:
        await ledger.open(account)
        await ledger.transact(add, name="add")
        print("ready", flush=True)
        sys.stdin.read()

asyncio.run(main())
"""

FORKING = """
async def main():
    async with aclosing(SqliteLedger(path)) as ledger:
        await ledger.open(account)
        await ledger.transact(add, name="add")
        warnings.simplefilter("ignore")
        child = os.fork()
        if not child:
            for work in (ledger.transact(names, name="read"), ledger.aclose()):
                try:
                    work.send(None)
                except LedgerError as error:
                    print("child:", error, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print("parent:", await ledger.transact(names, name="read"), flush=True)

asyncio.run(main())
"""

UNPRIVILEGED = """
async def main():
    if not os.geteuid():
        os.seteuid(65534)
    try:
        await SqliteLedger(path).open(account)
    except LedgerError as error:
        print("refused:", error)

asyncio.run(main())
"""


@contextmanager
def owner(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Let another process own a ledger with one order."""
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT + OWNING, str(path), KEY, URL],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert "ready\n" == process.stdout.readline()
            yield process
        finally:
            process.kill()


def run_script(script: str, path: Path) -> str:
    """Let another process do something with a ledger, and return what it prints."""
    return subprocess.run(
        [sys.executable, "-c", SCRIPT + script, str(path), KEY, URL],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
