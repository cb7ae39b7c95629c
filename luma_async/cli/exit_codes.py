"""How a command ends: its exit code, and what is said of an error."""

import asyncio
from collections.abc import Callable, Iterable
from enum import IntEnum

from attrs import frozen
from cyclopts import CycloptsError, UnusedCliTokensError

from luma_async._runtime.sansio.escaping import printable
from luma_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    BudgetExceededError,
    ConfigurationError,
    ConnectError,
    DownloadError,
    GenerationFailedError,
    LedgerError,
    LumaError,
    NotFoundError,
    OutOfCreditsError,
    PermissionDeniedError,
    RateLimitError,
    RequestError,
    ResponseFormatError,
    SubmissionUnknownError,
    WaitErrorGroup,
    WaitTimeoutError,
)


class ExitCode(IntEnum):
    """What the exit code of a command says."""

    DONE = 0
    FAILED = 1  # some of it failed; stderr names it
    USAGE = 2  # the arguments cannot work; nothing was sent
    UNKNOWN = 3  # the outcome of an order is unknown or held: it may have been paid
    LEDGER = 4  # the ledger of a batch is locked or damaged
    ACCOUNT = 5  # the key, the credits or the budget do not allow it
    INTERRUPTED = 130  # and can be resumed


class KeyArgumentError(ConfigurationError):
    """A key was given as an argument."""


class NoKeyError(ConfigurationError):
    """There is no key, or one that cannot be a key."""


class InterruptedCommandError(Exception):
    """A signal stopped the command; the text is the hint."""


@frozen
class Problem:
    """One line that says what is wrong, and one that says what to do about it.

    Attributes:
        code: The exit code that it calls for.
        what: What is wrong.
        hint: What to do; None where the help of the command is all there is.
    """

    code: ExitCode
    what: str
    hint: str | None = None


Hint = str | None | Callable[..., str]

KEY_HINT = "set AIML_API_KEY to your API key, or pass --key-file PATH"

_KINDS: tuple[tuple[type[BaseException], ExitCode, Hint], ...] = (
    (
        SubmissionUnknownError,
        ExitCode.UNKNOWN,
        "look for the prompt with `luma-async list` before you pay again",
    ),
    (BudgetExceededError, ExitCode.ACCOUNT, "raise the budget, for example --budget 10usd"),
    (NoKeyError, ExitCode.ACCOUNT, KEY_HINT),
    (KeyArgumentError, ExitCode.USAGE, KEY_HINT),
    (AuthenticationError, ExitCode.ACCOUNT, KEY_HINT),
    (OutOfCreditsError, ExitCode.ACCOUNT, "top up the balance of the account; this was not paid"),
    (PermissionDeniedError, ExitCode.ACCOUNT, "the account of this key may not do this"),
    (
        NotFoundError,
        ExitCode.FAILED,
        "`luma-async list` shows all generations; a new one may take a moment to appear",
    ),
    (RateLimitError, ExitCode.FAILED, "try again later; this was not paid"),
    (BadRequestError, ExitCode.FAILED, "the service refused the request; this was not paid"),
    (APIError, ExitCode.FAILED, "the service failed and this was not paid; try again later"),
    (
        WaitTimeoutError,
        ExitCode.FAILED,
        lambda error: f"resume with `luma-async wait {' '.join(error.pending)}`",
    ),
    (
        GenerationFailedError,
        ExitCode.FAILED,
        lambda error: f"`luma-async get {error.generation.id}` shows it; a new order costs again",
    ),
    (
        DownloadError,
        ExitCode.FAILED,
        lambda error: f"it is paid; repeat `luma-async download {error.generation_id}`",
    ),
    (
        LedgerError,
        ExitCode.LEDGER,
        "if another run is using it, wait until that run ends; otherwise follow the message",
    ),
    (ConnectError, ExitCode.FAILED, "check the network and --base-url"),
    (RequestError, ExitCode.FAILED, "nothing was paid; try again"),
    (ResponseFormatError, ExitCode.FAILED, "check that --base-url is the URL of the service"),
    (ConfigurationError, ExitCode.USAGE, None),
    (LumaError, ExitCode.FAILED, "`luma-async list` shows all generations of the account"),
    (OSError, ExitCode.USAGE, None),
    (InterruptedCommandError, ExitCode.INTERRUPTED, str),
    (KeyboardInterrupt, ExitCode.INTERRUPTED, "run the same command again"),
    (asyncio.CancelledError, ExitCode.INTERRUPTED, "run the same command again"),
)

EXPECTED_ERRORS: tuple[type[BaseException], ...] = (CycloptsError, *(kind for kind, _, _ in _KINDS))
"""What may end a command without a traceback."""

_OWN_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (AuthenticationError, "the service rejected the key: "),
    (OutOfCreditsError, "the account cannot pay for this: "),
)


def explain(error: BaseException) -> list[Problem]:
    """Say what an error of `EXPECTED_ERRORS` means to a person; a group is many problems."""
    if isinstance(error, WaitErrorGroup):
        return [problem for one in error.exceptions for problem in explain(one)]
    if isinstance(error, CycloptsError):
        return [_misuse(error)]
    code, hint = next((code, hint) for kind, code, hint in _KINDS if isinstance(error, kind))
    return [Problem(code, one_line(_what(error, code)), hint(error) if callable(hint) else hint)]


def one_line(text: str) -> str:
    """Make one harmless line of any text."""
    return printable("; ".join(" ".join(line.split()) for line in text.splitlines()))


def highest(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the exit code of a command that did several things."""
    return max(codes, default=ExitCode.DONE)


def _what(error: BaseException, code: ExitCode) -> str:
    if code is ExitCode.INTERRUPTED:
        return "interrupted"
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    prefix = next((words for kind, words in _OWN_WORDS if isinstance(error, kind)), "")
    return prefix + (str(error) or type(error).__name__)


def _misuse(error: CycloptsError) -> Problem:
    """Say what is wrong with the arguments themselves."""
    if isinstance(error.__cause__, LumaError):
        return explain(error.__cause__)[0]
    if isinstance(error, UnusedCliTokensError):
        unused = " ".join(error.unused_tokens or ())
        hint = "put a prompt of several words in quotation marks"
        return Problem(ExitCode.USAGE, one_line(f"more arguments than expected: {unused}"), hint)
    return Problem(ExitCode.USAGE, one_line(str(error)))
