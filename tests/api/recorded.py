"""Answers of the service as they were recorded in public, word for word."""

from pathlib import Path

from luma_async._api.sansio.responses import Response

_FOLDER = Path(__file__).parent.parent / "samples" / "recorded"


def recorded(name: str) -> bytes:
    """Read one of the recorded bodies."""
    return (_FOLDER / f"{name}.json").read_bytes()


def answer(body: bytes | str, *, status: int = 200, **headers: str) -> Response:
    """Make an answer; an underscore in the name of a header stands for a hyphen."""
    return Response(
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        body=body.encode() if isinstance(body, str) else body,
        path="/luma-ai/generations",
    )
