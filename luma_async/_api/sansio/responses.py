"""Response to value or error.

What reads a response raises `APIError` where the service said no, and `ResponseFormatError` where
it cannot be read.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from attrs import evolve, field, frozen

from luma_async._api.sansio.codec import read_json, structure
from luma_async._api.sansio.http_status import meaning_of
from luma_async._runtime.sansio.escaping import printable
from luma_async.errors import APIError, NotFoundError, OutOfCreditsError, ResponseFormatError
from luma_async.models import Generation, GenerationSummary, UploadedImage

_SECONDS = re.compile(r"[0-9]{1,9}")


@frozen(kw_only=True)
class Response:
    """A complete HTTP answer. The names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = field(repr=False)
    path: str
    received_at: datetime | None = None

    @property
    def request_id(self) -> str | None:
        """The service's name for the request."""
        name = self.headers.get("x-request-id")
        return None if name is None else printable(name)


@frozen(kw_only=True)
class StatusResult:
    """What one answer says of the generations that were asked for.

    Attributes:
        generations: Those that could be read, in the order sent.
        problems: What is wrong with the others; the readable ones count all the same.
        date: When the service answered, by its own clock where it tells.
    """

    generations: Sequence[Generation]
    problems: Sequence[str] = ()
    date: datetime | None = None


def read_states(
    response: Response, known: Callable[[str], Generation | None] = lambda generation_id: None
) -> StatusResult:
    """Read the answer to a question for many generations.

    Args:
        response: What the service said.
        known: Returns what an earlier answer said of an id. Most answers say the same again, and
            then the value is the same, too: reading is what costs most when thousands wait.
    """
    payload = _payload(response)
    # One generation alone is what some relays answer where one id was asked for.
    entries = [payload] if isinstance(payload, Mapping) and "id" in payload else payload
    generations: list[Generation] = []
    problems: list[str] = []
    for index, entry in enumerate(_list(entries, response)):
        generation_id = entry.get("id") if isinstance(entry, Mapping) else None
        before = known(generation_id) if isinstance(generation_id, str) else None
        if before is not None and before.raw == entry:
            generations.append(before)
            continue
        try:
            generations.append(structure(entry, Generation, path=f"$[{index}]"))
        except ResponseFormatError as error:
            problems.extend(error.problems)
    date = _date(response.headers.get("date", "")) or response.received_at
    return StatusResult(generations=generations, problems=problems, date=date)


def read_generation(response: Response, generation_id: str) -> Generation:
    """Read the answer to a question for one generation."""
    states = read_states(response)
    for generation in states.generations:
        if generation.id == generation_id:
            return generation
    if states.problems:
        raise ResponseFormatError(states.problems, status=response.status)
    raise unknown_id(generation_id)


def unknown_id(generation_id: str) -> NotFoundError:
    """Say that the service does not know a generation."""
    return NotFoundError(f"the service does not know generation {generation_id}", status=404)


def read_created(response: Response) -> Generation:
    """Read what a create or extend is answered with; the id is all that it has to hold."""
    entry, path = _only(response)
    # In any state: the order was accepted, and the id must not be lost.
    state = entry.get("state")
    readable = {**entry, "state": state if isinstance(state, str) else None}
    return evolve(structure(readable, Generation, path=path), raw=entry)


def read_summaries(response: Response) -> list[GenerationSummary]:
    """Read the account's list."""
    entries = _list(_payload(response), response)
    return [
        structure(entry, GenerationSummary, path=f"$[{index}]")
        for index, entry in enumerate(entries)
    ]


def read_upload(response: Response) -> UploadedImage:
    """Read what an upload is answered with."""
    entry, path = _only(response)
    return structure(entry, UploadedImage, path=path)


def _only(response: Response) -> tuple[Mapping[str, Any], str]:
    """Take the one object of an answer, alone or as a list of one, and its place."""
    payload = _payload(response)
    path = "$"
    if isinstance(payload, list) and len(payload) == 1:
        payload, path = payload[0], "$[0]"
    if not isinstance(payload, Mapping):
        raise ResponseFormatError([f"expected one object at {path}"], status=response.status)
    return payload, path


def _list(payload: object, response: Response) -> list[Any]:
    if not isinstance(payload, list):
        raise ResponseFormatError(["expected a list at $"], status=response.status)
    return payload


def _payload(response: Response) -> Any:
    if not 200 <= response.status < 300:
        raise read_error(response)
    try:
        payload = read_json(response.body)
    except ResponseFormatError as error:
        problems = [f"{error.problems[0]} (HTTP {response.status}: {excerpt(response.body)!r})"]
    else:
        if (status := _embedded_status(payload)) is not None:
            raise read_error(response, status=status)
        return payload
    raise ResponseFormatError(problems, status=response.status)


def _embedded_status(payload: object) -> int | None:
    """Find the status of an error that was sent as if all were well."""
    if not isinstance(payload, Mapping) or "id" in payload:
        return None
    try:
        status = int(payload.get("statusCode", 0))
    except (TypeError, ValueError, OverflowError):
        return None
    return status if 400 <= status <= 599 else None


def read_error(response: Response, *, status: int | None = None) -> APIError:
    """Make the error that a response stands for, with any body or none."""
    status = response.status if status is None else status
    try:
        payload = read_json(response.body)
    except ResponseFormatError:
        payload = None
    fields: Mapping[str, Any] = payload if isinstance(payload, Mapping) else {}
    message = _message(fields) or excerpt(response.body) or "no further word"
    if 300 <= status < 400:
        message = f"redirected to {printable(response.headers.get('location', ''))!r}; not followed"
    kind = meaning_of(status).error
    if status == 403 and "credit" in message.lower() and fields:
        kind = OutOfCreditsError
    request_id = fields.get("requestId")
    return kind(
        message,
        status=status,
        request_id=printable(request_id) if isinstance(request_id, str) else response.request_id,
        path=response.path,
        retry_after=retry_after(response.headers, now=response.received_at),
    )


def _message(fields: Mapping[str, Any]) -> str:
    """Find what an error object says, in any of the shapes that have been seen."""
    message = fields.get("message") or fields.get("error")
    if isinstance(message, Mapping):
        message = message.get("message")
    if isinstance(message, list):
        message = "; ".join(part for part in message if isinstance(part, str))
    return printable(message) if isinstance(message, str) else ""


def excerpt(body: bytes) -> str:
    """Show the beginning of what could not be read."""
    return printable(body[:200].decode("utf-8", "replace")).strip()


def retry_after(headers: Mapping[str, str], *, now: datetime | None) -> float | None:
    """Read for how many seconds the service asks to be left alone.

    ``retry-after-ms`` holds milliseconds, ``Retry-After`` whole seconds or a date (RFC 9110,
    10.2.3); a date is measured from the answer's own ``Date``, as clocks differ, and from `now`
    where it has none. All that is neither, or not in the future, is taken for no word at all.
    """
    milliseconds = headers.get("retry-after-ms", "").strip()
    if _SECONDS.fullmatch(milliseconds) and int(milliseconds):
        return int(milliseconds) / 1000
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value) or None
    until, since = _date(value), _date(headers.get("date", "")) or now
    if until is None or since is None:
        return None
    seconds = (until - since).total_seconds()
    return seconds if seconds > 0 else None


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
