"""What a command says: results on stdout, everything else on stderr."""

import json as json_format
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, TextIO

from attrs import frozen
from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from luma_async.cli.exit_codes import ExitCode, explain, highest, one_line


@Parameter(name="*")
@frozen(kw_only=True)
class Output:
    """How results are printed; shared by every command.

    Attributes:
        json: Print results as JSON, one object a line, for other programs.
    """

    json: Annotated[bool, Parameter(name="--json")] = False

    def result(self, value: Mapping[str, Any], line: str | Text) -> None:
        """Print one result: the value with --json, and else the line."""
        if self.json:
            text = json_format.dumps(value, default=_plain)
            # Of the control characters it is the one that JSON does not escape.
            _put(sys.stdout, text.replace("\x7f", "\\u007f") + "\n")
        else:
            _put(sys.stdout, _rendered(sys.stdout, line))


DEFAULT_OUTPUT = Output()


def note(text: str) -> None:
    """Print a line of progress or a remark on stderr."""
    _put(sys.stderr, _rendered(sys.stderr, Text(one_line(text), "dim")))


def report(
    error: BaseException, *, hint: str | None = None, otherwise: str = "luma-async --help"
) -> ExitCode:
    """Print an error on stderr, as one line that says what and one that says what to do.

    Args:
        error: What happened; one of `exit_codes.EXPECTED_ERRORS`.
        hint: What to do about it, where the caller knows better.
        otherwise: What to do where there is no other advice.

    Returns:
        The exit code that it calls for.
    """
    problems = explain(error)
    for problem in problems:
        complaint = Text.assemble(("luma-async:", "bold red"), " ", problem.what)
        advice = one_line(hint or problem.hint or otherwise)
        advised = Text.assemble(("hint:", "bold"), " ", advice)
        _put(sys.stderr, _rendered(sys.stderr, complaint) + _rendered(sys.stderr, advised))
    return highest(problem.code for problem in problems)


def _rendered(stream: TextIO, line: str | Text) -> str:
    """Give a line its colours where the stream is a terminal; it is neither wrapped nor cut."""
    console = Console(file=stream)
    with console.capture() as capture:
        console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)
    return capture.get()


def _put(stream: TextIO, text: str) -> None:
    # What the encoding of a terminal lacks is no reason to lose a result.
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
