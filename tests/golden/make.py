"""How the files beside this one were made, by 0.1.0 in its first format. Do not make them again.

Users have such files on their disks, and each later version has to read them.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import asdict

from luma_async import Order, Timeouts
from luma_async.batch import Batch, NewOrder, Record
from luma_async.emulator import Emulator, Fault, VirtualTimeLoop
from tests.support.batches import run, studio
from tests.support.video_host import mp4

HERE = Path(__file__).parent
FINISHED, INTERRUPTED = HERE / "finished", HERE / "interrupted"
KEY = "sk-of-the-golden-batches"
"""With the address of the service, which is http://localhost, it opens the ledgers."""


def write(name: str, value: object) -> None:
    """Keep what a test compares with."""
    text = json.dumps(value, default=str, indent=1, ensure_ascii=False)
    (HERE / name).write_text(f"{text}\n", "utf-8")


def serve_small(emulator: Emulator, record: Record) -> None:
    """Let the video of an order be a small one."""
    if record.state == "completed" and (name := record.generation_id) is not None:
        emulator.inject(Fault(route="video", ids=frozenset({name}), body=mp4(2000)))


async def finish() -> None:
    """Run a batch to its end, and keep what its client has learned."""
    emulator = Emulator(estimates=True)
    emulator.place("parent:1", "What is continued")
    every_option = Order(
        "Ein Fuchs läuft weiter 🦊",
        aspect_ratio="9:16",
        expand_prompt=False,
        image_url="https://example.com/first.png",
        image_end_url="https://example.com/last.png",
        extends="parent:1",
    )
    small = partial(serve_small, emulator)
    async with (
        studio(emulator, api_key=KEY) as luma,
        Batch.open(FINISHED, luma, on_change=small) as batch,
    ):
        named = NewOrder(every_option, "orders.jsonl:3", order_id="continued")
        await batch.add(["A red fox", "A red fox", named])
        await run(batch)
        write("finished.json", [asdict(record) for record in await batch.records()])
        (HERE / "policy.json").write_text(luma.polling.to_json(), "utf-8")


async def interrupt() -> None:
    """Run a batch twice, and die in the second run."""
    emulator = Emulator()
    emulator.place("another:1", "A fox of somebody else")
    emulator.script("failed", [(0.0, "pending"), (10.0, "failed")])
    for prompt in ("submitted", "adopted"):
        emulator.script(prompt, [(0.0, "pending")])
    emulator.script("completed", [(0.0, "pending"), (300.0, "completed")])
    emulator.inject(Fault(prompt="rejected", status=400))
    for prompt in ("dismissed", "adopted", "unknown, accepted"):
        emulator.inject(Fault(prompt=prompt, drop="after"))
    emulator.inject(Fault(prompt="unknown, not accepted", drop="before"))
    emulator.inject(Fault(prompt="submitting", delay=3600.0))

    def changed(record: Record) -> None:
        if record.state == "completed" and record.order.user_prompt == "downloading":
            ids = frozenset({str(record.generation_id)})
            emulator.inject(Fault(route="video", ids=ids, cut_at=4000))
            emulator.inject(Fault(route="video", ids=ids, times=None, status=503))
        elif record.state == "completed" and record.order.user_prompt == "completed":
            write("account.json", {one.id: one.prompt for one in emulator.generations.values()})
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            serve_small(emulator, record)

    first = ["unknown, accepted", "dismissed", "done", "failed", "rejected"]
    first += ["unknown, not accepted", "adopted", "downloading", "submitted"]
    async with studio(emulator, api_key=KEY, timeouts=Timeouts(paid=3600.0)) as luma:
        async with Batch.open(INTERRUPTED, luma, max_in_flight=1, on_change=changed) as batch:
            await batch.add(first)
            await run(batch)
            for held in await batch.review():
                if held.record.order.user_prompt == "adopted":
                    await batch.adopt(held.record.order_id, held.candidates[0])
                if held.record.order.user_prompt == "dismissed":
                    await batch.dismiss(held.record.order_id)
            await batch.add(["submitting", "completed", "planned", "planned"])
        async with Batch.open(INTERRUPTED, luma, max_in_flight=4, on_change=changed) as batch:
            await run(batch)


async def look(folder: Path) -> None:
    """Keep what the ledger of the interrupted batch says, without changing it."""
    copy = shutil.copytree(INTERRUPTED, folder / "copy")
    async with studio(Emulator(), api_key=KEY) as luma, Batch.open(copy, luma) as batch:
        write("interrupted.json", [asdict(record) for record in await batch.records()])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner, TemporaryDirectory() as place:
        if "interrupt" in sys.argv:
            runner.run(interrupt())
        runner.run(finish())
        subprocess.run([sys.executable, "-m", "tests.golden.make", "interrupt"], check=False)
        runner.run(look(Path(place)))
