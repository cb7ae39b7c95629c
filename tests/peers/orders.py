"""Counts how often other clients send one paid order to a service that took it and then failed.

`nox -s peers` installs them and prints the table of docs/compare.md. The service is a loopback
socket: it reads the whole request, as a service that bills would have, and then misbehaves. Every
client has the settings that it comes with.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any

from luma_async import LumaClient, LumaError

KEY = "sk-of-nobody"
ENDINGS = {
    "connection dropped": None,
    "500": 500,
    "503": 503,
    "409": 409,
}
PATIENCE = 120.0

Create = Callable[[str], Awaitable[object]]


async def lumaai(url: str) -> object:
    """Create with the library of Luma's own API."""
    client = import_module("lumaai").AsyncLumaAI(auth_token=KEY, base_url=url)
    return await client.generations.create(prompt="A fox", model="ray-2")


async def runwayml(url: str) -> object:
    """Create with Runway's library."""
    client = import_module("runwayml").AsyncRunwayML(api_key=KEY, base_url=url)
    return await client.text_to_video.create(
        model="veo3.1", prompt_text="A fox", ratio="1280:720", duration=8
    )


async def openai(url: str) -> object:
    """Create with OpenAI's library."""
    client = import_module("openai").AsyncOpenAI(api_key=KEY, base_url=url)
    return await client.videos.create(model="sora-2", prompt="A fox")


async def aimlapi(url: str) -> object:
    """Create with AI/ML API's own library."""
    client = import_module("aimlapi").AsyncAIMLAPI(api_key=KEY, base_url=url)
    return await client.videos.generate_with_polling(model="luma/ray-2", prompt="A fox")


async def replicate(url: str) -> object:
    """Create with Replicate's library."""
    client = import_module("replicate").Client(api_token=KEY, base_url=url)
    return await client.predictions.async_create(version="0" * 64, input={"prompt": "A fox"})


async def fal_client(url: str) -> object:
    """Create with fal's library."""
    module: Any = import_module("fal_client.client")
    module.QUEUE_URL_FORMAT = url + "/"
    return await module.AsyncClient(key=KEY).submit("fal-ai/luma", arguments={"prompt": "A fox"})


async def genai(url: str) -> object:
    """Create with Google's library."""
    module = import_module("google.genai")
    client = module.Client(vertexai=True, api_key=KEY, http_options={"base_url": url})
    return await client.aio.models.generate_videos(
        model="veo-3.1-generate-001", source={"prompt": "A fox"}
    )


async def ours(url: str) -> object:
    """Create with this package."""
    async with LumaClient(KEY, base_url=url) as luma:
        return await luma.create("A fox")


CLIENTS: dict[str, tuple[str, Create]] = {
    "lumaai": ("lumaai", lumaai),
    "runwayml": ("runwayml", runwayml),
    "openai": ("openai", openai),
    "aimlapi": ("aimlapi-sdk-python", aimlapi),
    "replicate": ("replicate", replicate),
    "fal_client": ("fal-client", fal_client),
    "google-genai": ("google-genai", genai),
    "luma_async": ("luma-async", ours),
}


async def posts(create: Create, status: int | None) -> str:
    """Let a client create once, and return how many paid requests arrived."""
    arrived = 0
    keyed = ""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived, keyed
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
        await reader.readexactly(int(fields.get(b"content-length", 0)))
        arrived += head.startswith(b"POST")
        keyed = ", with a key" if b"idempotency" in head.lower() else keyed
        if status is not None:
            writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 2\r\n\r\n{}" % status)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        try:
            async with asyncio.timeout(PATIENCE):
                await create(f"http://127.0.0.1:{port}")
        except TimeoutError:
            return f"{arrived}{keyed}, and not given up after {PATIENCE:g} s"
        except LumaError:
            pass
        except Exception as error:  # noqa: BLE001 - each client has errors of its own
            if not arrived:
                return f"({type(error).__name__}: {error})"
        return f"{arrived}{keyed}"


async def row(name: str) -> list[str]:
    """Return a row of the table."""
    distribution, create = CLIENTS[name]
    cells = await asyncio.gather(*(posts(create, status) for status in ENDINGS.values()))
    return [f"{name} {version(distribution)}", *cells]


async def main() -> None:
    """Print a row for each client that was named."""
    logging.disable()  # the errors are the point of it
    rows = await asyncio.gather(*map(row, sys.argv[1:]))
    print(" | ".join(["paid requests for one order", *ENDINGS]))
    for cells in rows:
        print(" | ".join(cells))


if __name__ == "__main__":
    asyncio.run(main())
