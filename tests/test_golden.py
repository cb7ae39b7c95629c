"""What 0.1.0 has left on the disks of its users is read, and gone on with, as it is.

`tests/golden/make.py` shows how the files were made; they are not made again.
"""

import json
import shutil
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from attrs import asdict

from luma_async import LedgerError, LumaClient, Order, PollPolicy
from luma_async.batch import Batch, NewOrder, Record
from luma_async.emulator import Emulator
from tests.support.batches import results, run, studio
from tests.support.clients import posts

GOLDEN = Path(__file__).parent / "golden"
KEY = "sk-of-the-golden-batches"
FOLDERS = ("finished", "interrupted")

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Copy the batch that a test names: its folder may not be changed."""
    copy = tmp_path / str(request.param)
    shutil.copytree(GOLDEN / copy.name, copy)
    return copy


def golden(name: str) -> Any:
    """Read what was kept to compare with."""
    return json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))


def plain(records: list[Record]) -> Any:
    """Turn records into what JSON holds."""
    return json.loads(json.dumps([asdict(record) for record in records], default=str))


def account(emulator: Emulator) -> None:
    """Give an emulator all generations that the account of the interrupted batch had."""
    for name, prompt in golden("account").items():
        emulator.place(name, prompt)


def gallery(folder: Path) -> Any:
    """Return what the page of a batch was told."""

    class Reader(HTMLParser):
        is_data = False
        text = ""

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.is_data = ("id", "data") in attrs

        def handle_data(self, data: str) -> None:
            self.text += data if self.is_data else ""

        def handle_endtag(self, tag: str) -> None:
            self.is_data = False

    reader = Reader()
    reader.feed((folder / "index.html").read_text("utf-8"))
    return json.loads(reader.text)


@pytest.mark.parametrize("folder", FOLDERS, indirect=True)
async def test_a_ledger_says_what_it_said(folder: Path) -> None:
    """Each field of each record, those that are in the -wal file alone included."""
    async with studio(Emulator(), api_key=KEY) as luma, Batch.open(folder, luma) as batch:
        assert golden(folder.name) == plain(await batch.records())


@pytest.mark.parametrize("folder", FOLDERS, indirect=True)
@pytest.mark.parametrize(
    ("key", "base_url"), [("sk-another", "http://localhost"), (KEY, "http://127.0.0.1")]
)
async def test_a_ledger_still_tells_its_account_from_others(
    folder: Path, key: str, base_url: str
) -> None:
    """Neither another key opens it nor another service."""
    async with studio(Emulator(), api_key=key, base_url=base_url) as luma:
        with pytest.raises(LedgerError, match="belongs to another key"):
            async with Batch.open(folder, luma):
                raise AssertionError("it was opened")


@pytest.mark.parametrize("folder", FOLDERS, indirect=True)
def test_the_command_counts_what_is_there(folder: Path) -> None:
    """It needs no key for that, and changes nothing."""
    before = {
        path: path.read_bytes() for path in folder.glob("orders.sqlite*") if "shm" not in path.name
    }
    program = "from luma_async.cli import main; main()"
    shown = subprocess.run(
        [sys.executable, "-c", program, "batch", "status", str(folder), "--json"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    records = golden(folder.name)
    tokens = sum(record["tokens"] for record in records)
    counts = Counter(record["state"] for record in records)
    assert {
        "folder": str(folder),
        "orders": len(records),
        "counts": counts,
        "tokens": tokens,
        "usd": tokens / 2_000_000,
        "tokens_to_pay": 500_000 * counts["planned"],
    } == json.loads(shown)
    assert before == {path: path.read_bytes() for path in before}


@pytest.mark.parametrize("folder", ["finished"], indirect=True)
async def test_a_finished_batch_stays_finished(folder: Path) -> None:
    """Its orders are known again, nothing is asked or paid, and its results are the same."""
    lines, emulator = results(folder), Emulator()
    continued = Order(
        "Ein Fuchs läuft weiter 🦊",
        aspect_ratio="9:16",
        expand_prompt=False,
        image_url="https://example.com/first.png",
        image_end_url="https://example.com/last.png",
        extends="parent:1",
    )
    async with studio(emulator, api_key=KEY) as luma, Batch.open(folder, luma) as batch:
        assert 0 == await batch.add(
            ["A red fox", "A red fox", NewOrder(continued, order_id="continued")]
        )
        assert (await batch.status()).is_finished
        assert [] == await run(batch)
    assert () == emulator.requests
    assert lines == results(folder) == gallery(folder)["results"]


@pytest.mark.parametrize("folder", ["interrupted"], indirect=True)
async def test_an_interrupted_batch_pays_for_what_was_planned_alone(folder: Path) -> None:
    """What was under way is fetched; what is in doubt is held, with what it may be."""
    emulator = Emulator(seed=1)
    account(emulator)
    names = set(results(folder)[0])
    async with studio(emulator, api_key=KEY) as luma, Batch.open(folder, luma) as batch:
        await run(batch)
        records = await batch.records()
        held = {one.record.order.user_prompt: one.candidates for one in await batch.review()}
    accepted = {prompt: name for name, prompt in golden("account").items()}
    assert ["planned", "planned"] == [bill.prompt for bill in emulator.ledger]
    assert {"done": 7, "failed": 1, "rejected": 2, "unknown": 3} == Counter(
        record.state for record in records
    )
    assert {
        "unknown, accepted": (accepted["unknown, accepted"],),
        "unknown, not accepted": (),
        "submitting": (accepted["submitting"],),
    } == held
    assert [record.order_id for record in records] == [one["order"] for one in results(folder)]
    assert all(names == set(line) for line in results(folder))
    assert results(folder) == gallery(folder)["results"]
    assert {one.file for one in records if one.state == "done"} == {
        f"videos/{path.name}" for path in (folder / "videos").iterdir()
    }


@pytest.mark.parametrize("folder", ["interrupted"], indirect=True)
async def test_orders_in_doubt_are_found_by_what_the_ledger_has_noted(folder: Path) -> None:
    """The runs and the generations of others are read as well: nothing else would be certain."""
    emulator = Emulator(seed=1)
    account(emulator)
    async with (
        studio(emulator, api_key=KEY) as luma,
        Batch.open(folder, luma, on_unknown="reconcile") as batch,
    ):
        await run(batch)
        became = {one.order.user_prompt: one.generation_id for one in await batch.records()}
    accepted = {prompt: name for name, prompt in golden("account").items()}
    for prompt in ("unknown, accepted", "submitting"):
        assert accepted[prompt] == became[prompt]
    assert became["unknown, not accepted"] is None
    assert 2 == emulator.billed == posts(emulator)


@pytest.mark.parametrize("folder", FOLDERS, indirect=True)
def test_the_page_tells_what_the_results_told(folder: Path) -> None:
    """Other programs may have read the one or the other."""
    told = gallery(folder)
    assert results(folder) == told["results"]
    assert (folder.name == "interrupted") == told["running"]


async def test_a_client_goes_on_with_what_another_had_learned() -> None:
    """The policy is the same text again, and comes from the new client as it went in."""
    text = (GOLDEN / "policy.json").read_text("utf-8")
    policy = PollPolicy.from_json(text)
    assert text == policy.to_json()
    async with studio(Emulator(), polling=policy) as luma:
        assert policy == luma.polling
        await luma.generate("A red fox")
        assert policy != luma.polling


ORDERS = [
    (Order("A red fox"), "313d3e60c9f9468d"),
    (Order("A red fox"), "bf2c534b34109784"),
    (Order("A red fox", aspect_ratio="9:16"), "13b24572d48871a8"),
    (Order("A red fox", expand_prompt=False), "f9074b3f393fda67"),
    (Order("A red fox", image_url="https://example.com/fox.png"), "9756504a750d9114"),
    (Order("A red fox", image_end_url="https://example.com/fox.png"), "9609228e46eca569"),
    (Order("A red fox", extends="parent:1"), "785a15b916f6bcc5"),
    (Order("A red fox "), "c962d6c2584bc619"),
    (Order("Füchse 🦊 im Schnee"), "e8a2a3b0d2dc78e9"),
    (Order("Fu\u0308chse 🦊 im Schnee"), "79746531b7aeca9e"),
    (Order('"Quoted"\n\tand <b>more</b> \\'), "1881038537391fd5"),
    (Order("A red fox"), "c965c156857fe32e"),
    (
        Order(
            "Everything",
            aspect_ratio="21:9",
            expand_prompt=False,
            image_url="https://example.com/first.png",
            image_end_url="https://example.com/last.png",
            extends="parent:1",
        ),
        "9032cd6024de1b19",
    ),
]


async def test_orders_keep_the_names_that_are_made_of_them(
    luma: LumaClient, tmp_path: Path
) -> None:
    """A file of orders is added again by a later version: another name would pay once more."""
    async with Batch.open(tmp_path, luma) as batch:
        assert len(ORDERS) == await batch.add(order for order, _ in ORDERS)
        names = [record.order_id for record in await batch.records()]
    assert [name for _, name in ORDERS] == names
