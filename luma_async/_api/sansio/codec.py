"""The one converter from what the service sends to our values.

One rule decides how strictly a field is read: a field that our value requires has to be right,
and a field that may be None becomes None where the service sends something unreadable. So a new
shape of a thumbnail never costs anybody a video, and a missing id is never papered over.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar

from attrs import frozen
from cattrs import ClassValidationError, Converter, transform_error
from cattrs.gen import make_dict_structure_fn, override

from luma_async._api.sansio.validation import check_id
from luma_async.errors import ConfigurationError, ResponseFormatError
from luma_async.models import (
    COMPLETED,
    FAILED,
    Generation,
    GenerationSummary,
    UploadedImage,
    Video,
)

T = TypeVar("T")


class _UnreadableError(ValueError):
    """A field that is required is wrong; the text says what was expected."""


def read_json(body: bytes) -> Any:
    """Read the body of an answer as strict JSON, whatever its headers say.

    Raises:
        ResponseFormatError: It is no JSON, or JSON that readers disagree about: repeated keys,
            NaN, nesting without end.
    """
    try:
        text = body.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        problem = "expected UTF-8"
    except RecursionError:
        problem = "nested too deeply"
    except _UnreadableError as error:
        problem = str(error)
    except ValueError:
        problem = "expected JSON"
    raise ResponseFormatError([f"{problem} at $"])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _UnreadableError("a key occurs twice")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise _UnreadableError(f"{name} is no JSON number")


def structure(payload: object, kind: type[T], *, path: str = "$") -> T:
    """Make a value of what the service sent.

    Raises:
        ResponseFormatError: A required field is missing or wrong; the error names its place.
    """
    if not isinstance(payload, Mapping):
        raise ResponseFormatError([f"expected an object at {path}"])
    try:
        return _CONVERTER.structure(payload, kind)
    except ClassValidationError as error:
        problems = transform_error(error, path=path, format_exception=_explain)
    raise ResponseFormatError([problem.replace(" @ ", " at ") for problem in problems])


def _explain(error: BaseException, _: type | None) -> str:
    return "missing" if isinstance(error, KeyError) else str(error)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _UnreadableError("expected text")
    return value


def _id(value: object) -> str:
    # Some relays number their generations; anything else that is no text is no id.
    name = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    try:
        return check_id(name)
    except ConfigurationError:
        raise _UnreadableError("expected an id") from None


def _state(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise _UnreadableError("expected a state")
    known = str(value).strip().lower()
    return known if known in COMPLETED | FAILED else str(value)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _whole_number(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _optional_text(value: object) -> str | None:
    if isinstance(value, Mapping):
        # Addresses and errors come as text, or as an object that has the text within.
        value = value.get("url") or value.get("message")
    return value if isinstance(value, str) and value else None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@frozen
class _Listed:
    """A line of the list under the service's own names, by which errors name a field."""

    luma_generation_id: str
    prompt: str | None = None


def _make_converter() -> Converter:
    converter = Converter()
    converter.register_structure_hook(str | None, lambda value, _: _optional_text(value))
    converter.register_structure_hook(int | None, lambda value, _: _whole_number(value))
    converter.register_structure_hook(float | None, lambda value, _: _number(value))
    converter.register_structure_hook(datetime | None, lambda value, _: _moment(value))
    converter.register_structure_hook(str, lambda value, _: _text(value))

    read_video = make_dict_structure_fn(Video, converter)
    converter.register_structure_hook(
        Video | None,
        lambda value, _: read_video(value, Video) if isinstance(value, Mapping) else None,
    )
    read_generation = make_dict_structure_fn(
        Generation,
        converter,
        id=override(struct_hook=lambda value, _: _id(value)),
        state=override(struct_hook=lambda value, _: _state(value)),
        raw=override(struct_hook=lambda value, _: value),
        seconds_left=override(omit=True),
    )

    def generation(value: Mapping[str, Any], _: object) -> Generation:
        reason = value.get("failure_reason") or value.get("error")
        return read_generation({**value, "failure_reason": reason, "raw": value}, Generation)

    converter.register_structure_hook(Generation, generation)
    read_listed = make_dict_structure_fn(
        _Listed, converter, luma_generation_id=override(struct_hook=lambda value, _: _id(value))
    )

    def summary(value: Mapping[str, Any], _: object) -> GenerationSummary:
        listed = read_listed(value, _Listed)
        return GenerationSummary(id=listed.luma_generation_id, prompt=listed.prompt)

    converter.register_structure_hook(GenerationSummary, summary)
    converter.register_structure_hook(
        UploadedImage,
        make_dict_structure_fn(
            UploadedImage, converter, id=override(struct_hook=lambda value, _: _text(value))
        ),
    )
    return converter


_CONVERTER = _make_converter()
