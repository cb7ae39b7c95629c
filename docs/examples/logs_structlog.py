"""Writes the client's log lines as JSON, with structlog, and without any key."""

import asyncio
import logging

import structlog

from luma_async import KeyFilter, LumaClient

keys = KeyFilter()
handler = logging.StreamHandler()
handler.setFormatter(
    structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),  # the facts of a line
            structlog.processors.TimeStamper(fmt="iso"),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
            lambda logger, method, line: keys.hide(line),
        ],
    )
)
logging.getLogger().addHandler(handler)
logging.getLogger("luma_async").setLevel(logging.INFO)


async def main() -> None:
    """Make a video."""
    async with LumaClient() as luma:
        await luma.generate("A quiet fox")


asyncio.run(main())
